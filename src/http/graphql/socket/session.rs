//! A socket from its opening to its end, and what it does with each message of its client.

use std::collections::HashMap;
use std::pin::Pin;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::ws::{Message, WebSocket};
use futures_util::StreamExt;
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, Sleep, sleep_until, timeout};

use super::close::Close;
use super::message::{Incoming, Outgoing};
use super::subscriber::{OperationMessage, Subscriber};
use crate::admission::{LimitExceeded, Principal};
use crate::auth::Viewer;
use crate::concurrency::Permit;
use crate::http::App;
use crate::http::address::Client;
use crate::http::graphql::answer::{Answer, ResponseShape};
use crate::http::graphql::request::Fields;
use crate::http::streams::expiry;

/// How many events wait for a slow reader. Operations wait after that.
const QUEUE: usize = 8;

/// After how many pings without an answer a client is taken for gone.
const UNANSWERED: u32 = 2;

/// How long a client may take to agree that the socket is closed.
const CLOSE_TIME: Duration = Duration::from_secs(1);

/// Ends a session without a word: there is nobody to tell.
pub(super) struct Disconnected;

pub(super) enum End {
    Close(Close),
    Disconnected,
}

impl From<Close> for End {
    fn from(close: Close) -> Self {
        Self::Close(close)
    }
}

impl From<Disconnected> for End {
    fn from(_: Disconnected) -> Self {
        Self::Disconnected
    }
}

pub(super) struct Session {
    app: App,
    socket: WebSocket,
    viewer: Option<Viewer>,
    client: Client,
    /// The socket's permit among its user's, or its address's.
    permit: Option<Permit>,
    is_initialised: bool,
    /// The running operations by id, each with its serial number.
    running: HashMap<String, (u64, AbortHandle)>,
    serial: u64,
    tasks: JoinSet<()>,
    sender: Sender<OperationMessage>,
    events: Receiver<OperationMessage>,
    opened_at: Instant,
    /// How many pings were sent since the client was last heard.
    unanswered: u32,
    idle_since: Instant,
    ping_at: Instant,
    /// Ends when a ping, or the end of the session, may be due. It is not moved for each event.
    alarm: Pin<Box<Sleep>>,
}

impl Session {
    pub(super) fn new(app: App, socket: WebSocket, viewer: Option<Viewer>, client: Client) -> Self {
        let (sender, events) = mpsc::channel(QUEUE);
        let now = Instant::now();
        let ping_at = now + app.0.options.limits.keep_alive;
        Self {
            app,
            socket,
            viewer,
            client,
            permit: None,
            is_initialised: false,
            running: HashMap::new(),
            serial: 0,
            tasks: JoinSet::new(),
            sender,
            events,
            opened_at: now,
            unanswered: 0,
            idle_since: now,
            ping_at,
            alarm: Box::pin(sleep_until(now)),
        }
    }

    /// Serves until there is a reason to close; `None` if the client has gone.
    pub(super) async fn run(&mut self) -> Option<Close> {
        if let Err(close) = self.take_permit() {
            return Some(close);
        }
        loop {
            match self.step().await {
                Ok(()) => {}
                Err(End::Close(close)) => return Some(close),
                Err(End::Disconnected) => return None,
            }
        }
    }

    /// Says why, and waits a little for the client to say that it has heard.
    pub(super) async fn close(&mut self, close: &Close) {
        self.tasks.abort_all();
        if self.send(close.frame()).await.is_ok() {
            self.await_close().await;
        }
    }

    /// Counts the socket among those of its user, or of its address as long as nobody has signed in.
    fn take_permit(&mut self) -> Result<(), Close> {
        let permit = self.app.0.admission.permits.sockets.acquire(&self.principal());
        self.permit = Some(permit.map_err(|_| Close::TOO_MANY_SOCKETS)?);
        Ok(())
    }

