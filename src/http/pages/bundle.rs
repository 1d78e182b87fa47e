//! The files of a page, as `make web` built them.

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY,
};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};

use super::super::problem::not_found;

/// A page and what it loads.
pub(super) struct Bundle {
    /// The page, with `{{page}}` where the server writes what it opens with.
    pub(super) page: &'static str,
    /// What it loads.
    pub(super) assets: &'static [Asset],
}

/// A file that a page loads, compressed in both ways. Its name holds a hash of its content.
pub(super) struct Asset {
    pub(super) name: &'static str,
    pub(super) content_type: &'static str,
    pub(super) gzip: &'static [u8],
    pub(super) brotli: &'static [u8],
}

/// Answers with the asset of that name, which clients may keep for ever.
pub(super) async fn asset(
    State(bundle): State<&'static Bundle>,
    name: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
) -> Response {
    // A name that is not UTF-8 is no asset's.
    let asset = name.ok().and_then(|Path(name)| bundle.assets.iter().find(|asset| asset.name == name));
    let Some(asset) = asset else { return not_found() };
    let tag = format!("\"{}\"", asset.name);
    let known =
        headers.get_all(IF_NONE_MATCH).iter().any(|tags| tags.to_str().is_ok_and(|it| it.contains(&tag)));
    let cached = [
        (ETAG, tag),
        (CACHE_CONTROL, "public, max-age=31536000, immutable".to_owned()),
        (VARY, "accept-encoding".to_owned()),
    ];
    if known {
        return (StatusCode::NOT_MODIFIED, cached).into_response();
    }
    // Compressed only: every browser reads it, and it keeps the binary small.
    let (encoding, content) =
        if accepts_brotli(&headers) { ("br", asset.brotli) } else { ("gzip", asset.gzip) };
    let kind = [(CONTENT_TYPE, asset.content_type), (CONTENT_ENCODING, encoding)];
    (cached, kind, content).into_response()
}

/// Whether the client names Brotli, and not to refuse it.
fn accepts_brotli(headers: &HeaderMap) -> bool {
    let values = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|coding| {
        let mut parameters = coding.split(';').map(str::trim);
        let name = parameters.next().unwrap_or_default();
        let weight = parameters.find_map(|it| it.strip_prefix("q=")).and_then(|it| it.parse::<f32>().ok());
        name.eq_ignore_ascii_case("br") && weight != Some(0.0)
    })
}
