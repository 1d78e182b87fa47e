//! What a server prints when it starts.

use std::net::SocketAddr;

use causerie::database::Database;
use causerie::http::pages::DevUser;

use super::print;

/// Says where everything is. People read this, and so do scripts.
pub(super) fn announce(
    address: SocketAddr,
    database: &Database,
    dev_user: Option<&DevUser>,
) -> Result<(), String> {
    let mut text = format!(
        "causerie is listening on http://{address}\n\n  chat       http://{address}/\n  GraphQL    http://{address}/graphql\n  \
         GraphiQL   http://{address}/graphiql\n  database   {}\n",
        database.address()
    );
    if let Some(DevUser { id, token }) = dev_user {
        let whose = "development only: anybody on this machine may be anybody";
        text = format!("{text}  user       {id} ({whose})\n  token      {token}\n");
    }
    print(&text)
}
