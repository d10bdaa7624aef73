//! Packs answers that are worth it.

use axum::http::header::CONTENT_TYPE;
use axum::http::{Extensions, HeaderMap, StatusCode, Version};
use tower_http::compression::predicate::{Predicate, SizeAbove};
use tower_http::compression::{CompressionLayer, CompressionLevel};

/// Bytes below which packing costs more than it saves.
const WORTH_IT: u64 = 1024;

/// Packs JSON of more than a kibibyte for clients that ask for it, fast rather than small.
pub(crate) fn compression() -> CompressionLayer<impl Predicate> {
    let predicate = SizeAbove::new(WORTH_IT).and(is_json);
    CompressionLayer::new().quality(CompressionLevel::Fastest).compress_when(predicate)
}

/// Streams and what is packed already stay as they are.
fn is_json(_: StatusCode, _: Version, headers: &HeaderMap, _: &Extensions) -> bool {
    headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"))
}