    async fn step(&mut self) -> Result<(), End> {
        let (deadline, at_deadline) = self.deadline();
        let due = deadline.min(self.ping_at);
        if due < self.alarm.deadline() {
            self.alarm.as_mut().reset(due);
        }
        let streams = &self.app.0.streams;
        tokio::select! {
            event = self.events.recv() => match event {
                Some(event) => Ok(self.forward(event).await?),
                None => Err(End::Disconnected),
            },
            frame = self.socket.next() => match frame {
                Some(Ok(frame)) => self.receive(frame).await,
                Some(Err(error)) => Err(Close::misread(&error).map_or(End::Disconnected, End::Close)),
                None => Err(End::Disconnected),
            },
            () = &mut self.alarm => match Instant::now() {
                now if now >= deadline => Err(at_deadline.into()),
                now if now >= self.ping_at => self.ping().await,
                _ => {
                    self.alarm.as_mut().reset(due);
                    Ok(())
                }
            },
            () = streams.closing.cancelled() => {
                while let Ok(event) = self.events.try_recv() {
                    self.forward(event).await?;
                }
                Err(Close::STOPPING.into())
            }
            () = streams.stopping.cancelled(), if self.running.is_empty() => Err(Close::STOPPING.into()),
        }
    }

    /// When the socket is to be closed unless something happens before, and why.
    fn deadline(&self) -> (Instant, Close) {
        if !self.is_initialised {
            return (self.opened_at + self.app.0.options.limits.init_timeout, Close::INIT_TIMEOUT);
        }
        let idle = self
            .running
            .is_empty()
            .then(|| (self.idle_since + self.app.0.options.limits.socket_idle_timeout, Close::IDLE));
        let expiry = self.viewer.as_ref().and_then(expiry).map(|at| (at, Close::EXPIRED));
        let far = (Instant::now() + Duration::from_hours(24), Close::IDLE);
        idle.into_iter().chain(expiry).min_by_key(|(at, _)| *at).unwrap_or(far)
    }

    async fn ping(&mut self) -> Result<(), End> {
        if self.unanswered >= UNANSWERED {
            return Err(End::Disconnected);
        }
        self.unanswered += 1;
        self.ping_at = Instant::now() + self.app.0.options.limits.keep_alive;
        self.alarm.as_mut().reset(self.ping_at);
        Ok(self.send(Message::Ping(Bytes::new())).await?)
    }

    async fn receive(&mut self, frame: Message) -> Result<(), End> {
        self.unanswered = 0;
        match frame {
            Message::Text(text) => self.handle(Incoming::read(&text)?, text.len()).await,
            Message::Binary(_) => Err(Close::bad_request("Messages must be text.").into()),
            Message::Ping(payload) | Message::Pong(payload) => {
                self.charge_message(payload.len()).map_err(|_| Close::TOO_MANY_MESSAGES)?;
                Ok(())
            }
            Message::Close(_) => {
                self.await_close().await;
                Err(End::Disconnected)
            }
        }
    }

    /// Reads to the end: that also answers the client's close frame.
    async fn await_close(&mut self) {
        let end = async { while let Some(Ok(_)) = self.socket.next().await {} };
        let _ = timeout(CLOSE_TIME, end).await;
    }

    /// Sends an event, unless its operation has been completed by the client. The id is free before the client can
    /// know that the operation has ended.
    async fn forward(&mut self, event: OperationMessage) -> Result<(), Disconnected> {
        let is_running = self.running.get(&event.id).is_some_and(|(serial, _)| *serial == event.serial);
        if !is_running {
            return Ok(());
        }
        if event.ended {
            self.running.remove(&event.id);
            self.idle_since = Instant::now();
        }
        self.send(Message::Text(event.text.into())).await
    }

    async fn say(&mut self, message: &Outgoing<'_>) -> Result<(), Disconnected> {
        self.send(Message::Text(message.write().into())).await
    }

    async fn send(&mut self, frame: Message) -> Result<(), Disconnected> {
        match timeout(self.app.0.options.limits.write_timeout, self.socket.send(frame)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(Disconnected),
        }
    }

