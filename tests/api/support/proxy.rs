//! A wire between a server and its database that a test can cut, block, make a black hole of, and mend.

use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// The state of the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wire {
    Whole,
    /// Nothing comes through, and nobody is told.
    Blocked,
    /// What is sent is acknowledged and goes nowhere, for as long as the connection lasts.
    BlackHole,
    /// Connections break, and new ones break at once.
    Cut,
}

/// The state of the wire, and how often it has become or ceased to be a black hole: connections of an earlier epoch
/// are lost, although those that are made now may not be.
#[derive(Clone, Copy, Debug)]
struct State {
    wire: Wire,
    epoch: u64,
}

impl State {
    /// The state of a connection that was made in `epoch`.
    fn of(self, epoch: u64) -> Wire {
        if self.wire != Wire::Cut && self.epoch != epoch { Wire::BlackHole } else { self.wire }
    }
}

/// The wire. Dropping it cuts it for good.
pub struct Proxy {
    port: u16,
    state: Arc<watch::Sender<State>>,
    accepting: JoinHandle<()>,
}

impl Proxy {
    /// A wire to the PostgreSQL server that `url` leads to.
    pub async fn to(url: &str) -> Self {
        let url = url::Url::parse(url).unwrap();
        let target = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(watch::Sender::new(State { wire: Wire::Whole, epoch: 0 }));
        let watched = state.clone();
        let accepting = tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                tokio::spawn(connect(near, target.clone(), watched.subscribe()));
            }
        });
        Self { port, state, accepting }
    }

    /// `url` with this wire in between.
    pub fn url(&self, url: &str) -> String {
        let mut url = url::Url::parse(url).unwrap();
        url.set_host(Some("127.0.0.1")).unwrap();
        url.set_port(Some(self.port)).unwrap();
        url.into()
    }

    /// Breaks all connections, and refuses new ones.
    pub fn cut(&self) {
        self.set(Wire::Cut);
    }

    /// Holds back all that is sent; [`Self::mend`] lets it through.
    pub fn block(&self) {
        self.set(Wire::Blocked);
    }

    /// As if the other machine had vanished behind something that still acknowledges: connections stay open, those that
    /// are made from now on too, and nothing ever comes back. [`Self::mend`] is a new machine in its place: it serves
    /// new connections, and knows nothing of the old ones.
    pub fn black_hole(&self) {
        self.set(Wire::BlackHole);
    }

    pub fn mend(&self) {
        self.set(Wire::Whole);
    }

    fn set(&self, wire: Wire) {
        self.state.send_modify(|state| {
            let turns = (state.wire == Wire::BlackHole) != (wire == Wire::BlackHole);
            *state = State { wire, epoch: state.epoch + u64::from(turns) };
        });
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
        self.cut();
    }
}

async fn connect(mut near: TcpStream, target: String, mut state: watch::Receiver<State>) {
    let epoch = state.borrow().epoch;
    match passage(&mut state, epoch).await {
        Wire::Whole => {}
        Wire::BlackHole => return swallow(near, state).await,
        _ => return,
    }
    let Ok(mut far) = TcpStream::connect(target).await else { return };
    let _ = (near.set_nodelay(true), far.set_nodelay(true));
    let lost = {
        let ((near_in, near_out), (far_in, far_out)) = (near.split(), far.split());
        let mut watched = state.clone();
        // Whichever way ends first ends both.
        tokio::select! {
            () = carry(near_in, far_out, state.clone(), epoch) => false,
            () = carry(far_in, near_out, state.clone(), epoch) => false,
            lost = watched.wait_for(|state| state.of(epoch) == Wire::BlackHole) => lost.is_ok(),
        }
    };
    drop(far);
    if lost {
        swallow(near, state).await;
    }
}

/// Waits while the wire is blocked; tells what it is then.
async fn passage(state: &mut watch::Receiver<State>, epoch: u64) -> Wire {
    let passed = state.wait_for(|state| state.of(epoch) != Wire::Blocked).await;
    passed.map_or(Wire::Cut, |state| state.of(epoch))
}

/// Reads all that comes, and never answers.
async fn swallow(mut near: TcpStream, mut state: watch::Receiver<State>) {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let read = tokio::select! {
            read = near.read(&mut buffer) => read,
            cut = state.wait_for(|state| state.wire == Wire::Cut) => { drop(cut); return }
        };
        let Ok(1..) = read else { return };
    }
}

async fn carry(mut from: ReadHalf<'_>, mut to: WriteHalf<'_>, mut state: watch::Receiver<State>, epoch: u64) {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let read = tokio::select! {
            read = from.read(&mut buffer) => read,
            cut = state.wait_for(|state| state.wire == Wire::Cut) => { drop(cut); return }
        };
        let Ok(count @ 1..) = read else { return };
        match passage(&mut state, epoch).await {
            Wire::Whole => {}
            // Both ways come to their end together.
            Wire::BlackHole => return std::future::pending().await,
            _ => return,
        }
        if to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}
