//! What each command does.

use std::io::{self, IsTerminal, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use causerie::auth::{self, Authenticator, Secret, Source, UserId};
use causerie::config::{AuthArgs, Cli, Command, DatabaseArgs, Direction, LogFormat, Serve};
use causerie::database::{Address, Database, statistics};
use causerie::error::Error;
use causerie::http::{App, Parts, graphiql};
use causerie::reply::Replies;
use causerie::signal::{Hub, Postgres, Signals};
use causerie::{chat, graphql, http, receipts, search, trash};
use sea_orm::DbBackend;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{Level, Metadata};
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

use crate::dev;

/// How long a development token is good for.
const DEV_TOKEN_TTL: Duration = Duration::from_hours(24 * 30);

/// How often the server looks whether something in the trash is to be erased.
const TRASH_PERIOD: Duration = Duration::from_mins(1);

/// How often the server looks whether receipts are to be erased.
const RECEIPTS_PERIOD: Duration = Duration::from_mins(1);

/// How long to wait before a database that is away, or not migrated, is looked at again.
const PREPARE_PAUSE: Duration = Duration::from_millis(500);

/// Does what the command line asks for. The error is one line for the operator.
pub(crate) async fn run(cli: Cli) -> Result<(), String> {
    match cli.command {
        Command::Serve(serve) => self::serve(*serve).await,
        Command::Migrate { database, direction } => migrate(database.address()?, direction).await,
        Command::Schema => print(&graphql::sdl()),
        Command::Token { user, ttl, auth, database } => {
            print(&format!("{}\n", token(&user, ttl, &auth, &database)?))
        }
    }
}

async fn serve(serve: Serve) -> Result<(), String> {
    start_logging(&serve)?;
    if serve.dev && !serve.listen.ip().is_loopback() {
        return Err(format!("--dev listens on loopback only, not on {}", serve.listen));
    }
    let (auth, dev_token) = auth_options(&serve)?;
    let replies_options = serve.replies()?;
    let http_options = serve.http.options()?;
    let assistant = serve.assistant.assistant(replies_options.timeout, serve.allow_plaintext)?;
    let authenticator = Authenticator::new(auth).await?;
    let listener = TcpListener::bind(serve.listen)
        .await
        .map_err(|error| format!("cannot listen on {}: {error}", serve.listen))?;
    let address = listener.local_addr().map_err(|error| error.to_string())?;

    let database = connect(serve.database.address()?, serve.database_connections).await?;
    let shutdown = CancellationToken::new();
    stop_on_signal(shutdown.clone())?;
    let announce = || announce(address, &database, dev_token.as_deref());
    let prepare = Box::pin(prepare(&database, serve.no_migrate, announce));
    let Some(prepared) = shutdown.run_until_cancelled(http::answer_until(&listener, prepare)).await else {
        tracing::info!("stopped");
        return Ok(());
    };
    prepared?;
    // Other servers are to learn of what ends while this one drains.
    let drained = CancellationToken::new();
    let signals: Arc<dyn Signals> = match database.backend() {
        DbBackend::Postgres => Arc::new(
            Postgres::start(database.address(), &drained)
                .map_err(|error| format!("cannot use {}: {error}", database.address()))?,
        ),
        _ => Arc::new(Hub::default()),
    };
    tokio::spawn(search::catch_up(database.clone(), signals.clone(), shutdown.clone()));
    let replies = Replies::start(database.clone(), signals, assistant, replies_options);
    let trash_options = trash::Options { keep: serve.trash(), period: TRASH_PERIOD };
    trash::start(database.clone(), trash_options, shutdown.clone());
    let receipts_options = receipts::Options { keep: serve.receipts(), period: RECEIPTS_PERIOD };
    receipts::start(database.clone(), receipts_options, shutdown.clone());
    statistics::keep(database.clone(), statistics::PERIOD, shutdown.clone());
    chat::resume_steps(database.clone(), replies.clone(), serve.limits(), shutdown.clone());
    let app = App::new(Parts {
        schema: graphql::schema(),
        authenticator,
        database: database.clone(),
        replies,
        limits: serve.limits(),
        page: graphiql::Page { token: dev_token.clone() },
        options: http_options,
    });
    http::serve(app, listener, shutdown, serve.drain)
        .await
        .map_err(|error| format!("cannot serve any more: {error}"))?;
    drained.cancel();
    tracing::info!("stopped");
    Ok(())
}

/// Brings the database to what this binary needs, or waits until somebody else has, and then calls `announce`. A database
/// that is away is waited for, and announced at once. One that refuses this server, or is too new for it, is not waited
/// for: the error is one line for the operator.
async fn prepare(
    database: &Database,
    no_migrate: bool,
    announce: impl Fn() -> Result<(), String>,
) -> Result<(), String> {
    let mut announced = false;
    loop {
        let ready = async {
            database.reach().await?;
            if no_migrate {
                return Ok(database.migrations().await?.is_complete());
            }
            database.migrate_up().await.map(|()| true)
        };
        let ready = match ready.await {
            Err(error) if error.is_unavailable() => {
                error.log();
                false
            }
            result => result.map_err(|error| database_trouble(database, &error))?,
        };
        if !std::mem::replace(&mut announced, true) {
            announce()?;
            if !ready {
                tracing::warn!(
                    "waiting for the database: until it is there and migrated, only /healthz is served"
                );
            }
        }
        if ready {
            return Ok(());
        }
        sleep(PREPARE_PAUSE).await;
    }
}

fn start_logging(serve: &Serve) -> Result<(), String> {
    let filter = EnvFilter::try_new(&serve.log).map_err(|error| format!("--log: {error}"))?;
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(io::stderr)
        .with_target(false)
        .with_ansi(io::stderr().is_terminal());
    let lines = match serve.log_format {
        LogFormat::Text => lines.boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    tracing_subscriber::registry()
        .with(lines)
        .with(filter)
        .with(filter_fn(tells_nothing_private))
        .with(filter_fn(tells_news))
        .init();
    Ok(())
}

/// Whether what `metadata` stands for is sure to have no token and no text of a user's in it: at `trace`, libraries log
/// all that they carry, and that of WebSockets logs at `debug` why a client closes one, in its words.
fn tells_nothing_private(metadata: &Metadata<'_>) -> bool {
    let most = match metadata.target() {
        target if target.starts_with("causerie") => Level::TRACE,
        target if target.starts_with("tungstenite") => Level::INFO,
        _ => Level::DEBUG,
    };
    *metadata.level() <= most
}

/// Whether what `metadata` stands for is not told of by others: of each connection that is lost the pool would warn, and
/// who needed it says what came of it.
fn tells_news(metadata: &Metadata<'_>) -> bool {
    !(metadata.target().starts_with("sqlx_core::pool") && *metadata.level() == Level::WARN)
}

/// Whose tokens are accepted, and a token for the developer with `--dev`.
fn auth_options(serve: &Serve) -> Result<(auth::Options, Option<String>), String> {
    let options = serve.auth.options(serve.allow_plaintext)?;
    if serve.dev {
        let secret = match &options {
            Some(auth::Options { source: Source::Secret(secret), .. }) => secret.clone(),
            Some(_) => return Err("--dev makes its own tokens: leave out the JWKS settings".to_owned()),
            None => dev::secret(&serve.database.address()?)?,
        };
        let options = auth::Options {
            claims: serve.auth.claims(),
            ..auth::Options::new(Source::Secret(secret.clone()))
        };
        let token = auth::mint(&secret, &serve.auth.claims(), &UserId::new("dev")?, DEV_TOKEN_TTL);
        return Ok((options, Some(token)));
    }
    let options = options.ok_or(
        "nothing says whose tokens to accept: set CAUSERIE_AUTH_JWKS_URL, CAUSERIE_AUTH_JWKS_FILE or \
         CAUSERIE_AUTH_SECRET, or use `causerie serve --dev` to try it out",
    )?;
    Ok((options, None))
}

async fn connect(address: Address, connections: u32) -> Result<Database, String> {
    let name = address.to_string();
    Database::connect(address, connections).await.map_err(|error| format!("cannot open {name}: {error}"))
}

fn database_trouble(database: &Database, error: &Error) -> String {
    match error {
        Error::Unavailable(cause) | Error::Unreachable(cause) => {
            format!("cannot reach {}: {cause}", database.address())
        }
        Error::Internal(cause) => format!("{}: {cause}", database.address()),
        other => format!("{}: {}", database.address(), other.message()),
    }
}

/// Says where everything is. People read this, and so do scripts.
fn announce(address: SocketAddr, database: &Database, dev_token: Option<&str>) -> Result<(), String> {
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

fn stop_on_signal(shutdown: CancellationToken) -> Result<(), String> {
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

async fn migrate(address: Address, direction: Direction) -> Result<(), String> {
    let database = connect(address, 2).await?;
    let trouble = |error: Error| database_trouble(&database, &error);
    match direction {
        Direction::Up => database.migrate_up().await.map_err(trouble)?,
        Direction::Down { steps } => database.migrate_down(steps).await.map_err(trouble)?,
        Direction::Status => {}
    }
    let migrations = database.migrations().await.map_err(trouble)?;
    for (name, applied) in &migrations.steps {
        print(&format!("{} {name}\n", if *applied { "applied" } else { "pending" }))?;
    }
    for (name, _) in &migrations.newer {
        print(&format!("applied {name} (of a newer version)\n"))?;
    }
    database.close().await;
    Ok(())
}

fn token(user: &str, ttl: Duration, auth: &AuthArgs, database: &DatabaseArgs) -> Result<String, String> {
    let user = UserId::new(user)?;
    let secret: Secret = match auth.secret()? {
        Some(secret) => secret,
        None => dev::existing_secret(&database.address()?)?.ok_or(
            "there is no secret to sign with: set CAUSERIE_AUTH_SECRET, or start `causerie serve --dev` here once",
        )?,
    };
    Ok(auth::mint(&secret, &auth.claims(), &user, ttl))
}

fn print(text: &str) -> Result<(), String> {
    let mut output = io::stdout().lock();
    output
        .write_all(text.as_bytes())
        .and_then(|()| output.flush())
        .map_err(|error| format!("cannot print: {error}"))
}
