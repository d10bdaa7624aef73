//! What an error body says, in the shapes that vendors use.

use serde_json::Value;

/// The parts of an error body; empty texts are not said.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Report {
    pub(super) message: String,
    /// The vendor's code or type, as text.
    pub(super) code: String,
    pub(super) kind: String,
}

impl Report {
    /// Reads a body; one that is not JSON reports nothing.
    pub(super) fn read(body: &[u8]) -> Self {
        let Ok(value) = serde_json::from_slice::<Value>(body) else { return Self::default() };
        // Some gateways answer a list with one error.
        let value = value.as_array().and_then(|list| list.first()).unwrap_or(&value);
        let inner = ["error", "errors", "detail"].iter().find_map(|name| value.get(name).filter(|inner| !inner.is_null()));
        let error = inner.map_or(value, |inner| inner.as_array().and_then(|list| list.first()).unwrap_or(inner));
        let field = |names: &[&str]| {
            names.iter().find_map(|name| error.get(name).or_else(|| value.get(name)).and_then(text)).unwrap_or_default()
        };
        Self {
            message: error.as_str().map_or_else(|| field(&["message", "msg", "error_msg", "error_message"]), str::to_owned),
            code: field(&["code", "error_code"]),
            kind: field(&["type"]),
        }
    }

    /// The message with its code, or what there is of both.
    pub(super) fn said(&self) -> Option<String> {
        let code = if self.code.is_empty() { &self.kind } else { &self.code };
        match (self.message.is_empty(), code.is_empty()) {
            (true, true) => None,
            (true, false) => Some(code.clone()),
            (false, true) => Some(self.message.clone()),
            (false, false) => Some(format!("{} ({code})", self.message)),
        }
    }

    /// The HTTP status that the code stands for, if it is one.
    pub(super) fn status(&self) -> Option<u16> {
        self.code.parse().ok().filter(|code| (400..600).contains(code))
    }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shapes_of_vendors_are_read() {
        let said = |body: &str| Report::read(body.as_bytes()).said();
        let openai = r#"{"error":{"message":"No.","type":"invalid_request_error","param":null,"code":"model_not_found"}}"#;
        assert_eq!(said(openai).as_deref(), Some("No. (model_not_found)"));
        assert_eq!(said(r#"{"error":{"message":"No.","type":"t","code":null}}"#).as_deref(), Some("No. (t)"));
        assert_eq!(said(r#"{"code":"Throttling","message":"Slow.","request_id":"1"}"#).as_deref(), Some("Slow. (Throttling)"));
        assert_eq!(said(r#"{"error":"model is loading"}"#).as_deref(), Some("model is loading"));
        assert_eq!(said(r#"{"detail":"Not Found"}"#).as_deref(), Some("Not Found"));
        assert_eq!(
            said(r#"{"detail":[{"msg":"field required","type":"missing"}]}"#).as_deref(),
            Some("field required (missing)")
        );
        assert_eq!(said(r#"[{"error":{"code":429,"message":"Quota."}}]"#).as_deref(), Some("Quota. (429)"));
        for nothing in ["<html>no</html>", "", "[]", "{}", "null", "7"] {
            assert_eq!(said(nothing), None, "{nothing}");
        }
    }
}
