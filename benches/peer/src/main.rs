//! The same operations as somebody writes them by hand with axum and sqlx, for PostgreSQL: a list of conversations, a
//! conversation with its newest messages, and a message with its reply. As plain JSON, with the token checked, with the
//! user in every statement, and with no more rules than that.
//!
//! It takes `PORT`, `DATABASE_URL`, `SECRET` and `CONNECTIONS` from the environment.

mod page;
mod store;

use std::env;
use std::error::Error;
use std::sync::Arc;

use axum::extract::{FromRequestParts, Path, Query, State};
use axum::http::StatusCode;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::serve::ListenerExt;
use axum::{Json, Router};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::Deserialize;
use serde_json::{Value, json};
use sqlx::postgres::PgPoolOptions;
use tokio::net::TcpListener;
use uuid::Uuid;

use crate::store::Store;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The most items of a page.
const MAX_ITEMS: i64 = 100;

struct App {
    store: Store,
    key: DecodingKey,
    validation: Validation,
}

/// The user whom the token names.
struct User(String);

#[derive(Deserialize)]
struct Claims {
    sub: String,
}

impl FromRequestParts<Arc<App>> for User {
    type Rejection = StatusCode;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, StatusCode> {
        let header = parts.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = header.and_then(|value| value.strip_prefix("Bearer ")).ok_or(StatusCode::UNAUTHORIZED)?;
        let decoded = jsonwebtoken::decode::<Claims>(token, &app.key, &app.validation);
        decoded.map(|token| Self(token.claims.sub)).map_err(|_| StatusCode::UNAUTHORIZED)
    }
}

/// Why there is no answer.
enum Failure {
    NotFound,
    Database(sqlx::Error),
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        match self {
            Self::NotFound => StatusCode::NOT_FOUND.into_response(),
            Self::Database(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
        }
    }
}

#[derive(Deserialize)]
struct Forward {
    first: Option<i64>,
    after: Option<String>,
}

#[derive(Deserialize)]
struct Backward {
    last: Option<i64>,
    before: Option<String>,
}

#[derive(Deserialize)]
struct Sent {
    content: String,
}

async fn list(
    State(app): State<Arc<App>>,
    User(user): User,
    Query(slice): Query<Forward>,
) -> Result<Json<impl serde::Serialize>, Failure> {
    let first = slice.first.unwrap_or(20).clamp(1, MAX_ITEMS);
    let after = slice.after.as_deref().and_then(page::read_place);
    Ok(Json(app.store.list(&user, first, after).await?))
}

async fn open(
    State(app): State<Arc<App>>,
    User(user): User,
    Path(id): Path<Uuid>,
    Query(slice): Query<Backward>,
) -> Result<Json<impl serde::Serialize>, Failure> {
    let last = slice.last.unwrap_or(50).clamp(1, MAX_ITEMS);
    let before = slice.before.as_deref().and_then(page::read_position);
    app.store.open(&user, id, last, before).await?.map(Json).ok_or(Failure::NotFound)
}

async fn send(
    State(app): State<Arc<App>>,
    User(user): User,
    Path(id): Path<Uuid>,
    Json(sent): Json<Sent>,
) -> Result<Json<Value>, Failure> {
    let (_, message) = app.store.append(&user, id, "user", &sent.content).await?.ok_or(Failure::NotFound)?;
    // The assistant is an echo that takes no time.
    let text = format!("This is the assistant. You wrote:\n\n{}", sent.content);
    let (conversation, reply) =
        app.store.append(&user, id, "assistant", &text).await?.ok_or(Failure::NotFound)?;
    Ok(Json(json!({ "conversation": conversation, "message": message, "reply": reply })))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let connections: u32 = env::var("CONNECTIONS")?.parse()?;
    // A connection is used without being asked first whether it still lives, as the server does.
    let pool = PgPoolOptions::new()
        .max_connections(connections)
        .min_connections(connections)
        .test_before_acquire(false)
        .connect(&env::var("DATABASE_URL")?)
        .await?;
    let mut validation = Validation::new(Algorithm::HS256);
    validation.validate_aud = false;
    let key = DecodingKey::from_secret(env::var("SECRET")?.as_bytes());
    let app = Arc::new(App { store: Store(pool), key, validation });
    let router = Router::new()
        .route("/readyz", get(async || "ready"))
        .route("/conversations", get(list))
        .route("/conversations/{id}", get(open))
        .route("/conversations/{id}/messages", post(send))
        .with_state(app);
    let listener = TcpListener::bind(("127.0.0.1", env::var("PORT")?.parse::<u16>()?)).await?;
    let listener = listener.tap_io(|socket| _ = socket.set_nodelay(true));
    Ok(axum::serve(listener, router).await?)
}
