//! Who sent a request.

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;

use super::App;
use crate::auth::{Rejection, Viewer};
use crate::error::Error;

impl App {
    /// The viewer whom the request's bearer token names; `None` without a token.
    ///
    /// # Errors
    /// [`Error::Rejected`] if there is a token, or something in its place, that is not good.
    pub(super) async fn viewer(&self, headers: &HeaderMap) -> Result<Option<Viewer>, Error> {
        let mut values = headers.get_all(AUTHORIZATION).iter();
        let Some(value) = values.next() else { return Ok(None) };
        if values.next().is_some() {
            return Err(Error::Rejected(Rejection::Invalid));
        }
        let value = value.to_str().map_err(|_| Error::Rejected(Rejection::Invalid))?;
        self.viewer_of(value).await.map(Some)
    }

    /// The viewer whom `Bearer …` names.
    pub(super) async fn viewer_of(&self, authorization: &str) -> Result<Viewer, Error> {
        let token = authorization
            .split_once(' ')
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map(|(_, token)| token.trim())
            .ok_or(Error::Rejected(Rejection::Invalid))?;
        self.0.authenticator.authenticate(token).await.map_err(Error::Rejected)
    }
}
