//! A network between a server and its database that a test can cut, block, make a black hole of, slow down and mend.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until};

/// The state of the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Network {
    Whole,
    /// Nothing comes through, and nobody is told.
    Blocked,
    /// What is sent is acknowledged and goes nowhere, for as long as the connection lasts.
    BlackHole,
    /// Connections break, and new ones break at once.
    Cut,
}

/// The state of the network, and how often it has become or ceased to be a black hole: connections of an earlier epoch
/// are lost, although those that are made now may not be.
#[derive(Clone, Copy, Debug)]
struct State {
    network: Network,
    epoch: u64,
}

impl State {
    /// The state of a connection that was made in `epoch`.
    fn of(self, epoch: u64) -> Network {
        if self.network != Network::Cut && self.epoch != epoch { Network::BlackHole } else { self.network }
    }
}

/// What befalls the next commit.
const COMMIT_PASSES: u8 = 0;
const COMMIT_IS_NOT_ANSWERED: u8 = 1;
const COMMIT_IS_LOST: u8 = 2;
const COMMIT_IS_THE_LAST: u8 = 3;

/// What else befalls what is sent.
#[derive(Debug, Default)]
struct Conditions {
    /// Milliseconds that each way takes.
    delay: AtomicU64,
    /// Milliseconds that it takes to make a connection while no other one is being made.
    connecting: AtomicU64,
    /// How many are being made, whether or not anybody waits for them.
    attempts: AtomicU32,
    most_attempts: AtomicU32,
    commit: AtomicU8,
}

impl Conditions {
    /// Waits as a machine would let wait that divides its time among all attempts.
    async fn make_connection(&self) {
        let step = Duration::from_millis(20);
        let mut left = Duration::from_millis(self.connecting.load(Ordering::SeqCst));
        let attempts = self.attempts.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_attempts.fetch_max(attempts, Ordering::SeqCst);
        while !left.is_zero() {
            sleep(step).await;
            left = left.saturating_sub(step / self.attempts.load(Ordering::SeqCst));
        }
        self.attempts.fetch_sub(1, Ordering::SeqCst);
    }
}

/// The network. Dropping it cuts it for good.
pub struct Proxy {
    port: u16,
    conditions: Arc<Conditions>,
    state: Arc<watch::Sender<State>>,
    accepting: JoinHandle<()>,
}

impl Proxy {
    /// A network before the PostgreSQL server that `url` leads to.
    pub async fn to(url: &str) -> Self {
        let url = url::Url::parse(url).unwrap();
        let target = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(watch::Sender::new(State { network: Network::Whole, epoch: 0 }));
        let conditions = Arc::<Conditions>::default();
        let (watched, shared) = (state.clone(), conditions.clone());
        let accepting = tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                tokio::spawn(connect(near, target.clone(), watched.clone(), shared.clone()));
            }
        });
        Self { port, conditions, state, accepting }
    }

    /// `url` with this network in between.
    pub fn url(&self, url: &str) -> String {
        let mut url = url::Url::parse(url).unwrap();
        url.set_host(Some("127.0.0.1")).unwrap();
        url.set_port(Some(self.port)).unwrap();
        url.into()
    }

    /// Breaks all connections, and refuses new ones.
    pub fn cut(&self) {
        self.set(Network::Cut);
    }

    /// Holds back all that is sent; [`Self::mend`] lets it through.
    pub fn block(&self) {
        self.set(Network::Blocked);
    }

    /// As if the other machine had vanished behind something that still acknowledges: connections stay open, those that
    /// are made from now on too, and nothing ever comes back. [`Self::mend`] is a new machine in its place: it serves
    /// new connections, and knows nothing of the old ones.
    pub fn black_hole(&self) {
        self.set(Network::BlackHole);
    }

    /// Each way takes `delay` from now on.
    pub fn delay(&self, delay: Duration) {
        self.conditions.delay.store(u64::try_from(delay.as_millis()).unwrap(), Ordering::SeqCst);
    }

    /// A connection takes `time` to be made from now on, and longer if others are being made.
    pub fn slow_down_connecting(&self, time: Duration) {
        self.conditions.connecting.store(u64::try_from(time.as_millis()).unwrap(), Ordering::SeqCst);
    }

    /// How many connections were being made at once at most.
    pub fn most_attempts(&self) -> u32 {
        self.conditions.most_attempts.load(Ordering::SeqCst)
    }

    /// Breaks the connection of the next commit, which arrives before that or does not.
    pub fn cut_at_commit(&self, arrives: bool) {
        let commit = if arrives { COMMIT_IS_NOT_ANSWERED } else { COMMIT_IS_LOST };
        self.conditions.commit.store(commit, Ordering::SeqCst);
    }

    /// Cuts the network as soon as the next commit has arrived.
    pub fn cut_after_commit(&self) {
        self.conditions.commit.store(COMMIT_IS_THE_LAST, Ordering::SeqCst);
    }

    /// Waits until the network is cut.
    pub async fn becomes_cut(&self) {
        let _ = self.state.subscribe().wait_for(|state| state.network == Network::Cut).await;
    }

    pub fn mend(&self) {
        self.set(Network::Whole);
    }

    fn set(&self, network: Network) {
        self.state.send_modify(|state| {
            let turns = (state.network == Network::BlackHole) != (network == Network::BlackHole);
            *state = State { network, epoch: state.epoch + u64::from(turns) };
        });
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
        self.cut();
    }
}

