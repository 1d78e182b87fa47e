//! Objects that can be fetched by their id alone.

use async_graphql::{Context, ID, Interface, Object};

use super::assistant::Assistant;
use super::conversation::Conversation;
use super::message::Message;
use super::shared::{ContextExt, parse_id};
use crate::error::Error;

/// An object that can be fetched by its id alone.
#[derive(Interface)]
#[graphql(field(name = "id", ty = "ID", desc = "The object's id, unique among all objects."))]
enum Node {
    Assistant(Assistant),
    Conversation(Conversation),
    Message(Message),
}

#[derive(Debug, Default)]
pub(super) struct NodeQueries;

#[Object]
impl NodeQueries {
    /// Returns an object of the viewer's, or an assistant that the viewer may choose, by its id alone, or `null` if there is
    /// no such object.
    async fn node(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The object's id.")] id: ID,
    ) -> Option<Result<Node, Error>> {
        let load = async {
            let chat = context.chat()?;
            // The id of an assistant is no UUID.
            let Some(id) = parse_id(&id) else {
                return Ok(Assistant::of_reply(chat, &id).map(Node::Assistant));
            };
            if let Some(row) = chat.conversation(id).await? {
                return Ok(Some(Node::Conversation(row.into())));
            }
            Ok(chat.message(id).await?.map(|row| Node::Message(row.into())))
        };
        load.await.transpose()
    }
}
