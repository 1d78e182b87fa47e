//! What lies between the servers and the database: a network that can be slow, or silent.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until};

/// How many pieces may be on their way in one direction of one connection.
const ON_THE_WAY: usize = 256;

/// How long the database keeps a connection of which it hears no more.
const LOST_FOR: Duration = Duration::from_secs(20);

/// What happens to what is sent in one direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Traffic {
    /// It arrives.
    Flowing,
    /// It arrives after a time between these.
    Delayed(Duration, Duration),
    /// It does not arrive, and no connection breaks: whoever sends is told that all is well.
    Held,
}

/// What the network does.
#[derive(Clone, Copy, Debug)]
struct State {
    /// The port of the database.
    target: u16,
    /// From the servers to the database, and back.
    traffic: [Traffic; 2],
    /// Connections up to this number are lost: nothing arrives on them any more, and they never break.
    lost: u64,
    /// The number of the last connection.
    last: u64,
}

/// A port that leads to the database. Everything ends when it is dropped.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    state: Arc<watch::Sender<State>>,
}

impl Proxy {
    /// Opens a port that leads to the port `target`, both on the loopback interface.
    ///
    /// # Errors
    /// If there is no port.
    pub async fn start(target: u16) -> Result<Self, String> {
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(|error| error.to_string())?;
        let port = listener.local_addr().map_err(|error| error.to_string())?.port();
        let state = State { target, traffic: [Traffic::Flowing; 2], lost: 0, last: 0 };
        let state = Arc::new(watch::Sender::new(state));
        let weak = Arc::downgrade(&state);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let Some(state) = weak.upgrade() else { return };
                let mut number = 0;
                state.send_modify(|state| {
                    state.last += 1;
                    number = state.last;
                });
                tokio::spawn(connect(client, number, state.subscribe()));
            }
        });
        Ok(Self { port, state })
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Lets traffic to the database, and from it, flow so from now on.
    pub fn set_traffic(&self, to: Traffic, from: Traffic) {
        self.state.send_modify(|state| state.traffic = [to, from]);
    }

    /// Leads new connections to another port.
    pub fn set_target(&self, target: u16) {
        self.state.send_modify(|state| state.target = target);
    }

    /// Nothing arrives any more on the connections that there are, and nobody is told.
    pub fn lose_connections(&self) {
        self.state.send_modify(|state| state.lost = state.last);
    }
}

/// One connection, and what the network does to it.
#[derive(Clone)]
struct Link {
    number: u64,
    state: watch::Receiver<State>,
}

impl Link {
    /// Waits until nothing is held in this direction; for ever on a lost connection.
    async fn open(&mut self, direction: usize) {
        let number = self.number;
        let open =
            self.state.wait_for(|state| state.traffic[direction] != Traffic::Held && state.lost < number);
        if open.await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Waits until the connection has been lost for long.
    async fn long_lost(&mut self) {
        let number = self.number;
        if self.state.wait_for(|state| state.lost >= number).await.is_err() {
            std::future::pending::<()>().await;
        }
        sleep(LOST_FOR).await;
    }
}

async fn connect(client: TcpStream, number: u64, state: watch::Receiver<State>) {
    let mut link = Link { number, state };
    // Nobody answers who asks for a connection, either.
    link.open(0).await;
    link.open(1).await;
    let target = link.state.borrow().target;
    let Ok(server) = TcpStream::connect(("127.0.0.1", target)).await else { return };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let (mut up, mut down) = (link.clone(), link.clone());
    tokio::select! {
        () = pump(&mut from_client, &mut to_server, 0, &mut up) => {}
        () = pump(&mut from_server, &mut to_client, 1, &mut down) => {}
        () = link.long_lost() => {
            drop((from_server, to_server));
            let mut rest = [0; 4096];
            while matches!(from_client.read(&mut rest).await, Ok(1..)) {}
        }
    }
}

/// Carries what is sent in one direction, until the sender has closed it and all has arrived.
async fn pump(from: &mut OwnedReadHalf, to: &mut OwnedWriteHalf, direction: usize, link: &mut Link) {
    let (pieces, mut arriving) = mpsc::channel::<(Instant, Vec<u8>)>(ON_THE_WAY);
    let state = link.state.clone();
    let take = async move {
        let mut due = Instant::now();
        loop {
            let mut piece = Vec::with_capacity(16 * 1024);
            if !matches!(from.read_buf(&mut piece).await, Ok(1..)) {
                break;
            }
            let traffic = state.borrow().traffic[direction];
            if let Traffic::Delayed(least, most) = traffic {
                let spread = u64::try_from(most.saturating_sub(least).as_micros()).unwrap_or(u64::MAX);
                let delay = least + Duration::from_micros(fastrand::u64(0..=spread));
                // What is sent first arrives first.
                due = due.max(Instant::now() + delay);
            }
            if pieces.send((due, piece)).await.is_err() {
                break;
            }
        }
        drop(pieces);
        std::future::pending::<()>().await;
    };
    let bring = async {
        while let Some((due, piece)) = arriving.recv().await {
            sleep_until(due).await;
            link.open(direction).await;
            if to.write_all(&piece).await.is_err() {
                break;
            }
        }
        // Neither does the end arrive.
        link.open(direction).await;
    };
    tokio::select! {
        () = take => {}
        () = bring => {}
    }
}
