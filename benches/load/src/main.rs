//! Loads a server, on one thread, so that the server has the rest of the machine. Each command prints a JSON object:
//!
//! - `replay URL FILE CONNECTIONS SECONDS START`: sends prepared requests again and again, from the one with number
//!   `START` on, and checks each answer. A line of the file has method, path, token and body, between tabs.
//! - `words URL READ-URL PROVIDER-PORT TOKENS REPLIES WORDS RATE`: has replies written by a provider of its own, which
//!   writes the time as its words, and reads them. `READ-URL` is another server to read at, or `-`.
//! - `idle URL TOKENS STREAMS`: opens event streams, says so, and holds them until its input ends.

mod client;
mod idle;
mod provider;
mod replay;
mod words;

use std::error::Error;
use std::fs;

pub type Outcome<T> = Result<T, Box<dyn Error>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match arguments[..] {
        ["replay", url, file, connections, seconds, start] => {
            let file = fs::read_to_string(file)?;
            replay::replay(url, &file, connections.parse()?, seconds.parse()?, start.parse()?).await?
        }
        ["words", url, read_url, port, tokens, replies, words, rate] => {
            let script = words::Script {
                url: url.to_owned(),
                read_url: (read_url != "-").then(|| read_url.to_owned()),
                words: words.parse()?,
                rate: rate.parse()?,
            };
            words::words(script, port.parse()?, &lines(tokens)?, replies.parse()?).await?
        }
        ["idle", url, tokens, streams] => idle::idle(url, &lines(tokens)?, streams.parse()?).await?,
        _ => return Err("see the top of benches/load/src/main.rs".into()),
    };
    println!("{result}");
    Ok(())
}

fn lines(file: &str) -> Outcome<Vec<String>> {
    Ok(fs::read_to_string(file)?.lines().map(str::to_owned).collect())
}
