//! The payloads of mutations.

use crate::error::Error;

/// What a mutation's field returns: its payload, or `null` beside an error, which leaves the payloads of the other
/// mutations of the document as they are.
pub(crate) type Payload<T> = Option<Result<T, Error>>;

/// Runs a mutation. Its arguments are fields of the argument `input`, and errors name them so.
pub(crate) async fn payload<T>(run: impl Future<Output = Result<T, Error>>) -> Payload<T> {
    Some(run.await.map_err(|error| error.within("input")))
}
