//! The way in for requests without a document.

use super::{Admission, LimitExceeded, Principal};
use crate::concurrency::Permit;
use crate::memory::MemoryBudget;

/// A request without a document, of whose body nothing has been read.
#[derive(Debug)]
pub(crate) struct PlainRequest {
    /// Who sends it.
    pub(crate) principal: Principal,
    /// How many bytes its body is said to have.
    pub(crate) bytes: usize,
    /// Whether its answer is a stream.
    pub(crate) is_stream: bool,
}

/// A request that may go on, and what it holds while it does.
#[derive(Debug)]
pub(crate) struct AdmittedPlain {
    /// What it may hold of the server's memory.
    pub(crate) budget: MemoryBudget,
    /// Its permit among its user's requests, until its answer is sent. A stream holds it until it begins.
    pub(crate) permit: Permit,
    /// Its permit among its user's subscriptions if it is a stream.
    pub(crate) subscription: Option<Permit>,
}

impl Admission {
    /// Judges a request without a document. None of them costs more than counts once.
    pub(crate) fn admit_plain(&self, request: &PlainRequest) -> Result<AdmittedPlain, LimitExceeded> {
        let principal = &request.principal;
        self.rates.charge_request(principal, request.bytes)?;
        let permit = self.permits.requests.acquire(principal)?;
        let subscription = request.is_stream.then(|| self.permits.subscriptions.acquire(principal));
        let budget = self.budget(principal);
        Ok(AdmittedPlain { budget, permit, subscription: subscription.transpose()? })
    }
}
