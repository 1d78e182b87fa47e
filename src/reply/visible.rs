//! What of a user's messages is there for the user.

use sea_orm::sea_query::{Expr, SimpleExpr};

/// Whether a message's conversation has not been deleted. A deleted conversation keeps its messages until it is
/// restored or erased; the condition costs one look at the conversation's primary key a message, and spares deleting
/// to touch each of them.
pub(crate) fn visible() -> SimpleExpr {
    Expr::cust(VISIBLE)
}

/// The same in SQL.
pub(crate) const VISIBLE: &str = r#"EXISTS (SELECT 1 FROM "conversation" AS "whole" WHERE "whole"."user_id" = "message"."user_id"
    AND "whole"."id" = "message"."conversation_id" AND "whole"."deleted_at" IS NULL)"#;
