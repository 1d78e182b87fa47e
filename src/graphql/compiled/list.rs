//! Lists in pages.

use super::compiler::Compiler;
use super::json::{Json, Written};
use super::object::{Field, ObjectPlan, ObjectType, Write, list, value};
use super::selection::Selected;
use crate::chat::Page;
use crate::error::Error;

/// An item of a list.
pub(crate) trait Node: Sized + 'static {
    /// What a cursor depends on beside the item.
    type Order: Copy + 'static;
    /// The name of the type of a page.
    const CONNECTION: &'static [&'static str];
    /// The name of the type of an item with its cursor.
    const EDGE: &'static [&'static str];

    /// What writes an item.
    fn compile(compiler: &mut Compiler<'_>, selected: &Selected<'_>) -> Option<Write<Self>>;

    fn write_cursor(&self, order: Self::Order, json: &mut Json<'_>) -> Written;
}

/// A page of a list.
pub(crate) struct List<N: Node> {
    edges: Vec<Edge<N>>,
    has_previous: bool,
    has_next: bool,
    /// The number of items in the whole list, if it was counted.
    total: Option<i64>,
}

struct Edge<N: Node> {
    node: N,
    order: N::Order,
}

impl<N: Node> List<N> {
    pub(in crate::graphql) fn new(page: Page<N>, order: N::Order, total: Option<i64>) -> Self {
        let edges = page.items.into_iter().map(|node| Edge { node, order });
        Self { edges: edges.collect(), has_previous: page.has_previous, has_next: page.has_next, total }
    }

    pub(super) fn nodes_mut(&mut self) -> impl Iterator<Item = &mut N> {
        self.edges.iter_mut().map(|edge| &mut edge.node)
    }

    pub(super) fn last(&self) -> Option<&N> {
        self.edges.last().map(|edge| &edge.node)
    }

    pub(super) fn compile(compiler: &mut Compiler<'_>, selected: &Selected<'_>) -> Option<ObjectPlan<Self>> {
        ObjectType::new(N::CONNECTION, connection_field::<N>).compile(compiler, selected)
    }
}

fn connection_field<N: Node>(name: &str) -> Option<Field<List<N>>> {
    match name {
        "edges" => edges(
            |compiler, selected| {
                ObjectType::new(N::EDGE, edge_field::<N>).simple().writer(compiler, selected)
            },
            |edge| edge,
        ),
        "nodes" => edges(N::compile, |edge| &edge.node),
        "pageInfo" => ObjectType::new(&["PageInfo"], page_info_field::<N>).simple().required(|page| page),
        "totalCount" => Some(Field::Compiled(Box::new(|compiler, _| {
            compiler.counted();
            Some(Box::new(|page, json| {
                let uncounted = || Error::Internal("the list was read without its count".to_owned());
                json.number(page.total.ok_or_else(uncounted)?)
            }))
        }))),
        _ => None,
    }
}

fn edge_field<N: Node>(name: &str) -> Option<Field<Edge<N>>> {
    match name {
        "cursor" => value(write_cursor),
        "node" => Some(Field::Compiled(Box::new(|compiler, selected| {
            let write = N::compile(compiler, selected)?;
            Some(Box::new(move |edge: &Edge<N>, json: &mut Json<'_>| write(&edge.node, json)))
        }))),
        _ => None,
    }
}

fn page_info_field<N: Node>(name: &str) -> Option<Field<List<N>>> {
    match name {
        "hasPreviousPage" => value(|page, json| json.boolean(page.has_previous)),
        "hasNextPage" => value(|page, json| json.boolean(page.has_next)),
        "startCursor" => {
            value(|page, json| json.optional(page.edges.first(), |json, edge| write_cursor(edge, json)))
        }
        "endCursor" => {
            value(|page, json| json.optional(page.edges.last(), |json, edge| write_cursor(edge, json)))
        }
        _ => None,
    }
}

fn write_cursor<N: Node>(edge: &Edge<N>, json: &mut Json<'_>) -> Written {
    edge.node.write_cursor(edge.order, json)
}

/// A field with all edges, or what is in them.
fn edges<N: Node, T: 'static>(
    compile: fn(&mut Compiler<'_>, &Selected<'_>) -> Option<Write<T>>,
    get: fn(&Edge<N>) -> &T,
) -> Option<Field<List<N>>> {
    Some(Field::Compiled(Box::new(move |compiler, selected| {
        let (write, position) = (compile(compiler, selected)?, selected.position);
        Some(Box::new(move |page: &List<N>, json: &mut Json<'_>| {
            list(&page.edges, position, json, |edge, json| write(get(edge), json))
        }))
    })))
}
