//! How objects are written.

use async_graphql::parser::types::SelectionSet;
use async_graphql::{PathSegment, Pos};

use super::compiler::Compiler;
use super::json::{Json, Written};
use super::selection::{Kind, Selected};
use crate::chat::MessageColumns;

/// Writes a field of a `T`.
pub(crate) type Write<T> = Box<dyn Fn(&T, &mut Json<'_>) -> Written + Send + Sync>;

/// Makes what writes a field of a `T`, whose selection is given; `None` if only the library resolves it.
pub(crate) type Compile<T> = Box<dyn FnOnce(&mut Compiler<'_>, &Selected<'_>) -> Option<Write<T>>>;

/// A field of a `T`, as the table of its type has it.
pub(crate) enum Field<T> {
    /// A scalar or an enum.
    Value(fn(&T, &mut Json<'_>) -> Written),
    /// An object, a list, or what has arguments.
    Compiled(Compile<T>),
}

impl<T> Field<T> {
    /// What writes the field, whose selection is given.
    pub(super) fn compile(self, compiler: &mut Compiler<'_>, selected: &Selected<'_>) -> Option<Write<T>>
    where
        T: 'static,
    {
        match self {
            Self::Value(write) => Some(Box::new(write)),
            Self::Compiled(compile) => compile(compiler, selected),
        }
    }
}

/// What is written as an object of one type.
pub(crate) trait Typed: Sized {
    /// The type.
    fn object() -> ObjectType<Self>;
}

/// A type of objects whose values are `T`s.
pub(crate) struct ObjectType<T> {
    /// Its name, and those of its interfaces, and of the union that it is selected through.
    pub(crate) names: &'static [&'static str],
    /// The types of that union.
    pub(crate) others: &'static [&'static str],
    /// Whether the library reports errors below a field as errors of the field, as it does where an object's fields are
    /// stored values.
    pub(crate) is_simple: bool,
    /// Its fields, a line each. Without a line, the library executes the whole query.
    pub(crate) field: fn(&str) -> Option<Field<T>>,
}

impl<T> Clone for ObjectType<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for ObjectType<T> {}

impl<T: 'static> ObjectType<T> {
    /// A type that is not selected through a union.
    pub(crate) const fn new(names: &'static [&'static str], field: fn(&str) -> Option<Field<T>>) -> Self {
        Self { names, others: &[], is_simple: false, field }
    }

    /// A type that is selected through a union of these types.
    pub(crate) const fn of_union(self, others: &'static [&'static str]) -> Self {
        Self { others, ..self }
    }

    /// A type whose fields are stored values to the library.
    pub(crate) const fn simple(self) -> Self {
        Self { is_simple: true, ..self }
    }

    /// What is selected of objects of this type.
    pub(crate) fn compile(
        self,
        compiler: &mut Compiler<'_>,
        selected: &Selected<'_>,
    ) -> Option<ObjectPlan<T>> {
        self.compile_sets(compiler, &selected.sets)
    }

    /// As [`ObjectType::compile`], of the objects for which these selection sets stand.
    pub(super) fn compile_sets(
        self,
        compiler: &mut Compiler<'_>,
        sets: &[&SelectionSet],
    ) -> Option<ObjectPlan<T>> {
        let kind = Kind { is: self.names, is_not: self.others };
        let mut fields = Vec::new();
        for selected in compiler.select(sets, kind)? {
            let loads = compiler.loads.count;
            let name = selected.field.name.node.as_str();
            let write = match name {
                "__typename" => {
                    let name = *self.names.first()?;
                    PlannedWrite::Compiled(Box::new(move |_: &T, json: &mut Json<'_>| json.string(name)))
                }
                _ => match (self.field)(name)? {
                    Field::Value(write) => PlannedWrite::Value(write),
                    Field::Compiled(compile) => PlannedWrite::Compiled(compile(compiler, &selected)?),
                },
            };
            let opening = if fields.is_empty() { '{' } else { ',' };
            fields.push(PlannedField {
                opening: format!("{opening}\"{}\":", selected.key).into(),
                position: selected.position,
                loads: compiler.loads.count > loads,
                write,
            });
        }
        Some(ObjectPlan { fields: fields.into(), is_simple: self.is_simple })
    }

    /// What writes an object of this type.
    pub(crate) fn writer(self, compiler: &mut Compiler<'_>, selected: &Selected<'_>) -> Option<Write<T>> {
        let plan = self.compile(compiler, selected)?;
        Some(Box::new(move |value: &T, json: &mut Json<'_>| plan.write(value, json)))
    }

    /// A field with such an object.
    pub(crate) fn required<S: 'static>(self, get: fn(&S) -> &T) -> Option<Field<S>> {
        Some(Field::Compiled(Box::new(move |compiler, selected| {
            let plan = self.compile(compiler, selected)?;
            Some(Box::new(move |source: &S, json: &mut Json<'_>| plan.write(get(source), json)))
        })))
    }

    /// A field with such an object, or `null`.
    pub(crate) fn optional<S: 'static>(self, get: fn(&S) -> Option<&T>) -> Option<Field<S>> {
        Some(Field::Compiled(Box::new(move |compiler, selected| {
            let plan = self.compile(compiler, selected)?;
            let position = selected.position;
            Some(Box::new(move |source: &S, json: &mut Json<'_>| {
                json.optional(get(source), |json, value| {
                    json.nullable(position, |json| plan.write(value, json))
                })
            }))
        })))
    }
}

/// How the selected fields of an object are written.
pub(crate) struct ObjectPlan<T> {
    fields: Box<[PlannedField<T>]>,
    is_simple: bool,
}

struct PlannedField<T> {
    /// What stands before the value: a brace or a comma, and the key.
    opening: Box<str>,
    position: Pos,
    /// Whether it needs something beside the value, or something below it does.
    loads: bool,
    write: PlannedWrite<T>,
}

enum PlannedWrite<T> {
    Value(fn(&T, &mut Json<'_>) -> Written),
    Compiled(Write<T>),
}

impl<T> ObjectPlan<T> {
    pub(crate) fn write(&self, value: &T, json: &mut Json<'_>) -> Written {
        for field in &self.fields {
            if json.is_walk() && !field.loads {
                continue;
            }
            json.raw(&field.opening)?;
            json.within(
                || path_segment(&field.opening),
                field.position,
                self.is_simple,
                |json| match &field.write {
                    PlannedWrite::Value(write) => write(value, json),
                    PlannedWrite::Compiled(write) => write(value, json),
                },
            )?;
        }
        // Of a union's objects, some may have no field that is selected.
        json.raw(if self.fields.is_empty() { "{}" } else { "}" })
    }
}

/// The place of a field before whose value `opening` stands: a brace or a comma, and the key.
pub(super) fn path_segment(opening: &str) -> PathSegment {
    PathSegment::Field(opening[2..opening.len() - 2].to_owned())
}

/// Writes a list.
pub(crate) fn list<T>(
    items: impl IntoIterator<Item = T>,
    position: Pos,
    json: &mut Json<'_>,
    write: impl Fn(T, &mut Json<'_>) -> Written,
) -> Written {
    json.raw("[")?;
    for (index, item) in items.into_iter().enumerate() {
        if json.is_cancelled() {
            break;
        }
        if index > 0 {
            json.raw(",")?;
        }
        json.within(|| PathSegment::Index(index), position, true, |json| write(item, json))?;
    }
    json.raw("]")
}

/// A field whose value is a scalar or an enum.
pub(crate) fn value<T>(write: fn(&T, &mut Json<'_>) -> Written) -> Option<Field<T>> {
    Some(Field::Value(write))
}

impl<T: 'static> Field<T> {
    /// The field, before which `note` is called when it is compiled.
    pub(crate) fn noting(self, note: impl FnOnce(&mut Compiler<'_>) + 'static) -> Self {
        Self::Compiled(Box::new(move |compiler, selected| {
            note(compiler);
            self.compile(compiler, selected)
        }))
    }
}

/// A field whose value is made of these columns of a message.
pub(crate) fn long<T: 'static>(
    columns: MessageColumns,
    write: fn(&T, &mut Json<'_>) -> Written,
) -> Option<Field<T>> {
    Some(Field::Value(write).noting(move |compiler| compiler.columns(columns)))
}
