//! Reading and following what changes.

use async_graphql::{Context, Lookahead, Object, Subscription};
use futures_util::stream::{BoxStream, StreamExt};

use super::event::ChangeEvent;
use crate::chat::{Change, ChangeCursor, Chat, LongColumns, Page, Slice};
use crate::error::Error;
use crate::graphql::compiled::{Arguments, Inputs, List};
use crate::graphql::shared::{Connection, ContextExt, Cursor};

#[derive(Debug, Default)]
pub(crate) struct ChangeQueries;

#[Object]
impl ChangeQueries {
    /// Returns what has changed for the viewer, oldest first, for a client that was offline.
    ///
    /// Each conversation and message appears once, at the cursor of its last change and as it is now; the restoration of
    /// a conversation, and the last change of its active path, appear in addition. A page may have fewer changes
    /// than `first`, because the size of its texts is limited: `hasNextPage` then says that there are more.
    async fn changes(
        &self,
        context: &Context<'_>,
        #[graphql(
            desc = "Returns only changes after this cursor. If it is omitted, the list begins with the first change."
        )]
        since: Option<String>,
        #[graphql(desc = "Returns the first _n_ items: at most 100, by default 20.")] first: Option<i32>,
    ) -> Result<Connection<ChangeEvent>, Error> {
        let chat = context.chat()?;
        let request = ChangeRequest::new(since.as_deref(), first)?;
        let page = context.look_ahead();
        let columns = selected_columns(&[page.field("nodes"), page.field("edges").field("node")]);
        let page = request.page(chat, columns).await?;
        Ok(Connection::new(page, |change: &Change| change.cursor().encode()))
    }
}

/// Which changes are wanted.
pub(in crate::graphql) struct ChangeRequest(Slice<ChangeCursor>);

impl ChangeRequest {
    fn new(since: Option<&str>, first: Option<i32>) -> Result<Self, Error> {
        let since = ChangeCursor::parse("since", since)?;
        Slice::new(first, since, None, None).map(Self)
    }

    /// What the arguments of a compiled field ask for; `None` if one is wrong.
    pub(in crate::graphql) fn of(arguments: &Arguments, inputs: &Inputs<'_>) -> Option<Self> {
        let since: Option<String> = arguments.get("since", inputs)?;
        Self::new(since.as_deref(), arguments.get("first", inputs)?).ok()
    }

    async fn page(&self, chat: &Chat, columns: LongColumns) -> Result<Page<Change>, Error> {
        chat.changes(self.0.after, self.0.limit, columns).await
    }

    /// Reads the page, with these columns of messages.
    pub(in crate::graphql) async fn read(
        &self,
        chat: &Chat,
        columns: LongColumns,
    ) -> Result<List<ChangeEvent>, Error> {
        let page = self.page(chat, columns).await?;
        Ok(List::new(page.map(ChangeEvent::from), (), None))
    }
}

#[derive(Debug, Default)]
pub(crate) struct ChangeSubscriptions;

#[Subscription]
impl ChangeSubscriptions {
    /// Streams the viewer's changes, oldest first: the changes since a cursor, then each further change, whichever server
    /// made it. No change is skipped.
    ///
    /// With `replyText`, what running replies bring comes in the same stream, as `ReplyProgressed`: a device needs no
    /// `replyProgress`. The stream first sends a `MessageChanged` of each reply that began before `since` and still runs,
    /// with the text so far, and with `since` as its cursor. Replies that begin later are reported by the
    /// `MessageChanged` of their beginning. At most `--max-user-replies` replies of a user run at a time; queued ones
    /// are followed once they begin.
    #[expect(clippy::unused_async, reason = "the macro wants it")]
    async fn changes(
        &self,
        context: &Context<'_>,
        #[graphql(
            desc = "Returns only changes after this cursor, such as `viewer { changeCursor }`. If it is omitted, the \
                    stream begins with the first change."
        )]
        since: Option<String>,
        #[graphql(
            default_with = "Some(false)",
            desc = "Whether the stream also has what running replies bring. The texts of messages are then read, and count \
                    in the size of answers, whether they are selected or not."
        )]
        reply_text: Option<bool>,
    ) -> Result<Events, Error> {
        let columns = selected_columns(&[context.look_ahead()]);
        follow(context.chat()?, since.as_deref(), reply_text, columns)
    }
}

/// The events of a feed.
pub(in crate::graphql) type Events = BoxStream<'static, Result<ChangeEvent, Error>>;

/// What the subscription `changes` streams, with these columns of messages.
pub(in crate::graphql) fn follow(
    chat: &Chat,
    since: Option<&str>,
    reply_text: Option<bool>,
    columns: LongColumns,
) -> Result<Events, Error> {
    let since = ChangeCursor::parse("since", since)?;
    if reply_text.unwrap_or(false) {
        return Ok(chat.follow_changes_and_replies(since).map(|event| Ok(event?.into())).boxed());
    }
    Ok(chat.follow_changes(since, columns).map(|change| Ok(change?.into())).boxed())
}

/// Which long columns are selected of the messages in these changes.
fn selected_columns(changes: &[Lookahead<'_>]) -> LongColumns {
    let selects = |field| changes.iter().any(|change| change.field("message").field(field).exists());
    // A cursor belongs to the parts that are read with it.
    let parts = selects("parts") || selects("progressCursor");
    LongColumns { content: parts || selects("content"), reasoning: parts, parts }
}
