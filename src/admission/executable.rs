//! From the tree that is validated to the one that the library executes, so that a document is parsed once.

use std::collections::HashMap;

use apollo_compiler::parser::SourceSpan;
use apollo_compiler::{Node, ast};
use async_graphql::parser::types::{
    BaseType, Directive, DocumentOperations, ExecutableDocument, Field, FragmentDefinition, FragmentSpread,
    InlineFragment, OperationDefinition, OperationType, Selection, SelectionSet, Type, TypeCondition,
    VariableDefinition,
};
use async_graphql::{Name, Pos, Positioned};
use async_graphql_value::{Number, Value};

/// The operations and fragments of `document`, whose text is `text`. Of two with the same name, which validation
/// forbids, there is one.
pub(super) fn executable(document: &ast::Document, text: &str) -> ExecutableDocument {
    let mut converter = Converter { text, offset: 0, position: START };
    let (mut named, mut unnamed, mut fragments) = (HashMap::new(), None, HashMap::new());
    for definition in &document.definitions {
        match definition {
            ast::Definition::OperationDefinition(node) => {
                let operation = converter.operation(node);
                match &node.name {
                    Some(name) => drop(named.insert(Name::new(name), operation)),
                    None => unnamed = Some(operation),
                }
            }
            ast::Definition::FragmentDefinition(node) => {
                fragments.insert(Name::new(&node.name), converter.fragment(node));
            }
            // Validation says that there must not be any.
            _ => {}
        }
    }
    let operations = match unnamed {
        Some(operation) if named.is_empty() => DocumentOperations::Single(operation),
        _ => DocumentOperations::Multiple(named),
    };
    ExecutableDocument { operations, fragments }
}

/// `value` as the library has it. A number that is none of its numbers is null.
pub(super) fn value(value: &ast::Value) -> Value {
    match value {
        ast::Value::Null => Value::Null,
        ast::Value::Enum(name) => Value::Enum(Name::new(name)),
        ast::Value::Variable(name) => Value::Variable(Name::new(name)),
        ast::Value::String(text) => Value::String(text.clone()),
        ast::Value::Int(number) => self::number(number.as_str()),
        ast::Value::Float(number) => self::number(number.as_str()),
        ast::Value::Boolean(boolean) => Value::Boolean(*boolean),
        ast::Value::List(items) => Value::List(items.iter().map(|item| self::value(item)).collect()),
        ast::Value::Object(fields) => {
            Value::Object(fields.iter().map(|(name, value)| (Name::new(name), self::value(value))).collect())
        }
    }
}

fn var_type(var_type: &ast::Type) -> Type {
    let base = match var_type {
        ast::Type::Named(name) | ast::Type::NonNullNamed(name) => BaseType::Named(Name::new(name)),
        ast::Type::List(inner) | ast::Type::NonNullList(inner) => {
            BaseType::List(Box::new(self::var_type(inner)))
        }
    };
    Type { base, nullable: !var_type.is_non_null() }
}

fn number(text: &str) -> Value {
    text.parse::<Number>().map_or(Value::Null, Value::Number)
}

const START: Pos = Pos { line: 1, column: 1 };

/// Nodes are visited in the order of the text, so that each of its characters is looked at once for their positions.
struct Converter<'t> {
    text: &'t str,
    offset: usize,
    position: Pos,
}

