//! A wire between a server and its database that a test can cut, block and mend.

use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// The state of the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wire {
    Whole,
    /// Nothing comes through, and nobody is told.
    Blocked,
    /// Connections break, and new ones break at once.
    Cut,
}

/// The wire. Dropping it cuts it for good.
pub struct Proxy {
    port: u16,
    wire: Arc<watch::Sender<Wire>>,
    accepting: JoinHandle<()>,
}

impl Proxy {
    /// A wire to the PostgreSQL server that `url` leads to.
    pub async fn to(url: &str) -> Self {
        let url = url::Url::parse(url).unwrap();
        let target = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let wire = Arc::new(watch::Sender::new(Wire::Whole));
        let watched = wire.clone();
        let accepting = tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                tokio::spawn(connect(near, target.clone(), watched.subscribe()));
            }
        });
        Self { port, wire, accepting }
    }

    /// `url` with this wire in between.
    pub fn url(&self, url: &str) -> String {
        let mut url = url::Url::parse(url).unwrap();
        url.set_host(Some("127.0.0.1")).unwrap();
        url.set_port(Some(self.port)).unwrap();
        url.into()
    }

    pub fn cut(&self) {
        self.wire.send_replace(Wire::Cut);
    }

    pub fn block(&self) {
        self.wire.send_replace(Wire::Blocked);
    }

    pub fn mend(&self) {
        self.wire.send_replace(Wire::Whole);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
        self.cut();
    }
}

async fn connect(near: TcpStream, target: String, mut wire: watch::Receiver<Wire>) {
    if !is_passable(&mut wire).await {
        return;
    }
    let Ok(far) = TcpStream::connect(target).await else { return };
    let _ = (near.set_nodelay(true), far.set_nodelay(true));
    let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
    // Whichever way ends first ends both.
    tokio::select! {
        () = carry(near_in, far_out, wire.clone()) => {}
        () = carry(far_in, near_out, wire) => {}
    }
}

/// Waits while the wire is blocked; tells whether it is whole then.
async fn is_passable(wire: &mut watch::Receiver<Wire>) -> bool {
    wire.wait_for(|state| *state != Wire::Blocked).await.is_ok_and(|state| *state == Wire::Whole)
}

async fn carry(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut wire: watch::Receiver<Wire>) {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let read = tokio::select! {
            read = from.read(&mut buffer) => read,
            cut = wire.wait_for(|state| *state == Wire::Cut) => { drop(cut); return }
        };
        let Ok(count @ 1..) = read else { return };
        if !is_passable(&mut wire).await || to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}