async fn connect(
    mut near: TcpStream,
    target: String,
    network: Arc<watch::Sender<State>>,
    conditions: Arc<Conditions>,
) {
    let mut state = network.subscribe();
    let epoch = state.borrow().epoch;
    match passage(&mut state, epoch).await {
        Network::Whole => {}
        Network::BlackHole => return swallow(near, state).await,
        _ => return,
    }
    conditions.make_connection().await;
    let Ok(mut far) = TcpStream::connect(target).await else { return };
    let _ = (near.set_nodelay(true), far.set_nodelay(true));
    let lost = {
        let ((near_in, near_out), (far_in, far_out)) = (near.split(), far.split());
        let mut watched = state.clone();
        // Whichever way ends first ends both.
        tokio::select! {
            () = carry(near_in, far_out, &network, epoch, &conditions) => false,
            () = carry(far_in, near_out, &network, epoch, &conditions) => false,
            lost = watched.wait_for(|state| state.of(epoch) == Network::BlackHole) => lost.is_ok(),
        }
    };
    drop(far);
    if lost {
        swallow(near, state).await;
    }
}

/// Waits while the network is blocked; tells what it is then.
async fn passage(state: &mut watch::Receiver<State>, epoch: u64) -> Network {
    let passed = state.wait_for(|state| state.of(epoch) != Network::Blocked).await;
    passed.map_or(Network::Cut, |state| state.of(epoch))
}

/// Reads all that comes, and never answers.
async fn swallow(mut near: TcpStream, mut state: watch::Receiver<State>) {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let read = tokio::select! {
            read = near.read(&mut buffer) => read,
            cut = state.wait_for(|state| state.network == Network::Cut) => { drop(cut); return }
        };
        let Ok(1..) = read else { return };
    }
}

async fn carry(
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    network: &watch::Sender<State>,
    epoch: u64,
    conditions: &Conditions,
) {
    let (sender, mut on_their_way) = mpsc::unbounded_channel::<(Instant, Vec<u8>)>();
    let (mut state, mut watched) = (network.subscribe(), network.subscribe());
    let read = async move {
        let mut buffer = vec![0; 16 * 1024];
        loop {
            let read = tokio::select! {
                read = from.read(&mut buffer) => read,
                cut = watched.wait_for(|state| state.network == Network::Cut) => { drop(cut); return }
            };
            let Ok(count @ 1..) = read else { return };
            let delay = Duration::from_millis(conditions.delay.load(Ordering::SeqCst));
            if sender.send((Instant::now() + delay, buffer[..count].to_vec())).is_err() {
                return;
            }
        }
    };
    let write = async move {
        while let Some((due, bytes)) = on_their_way.recv().await {
            sleep_until(due).await;
            match passage(&mut state, epoch).await {
                Network::Whole => {}
                // Both ways come to their end together.
                Network::BlackHole => return std::future::pending().await,
                _ => return,
            }
            let is_commit = bytes.windows(7).any(|part| part == b"COMMIT\0");
            let commit = if is_commit {
                conditions.commit.swap(COMMIT_PASSES, Ordering::SeqCst)
            } else {
                COMMIT_PASSES
            };
            if commit == COMMIT_IS_LOST || to.write_all(&bytes).await.is_err() || commit != COMMIT_PASSES {
                if commit == COMMIT_IS_THE_LAST {
                    network.send_modify(|state| state.network = Network::Cut);
                }
                return;
            }
        }
    };
    // What is on its way still arrives when the reading end closes.
    tokio::select! {
        () = write => {}
        () = async { read.await; std::future::pending::<()>().await } => {}
    }
}
