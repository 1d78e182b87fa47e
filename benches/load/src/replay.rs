//! Requests that were prepared.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{Request, StatusCode};
use serde_json::{Value, json};
use tokio::task::LocalSet;

use crate::Outcome;
use crate::client::{Connection, percentile};

#[derive(Default)]
struct Tally {
    micros: RefCell<Vec<u64>>,
    bytes: Cell<u64>,
    bad: Cell<u64>,
    /// One of the bad answers.
    sample: RefCell<String>,
}

/// Sends `lines` in turn over `connections` connections for `seconds`.
pub async fn replay(
    url: &str,
    lines: &str,
    connections: usize,
    seconds: f64,
    start: usize,
) -> Outcome<Value> {
    let requests = Rc::new(lines.lines().map(prepare).collect::<Outcome<Vec<_>>>()?);
    let (tally, next) = (Rc::new(Tally::default()), Rc::new(Cell::new(start)));
    let begun = Instant::now();
    let deadline = begun + Duration::from_secs_f64(seconds);
    let tasks = LocalSet::new();
    for _ in 0..connections {
        let mut connection = Connection::open(url).await?;
        let (requests, tally, next) = (requests.clone(), tally.clone(), next.clone());
        tasks.spawn_local(async move {
            while Instant::now() < deadline {
                let number = next.replace(next.get() + 1);
                let request = requests[number % requests.len()].clone();
                let sent = Instant::now();
                if let Err(error) = exchange(&mut connection, request, &tally).await {
                    tally.bad.set(tally.bad.get() + 1);
                    tally.sample.replace(error.to_string());
                    return;
                }
                let micros = u64::try_from(sent.elapsed().as_micros()).unwrap_or(u64::MAX);
                tally.micros.borrow_mut().push(micros);
            }
        });
    }
    tasks.await;
    let taken = begun.elapsed().as_secs_f64();
    let mut micros = tally.micros.take();
    micros.sort_unstable();
    Ok(json!({
        "requests": micros.len(),
        "seconds": taken,
        "bytes": tally.bytes.get(),
        "p50": percentile(&micros, 50),
        "p99": percentile(&micros, 99),
        "bad": tally.bad.get(),
        "sample": tally.sample.take(),
    }))
}

fn prepare(line: &str) -> Outcome<Request<Full<Bytes>>> {
    let [method, path, token, body] =
        line.splitn(4, '\t').collect::<Vec<_>>().try_into().map_err(|_| "a line has four parts")?;
    Ok(Request::builder()
        .method(method)
        .uri(path)
        .header(HOST, "localhost")
        .header(AUTHORIZATION, format!("Bearer {token}"))
        .header(CONTENT_TYPE, "application/json")
        .header(ACCEPT, "application/json")
        .body(Full::from(body.to_owned()))?)
}

/// Sends a request, and reads all of its answer.
async fn exchange(connection: &mut Connection, request: Request<Full<Bytes>>, tally: &Tally) -> Outcome<()> {
    let answer = connection.send(request).await?;
    let status = answer.status();
    let body = answer.into_body().collect().await?.to_bytes();
    tally.bytes.set(tally.bytes.get() + body.len() as u64);
    // A GraphQL answer without its data says so at its beginning.
    let head = &body[..body.len().min(64)];
    let has = |part: &[u8]| head.windows(part.len()).any(|window| window == part);
    if status != StatusCode::OK || has(b":null}") || has(b"\"errors\":") {
        tally.bad.set(tally.bad.get() + 1);
        tally.sample.replace(format!("{status} {}", String::from_utf8_lossy(&body[..body.len().min(300)])));
    }
    Ok(())
}