impl Converter<'_> {
    fn at(&mut self, location: Option<SourceSpan>) -> Pos {
        let offset = location.map_or(self.offset, |location| location.offset());
        if offset < self.offset {
            (self.offset, self.position) = (0, START);
        }
        for character in self.text.get(self.offset..offset).unwrap_or_default().chars() {
            if character == '\n' {
                self.position = Pos { line: self.position.line + 1, column: 1 };
            } else {
                self.position.column += 1;
            }
        }
        self.offset = offset;
        self.position
    }

    fn name(&mut self, name: &apollo_compiler::Name) -> Positioned<Name> {
        Positioned::new(Name::new(name), self.at(name.location()))
    }

    fn operation(&mut self, node: &Node<ast::OperationDefinition>) -> Positioned<OperationDefinition> {
        let position = self.at(node.location());
        let operation = OperationDefinition {
            ty: kind(node.operation_type),
            variable_definitions: node.variables.iter().map(|variable| self.variable(variable)).collect(),
            directives: self.directives(&node.directives),
            selection_set: self.selection_set(&node.selection_set),
        };
        Positioned::new(operation, position)
    }

    fn fragment(&mut self, node: &Node<ast::FragmentDefinition>) -> Positioned<FragmentDefinition> {
        let position = self.at(node.location());
        let fragment = FragmentDefinition {
            type_condition: self.type_condition(&node.type_condition),
            directives: self.directives(&node.directives),
            selection_set: self.selection_set(&node.selection_set),
        };
        Positioned::new(fragment, position)
    }

    fn type_condition(&mut self, name: &apollo_compiler::Name) -> Positioned<TypeCondition> {
        let on = self.name(name);
        let position = on.pos;
        Positioned::new(TypeCondition { on }, position)
    }

    fn variable(&mut self, node: &Node<ast::VariableDefinition>) -> Positioned<VariableDefinition> {
        let position = self.at(node.location());
        let name = self.name(&node.name);
        let var_type = Positioned::new(var_type(&node.ty), self.at(node.ty.location()));
        let default_value = node.default_value.as_ref().map(|default| {
            let value = value(default).into_const().unwrap_or_default();
            Positioned::new(value, self.at(default.location()))
        });
        let directives = self.directives(&node.directives);
        Positioned::new(VariableDefinition { name, var_type, directives, default_value }, position)
    }

    fn directives(&mut self, directives: &ast::DirectiveList) -> Vec<Positioned<Directive>> {
        let directives = directives.iter().map(|node| {
            let position = self.at(node.location());
            let directive =
                Directive { name: self.name(&node.name), arguments: self.arguments(&node.arguments) };
            Positioned::new(directive, position)
        });
        directives.collect()
    }

    fn arguments(&mut self, arguments: &[Node<ast::Argument>]) -> Vec<(Positioned<Name>, Positioned<Value>)> {
        let arguments = arguments.iter().map(|argument| {
            let name = self.name(&argument.name);
            (name, Positioned::new(value(&argument.value), self.at(argument.value.location())))
        });
        arguments.collect()
    }

    fn selection_set(&mut self, selections: &[ast::Selection]) -> Positioned<SelectionSet> {
        let position = self.position;
        let items = selections.iter().map(|selection| {
            let position = self.at(selection.location());
            let selection = match selection {
                ast::Selection::Field(node) => {
                    let field = Field {
                        alias: node.alias.as_ref().map(|alias| self.name(alias)),
                        name: self.name(&node.name),
                        arguments: self.arguments(&node.arguments),
                        directives: self.directives(&node.directives),
                        selection_set: self.selection_set(&node.selection_set),
                    };
                    Selection::Field(Positioned::new(field, position))
                }
                ast::Selection::FragmentSpread(node) => {
                    let spread = FragmentSpread {
                        fragment_name: self.name(&node.fragment_name),
                        directives: self.directives(&node.directives),
                    };
                    Selection::FragmentSpread(Positioned::new(spread, position))
                }
                ast::Selection::InlineFragment(node) => {
                    let fragment = InlineFragment {
                        type_condition: node.type_condition.as_ref().map(|name| self.type_condition(name)),
                        directives: self.directives(&node.directives),
                        selection_set: self.selection_set(&node.selection_set),
                    };
                    Selection::InlineFragment(Positioned::new(fragment, position))
                }
            };
            Positioned::new(selection, position)
        });
        Positioned::new(SelectionSet { items: items.collect() }, position)
    }
}

fn kind(kind: ast::OperationType) -> OperationType {
    match kind {
        ast::OperationType::Query => OperationType::Query,
        ast::OperationType::Mutation => OperationType::Mutation,
        ast::OperationType::Subscription => OperationType::Subscription,
    }
}
