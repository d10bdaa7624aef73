//! The key that makes a repeated request harmless.

use axum::http::HeaderMap;
use crewd_application::error::ErrorCode;
use crewd_application::runs::IdempotencyKey;
use crewd_application::sha256_hex;
use serde_json::{Map, Value};

use crate::error::ApiError;

/// The `Idempotency-Key` of a request with this body; nothing without the header.
///
/// # Errors
/// `bad_request` with the reason `idempotency_key_invalid` unless there is one header of 1 to 255 visible ASCII characters.
pub(crate) fn idempotency_key(headers: &HeaderMap, body: &Value) -> Result<Option<IdempotencyKey>, ApiError> {
    let mut values = headers.get_all("idempotency-key").iter();
    let Some(value) = values.next() else { return Ok(None) };
    let is_good = (1..=255).contains(&value.len()) && value.as_bytes().iter().all(u8::is_ascii_graphic);
    match (value.to_str(), values.next()) {
        (Ok(key), None) if is_good => Ok(Some(IdempotencyKey { key: key.to_owned(), fingerprint: fingerprint(body) })),
        _ => {
            Err(ApiError::new(ErrorCode::BadRequest, "`Idempotency-Key` must be one header of 1 to 255 visible ASCII characters")
                .because("idempotency_key_invalid"))
        }
    }
}

/// SHA-256 of the body with sorted keys: neither blanks nor the order of fields make another request of it.
fn fingerprint(body: &Value) -> String {
    sha256_hex(sorted(body).to_string())
}

fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let mut pairs: Vec<_> = fields.iter().collect();
            pairs.sort_unstable_by_key(|(name, _)| name.as_str());
            Value::Object(pairs.into_iter().map(|(name, value)| (name.clone(), sorted(value))).collect::<Map<_, _>>())
        }
        Value::Array(items) => Value::Array(items.iter().map(sorted).collect()),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use serde_json::json;

    use super::*;

    fn key(values: &[&[u8]]) -> Result<Option<IdempotencyKey>, ApiError> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append("idempotency-key", HeaderValue::from_bytes(value).unwrap());
        }
        idempotency_key(&headers, &json!({}))
    }

    #[test]
    fn keys_have_a_shape() {
        assert_eq!(key(&[]).unwrap(), None);
        assert_eq!(key(&[b"a-1"]).unwrap().unwrap().key, "a-1");
        assert!(key(&[&[b'k'; 255]]).is_ok());
        for wrong in [&[b"".as_slice()][..], &[&[b'k'; 256]], &[b"a b"], &[b"caf\xc3\xa9"], &[b"a", b"b"], &[b"a", b"a"]] {
            assert_eq!(key(wrong).unwrap_err().details().reason.as_deref(), Some("idempotency_key_invalid"), "{wrong:?}");
        }
    }

    #[test]
    fn the_order_of_fields_does_not_matter() {
        let one: Value = serde_json::from_str(r#"{"a": 1, "b": {"x": [1, {"p": 1, "q": 2}], "y": 2}}"#).unwrap();
        let other: Value = serde_json::from_str(r#"{"b":{"y":2,"x":[1,{"q":2,"p":1}]},"a":1}"#).unwrap();
        assert_eq!(fingerprint(&one), fingerprint(&other));
        assert_ne!(fingerprint(&one), fingerprint(&json!({"a": 1})));
        assert_ne!(fingerprint(&json!([1, 2])), fingerprint(&json!([2, 1])), "the order of lists does");
    }
}