    /// Does what `message` asks for, which was `bytes` long.
    async fn handle(&mut self, message: Incoming, bytes: usize) -> Result<(), End> {
        // One `subscribe` too many is answered, not punished.
        if !matches!(message, Incoming::Subscribe { .. }) {
            self.charge_message(bytes).map_err(|_| Close::TOO_MANY_MESSAGES)?;
        }
        match message {
            Incoming::Init { .. } if self.is_initialised => Err(Close::INIT_AGAIN.into()),
            Incoming::Init { authorization } => {
                if let Some(authorization) = authorization {
                    let viewer = authenticate(&self.app, &authorization).await?;
                    // The handshake may have named somebody already.
                    let known = self.viewer.replace(viewer);
                    let changed =
                        known.as_ref().map(Viewer::user_id) != self.viewer.as_ref().map(Viewer::user_id);
                    if known.is_some() && changed {
                        return Err(Close::OTHER_USER.into());
                    }
                    if changed {
                        self.take_permit()?;
                    }
                }
                self.is_initialised = true;
                self.idle_since = Instant::now();
                Ok(self.say(&Outgoing::ConnectionAck).await?)
            }
            Incoming::Ping { authorization } => {
                if let Some(authorization) = authorization.filter(|_| self.is_initialised) {
                    self.renew(&authorization).await?;
                }
                Ok(self.say(&Outgoing::Pong).await?)
            }
            Incoming::Pong => Ok(()),
            Incoming::Subscribe { .. } if !self.is_initialised => Err(Close::UNAUTHORIZED.into()),
            Incoming::Subscribe { id, fields } => self.subscribe(id, *fields, bytes).await,
            Incoming::Complete { id } => {
                if let Some((_, task)) = self.running.remove(&id) {
                    task.abort();
                    self.idle_since = Instant::now();
                }
                Ok(())
            }
        }
    }

    /// Takes a new token of the same user. Operations go on as they are.
    async fn renew(&mut self, authorization: &str) -> Result<(), Close> {
        let viewer = match authenticate(&self.app, authorization).await {
            Ok(viewer) => viewer,
            // The token that is there stays good as long as it is.
            Err(close) if close == Close::UNAVAILABLE => return Ok(()),
            Err(close) => return Err(close),
        };
        match &self.viewer {
            Some(known) if known.user_id() == viewer.user_id() => {
                self.viewer = Some(viewer);
                Ok(())
            }
            _ => Err(Close::OTHER_USER),
        }
    }

    fn charge_message(&self, bytes: usize) -> Result<(), LimitExceeded> {
        self.app.0.admission.rates.charge_message(&self.principal(), bytes)
    }

    async fn subscribe(&mut self, id: String, fields: Fields, bytes: usize) -> Result<(), End> {
        if self.running.contains_key(&id) {
            return Err(Close::taken(&id).into());
        }
        let permits = &self.app.0.admission.permits;
        let judged =
            self.charge_message(bytes).and_then(|()| permits.check_socket_operations(self.running.len()));
        if let Err(exceeded) = judged {
            return self.refuse(&id, &exceeded).await;
        }
        while self.tasks.try_join_next().is_some() {}
        self.serial += 1;
        let subscriber = Subscriber {
            app: self.app.clone(),
            viewer: self.viewer.clone(),
            principal: self.principal(),
            id: id.clone(),
            serial: self.serial,
            events: self.sender.clone(),
        };
        let task = self.tasks.spawn(subscriber.run(fields));
        self.running.insert(id, (self.serial, task));
        Ok(())
    }

    fn principal(&self) -> Principal {
        Principal::new(self.viewer.as_ref(), self.client.0)
    }

    async fn refuse(&mut self, id: &str, exceeded: &LimitExceeded) -> Result<(), End> {
        let answer = Answer::from_errors(vec![exceeded.error()]);
        let shape = ResponseShape::new(&answer, 1);
        Ok(self.say(&Outgoing::Error { id, payload: &shape.errors }).await?)
    }
}

async fn authenticate(app: &App, authorization: &str) -> Result<Viewer, Close> {
    app.viewer_of(authorization).await.map_err(|error| Close::rejected(&error))
}
