//! What can be fetched again by its id alone.

use async_graphql::{ID, Interface};

use super::conversation::Conversation;
use super::message::Message;

/// An object that can be fetched again by its id alone.
#[derive(Interface)]
#[graphql(field(name = "id", ty = "ID", desc = "The object's id, unique among all objects."))]
pub(super) enum Node {
    Conversation(Conversation),
    Message(Message),
}
