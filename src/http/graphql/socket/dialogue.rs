//! What a socket does with each message of its client.

use std::time::Duration;

use async_graphql::Response as Answer;
use tokio::time::Instant;

use super::close::Close;
use super::message::{Incoming, Outgoing};
use super::session::{End, Session};
use super::subscriber::Subscriber;
use crate::auth::Viewer;
use crate::http::App;
use crate::http::graphql::answer::Shape;
use crate::http::graphql::request::Fields;
use crate::http::traffic::{Refusal, Who};

impl Session {
    /// Does what `message` asks for, which was `bytes` long.
    pub(super) async fn handle(&mut self, message: Incoming, bytes: usize) -> Result<(), End> {
        // One `subscribe` too many is answered, not punished.
        if !matches!(message, Incoming::Subscribe { .. }) {
            self.count(bytes)?;
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
                        self.take_place()?;
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

    /// Counts what was heard.
    pub(super) fn count(&self, bytes: usize) -> Result<(), Close> {
        self.app.0.traffic.hear(&self.who(), bytes).map_err(|_| Close::TOO_MANY_MESSAGES)
    }

    async fn subscribe(&mut self, id: String, fields: Fields, bytes: usize) -> Result<(), End> {
        if self.running.contains_key(&id) {
            return Err(Close::taken(&id).into());
        }
        let who = self.who();
        if let Err(refusal) = self.app.0.traffic.hear(&who, bytes) {
            return self.refuse(&id, &refusal).await;
        }
        let maximum = self.app.0.options.limits.socket_operations;
        if self.running.len() >= maximum {
            let message = format!("A socket may have {maximum} operations at a time.");
            let refusal = Refusal::rate_limited(message, Duration::from_secs(1));
            return self.refuse(&id, &refusal).await;
        }
        while self.tasks.try_join_next().is_some() {}
        self.serial += 1;
        let subscriber = Subscriber {
            app: self.app.clone(),
            viewer: self.viewer.clone(),
            who,
            id: id.clone(),
            serial: self.serial,
            events: self.sender.clone(),
        };
        let task = self.tasks.spawn(subscriber.run(fields));
        self.running.insert(id, (self.serial, task));
        Ok(())
    }

    pub(super) fn who(&self) -> Who {
        Who::new(self.viewer.as_ref(), self.client.0)
    }

    async fn refuse(&mut self, id: &str, refusal: &Refusal) -> Result<(), End> {
        let answer = Answer::from_errors(vec![refusal.error()]);
        let shape = Shape::new(&answer, 1);
        Ok(self.say(&Outgoing::Error { id, payload: &shape.errors }).await?)
    }
}

async fn authenticate(app: &App, authorization: &str) -> Result<Viewer, Close> {
    app.viewer_of(authorization).await.map_err(|error| Close::rejected(&error))
}
