//! GraphQL over WebSockets: the protocol `graphql-transport-ws`.

mod close;
mod message;
mod session;
mod subscriber;

use axum::Extension;
use axum::extract::ws::WebSocketUpgrade;
use axum::http::HeaderMap;
use axum::http::header::{CONNECTION, SEC_WEBSOCKET_VERSION, UPGRADE};
use axum::response::{IntoResponse, Response};

use self::close::Close;
use self::session::Session;
use crate::error::Code;
use crate::http::App;
use crate::http::access::LogFields;
use crate::http::address::Client;
use crate::http::connection::Peer;
use crate::http::problem::problem;

const PROTOCOL: &str = "graphql-transport-ws";

/// How many bytes a socket reads at a time. Most sockets are quiet most of the time, and what is to be read into is filled
/// with zeros whenever the socket is looked at.
const BUFFER_BYTES: usize = 2 * 1024;

/// The version of the protocol below, which no newer one has followed.
const VERSION: &str = "13";

/// Whether a request asks for a WebSocket, in good form or not.
pub(super) fn is_handshake(headers: &HeaderMap) -> bool {
    let upgrades =
        headers.get_all(UPGRADE).iter().flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    upgrades.map(<[u8]>::trim_ascii).any(|protocol| protocol.eq_ignore_ascii_case(b"websocket"))
}

/// Answers a handshake that is not in good form.
pub(super) fn refuse(headers: &HeaderMap) -> Response {
    if headers.get(SEC_WEBSOCKET_VERSION).is_some_and(|version| version == VERSION) {
        return problem(Code::BadRequest, "The WebSocket handshake is invalid.");
    }
    let message = "Only version 13 of the WebSocket protocol is supported.";
    let refusal = problem(Code::UpgradeRequired, message);
    let offer = [(SEC_WEBSOCKET_VERSION, VERSION), (UPGRADE, "websocket"), (CONNECTION, "upgrade")];
    (offer, refusal).into_response()
}

/// Answers a handshake. A token in its header counts as one in `connection_init`.
pub(super) async fn upgrade(
    app: &App,
    notes: &LogFields,
    client: Client,
    peer: Option<Extension<Peer>>,
    headers: &HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    let viewer = match app.viewer(headers).await {
        Ok(viewer) => viewer,
        Err(error) => return error.into_response(),
    };
    if let Some(viewer) = &viewer {
        notes.user(viewer);
    }
    let bytes = app.0.options.limits.body_bytes;
    let upgrade = upgrade
        .protocols([PROTOCOL])
        .max_message_size(bytes)
        .max_frame_size(bytes)
        .read_buffer_size(BUFFER_BYTES)
        .write_buffer_size(BUFFER_BYTES);
    let speaks_it = upgrade.selected_protocol().is_some();
    let tracked = app.0.streams.tracker.token();
    let app = app.clone();
    upgrade.on_upgrade(async move |socket| {
        let mut session = Session::new(app, socket, viewer, client);
        let close = if speaks_it { session.run().await } else { Some(Close::SUBPROTOCOL) };
        if let Some(close) = close {
            session.close(&close).await;
        }
        drop((tracked, peer));
    })
}
