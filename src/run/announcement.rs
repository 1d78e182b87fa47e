//! What a server prints when it starts.

use std::net::SocketAddr;

use causerie::database::Database;

use super::print;

/// Says where everything is. People read this, and so do scripts.
pub(super) fn announce(
    address: SocketAddr,
    database: &Database,
    dev_token: Option<&str>,
) -> Result<(), String> {
    let mut text = format!(
        "causerie is listening on http://{address}\n\n  GraphQL    http://{address}/graphql\n  \
         GraphiQL   http://{address}/graphiql\n  database   {}\n",
        database.address()
    );
    if let Some(token) = dev_token {
        text += "  user       dev (development only: anybody on this machine may be anybody)\n";
        text += "  token      ";
        text += token;
        text.push('\n');
    }
    print(&text)
}
