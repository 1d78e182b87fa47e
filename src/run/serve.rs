//! A server, put together from its parts.

use std::sync::Arc;

use causerie::auth::Authenticator;
use causerie::config::Serve;
use causerie::database::{Database, statistics, wal_checkpoint};
use causerie::http::{App, Parts};
use causerie::reply::Replies;
use causerie::signal::{Hub, Postgres, Signals};
use causerie::{assistant, chat, graphql, http, index, receipts, trash};
use sea_orm::DbBackend;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::announcement::announce;
use super::database::{connect, prepare};
use super::{issuer, logging};

/// Serves until the process is told to stop.
pub(super) async fn serve(serve: Serve) -> Result<(), String> {
    logging::start(&serve.operation)?;
    if serve.dev && !serve.listen.ip().is_loopback() {
        return Err(format!("--dev listens on loopback only, not on {}", serve.listen));
    }
    serve.reply.check()?;
    let allow_plaintext = serve.operation.allow_plaintext;
    let (auth, dev_users) = issuer::options(&serve)?;
    let catalog = serve.assistant.catalog(assistant::Common {
        timeout: serve.reply.timeout,
        allow_plaintext,
        instructions_chars: serve.chat.instructions_chars,
    })?;
    let http = http::Options { local_origins: serve.dev, ..serve.http.load()? };
    let authenticator = Authenticator::new(auth).await?;
    let listener = TcpListener::bind(serve.listen)
        .await
        .map_err(|error| format!("cannot listen on {}: {error}", serve.listen))?;
    let address = listener.local_addr().map_err(|error| error.to_string())?;

    let database = connect(serve.database.address()?, serve.database_connections).await?;
    let shutdown = CancellationToken::new();
    cancel_on_signal(shutdown.clone())?;
    let announce = || announce(address, &database, dev_users.first());
    let prepare = Box::pin(prepare(&database, serve.no_migrate, announce));
    let Some(prepared) = shutdown.run_until_cancelled(http::answer_until(&listener, prepare)).await else {
        tracing::info!("stopped");
        return Ok(());
    };
    prepared?;

    // Other servers are to learn of what ends while this one drains.
    let drained = CancellationToken::new();
    let signals = signals(&database, &drained)?;
    let replies = Replies::start(database.clone(), signals.clone(), Arc::new(catalog), serve.reply);
    tokio::spawn(index::catch_up(database.clone(), signals.clone(), shutdown.clone()));
    trash::start(database.clone(), replies.clone(), serve.chat.trash, shutdown.clone());
    receipts::start(database.clone(), serve.receipts, shutdown.clone());
    statistics::keep(database.clone(), statistics::PERIOD, shutdown.clone());
    wal_checkpoint::keep(&database, wal_checkpoint::PERIOD, shutdown.clone());
    chat::resume_steps(database.clone(), replies.clone(), serve.chat, shutdown.clone());
    let app = App::new(Parts {
        schema: graphql::schema(),
        authenticator,
        database: database.clone(),
        replies,
        limits: serve.chat,
        dev_users: dev_users.clone(),
        options: http,
    });
    http::serve(app, listener, shutdown, serve.operation.drain)
        .await
        .map_err(|error| format!("cannot serve any more: {error}"))?;
    drained.cancel();
    tracing::info!("stopped");
    Ok(())
}

/// How servers wake each other, until `drained`.
fn signals(database: &Database, drained: &CancellationToken) -> Result<Arc<dyn Signals>, String> {
    Ok(match database.backend() {
        DbBackend::Postgres => Arc::new(
            Postgres::start(database.address(), drained)
                .map_err(|error| format!("cannot use {}: {error}", database.address()))?,
        ),
        _ => Arc::new(Hub::default()),
    })
}

/// Cancels `shutdown` when the process is asked to terminate, or interrupted from the keyboard.
fn cancel_on_signal(shutdown: CancellationToken) -> Result<(), String> {
    let listen = |kind| signal(kind).map_err(|error| format!("cannot listen for signals: {error}"));
    let (mut terminate, mut interrupt) = (listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?);
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping");
        shutdown.cancel();
    });
    Ok(())
}
