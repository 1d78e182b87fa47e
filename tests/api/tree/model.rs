//! The tree as simply as it can be said.

use std::collections::BTreeMap;

use uuid::Uuid;

/// One message. Its key in the conversation's map is its place in the order of creation.
#[derive(Clone, Debug)]
pub struct Node {
    pub id: Uuid,
    pub parent: Option<u32>,
    pub is_reply: bool,
    pub content: String,
}

/// One conversation.
#[derive(Clone, Debug, Default)]
pub struct Thread {
    pub id: Uuid,
    pub nodes: BTreeMap<u32, Node>,
    /// The active path.
    pub shown: Vec<u32>,
}

impl Thread {
    /// Adds a message below `parent` and shows it.
    pub fn add(&mut self, serial: u32, node: Node) {
        self.nodes.insert(serial, node);
        self.shown = self.way_to(Some(serial));
    }

    /// From the first message to `end`.
    pub fn way_to(&self, end: Option<u32>) -> Vec<u32> {
        let mut way = Vec::new();
        let mut next = end;
        while let Some(serial) = next {
            way.insert(0, serial);
            next = self.nodes[&serial].parent;
        }
        way
    }

    /// In order of creation, the message itself among them.
    pub fn siblings(&self, serial: u32) -> Vec<u32> {
        let parent = self.nodes[&serial].parent;
        self.nodes.iter().filter(|(_, node)| node.parent == parent).map(|(serial, _)| *serial).collect()
    }

    /// The message and all that hangs below it.
    pub fn below(&self, serial: u32) -> Vec<u32> {
        self.nodes.keys().copied().filter(|other| self.way_to(Some(*other)).contains(&serial)).collect()
    }

    pub fn activate(&mut self, serial: u32) {
        let newest = self.below(serial).into_iter().max();
        self.shown = self.way_to(newest);
    }

    /// Returns the ids that are gone.
    pub fn delete(&mut self, serial: u32) -> Vec<Uuid> {
        let parent = self.nodes[&serial].parent;
        let siblings = self.siblings(serial);
        let before = siblings.iter().filter(|other| **other < serial).max();
        let nearest = before.or_else(|| siblings.iter().filter(|other| **other > serial).min()).copied();
        let was_shown = self.shown.contains(&serial);
        let gone = self.below(serial);
        let ids = gone.iter().map(|serial| self.nodes.remove(serial).unwrap().id).collect();
        match nearest {
            _ if !was_shown => {}
            Some(sibling) => self.activate(sibling),
            None => self.shown = self.way_to(parent),
        }
        ids
    }

    /// The ids of `serials`.
    pub fn ids(&self, serials: &[u32]) -> Vec<Uuid> {
        serials.iter().map(|serial| self.nodes[serial].id).collect()
    }
}
