//! JSON text into values, checked for depth and encoding first.

use crewd_application::error::ErrorCode;
use serde_json::Value;
use serde_json::error::Category;

use crate::error::ApiError;

/// The value of a JSON text that nests at most `depth` levels.
///
/// # Errors
/// `bad_request`, with `json_too_deep`, `invalid_encoding` or `invalid_json` as its reason and the place in its message.
pub(crate) fn parse_json(text: &str, depth: usize) -> Result<Value, ApiError> {
    if is_deeper_than(text, depth) {
        let message = format!("the JSON nests deeper than {depth} levels");
        return Err(ApiError::new(ErrorCode::BadRequest, message).because("json_too_deep"));
    }
    serde_json::from_str(text).map_err(|error| refuse(&error))
}

fn refuse(error: &serde_json::Error) -> ApiError {
    let (line, column) = (error.line(), error.column());
    let said = error.to_string();
    if said.contains("surrogate") || said.contains("hex escape") {
        let message = format!("a \\u escape at line {line}, column {column} is half of a character");
        return ApiError::new(ErrorCode::BadRequest, message).because("invalid_encoding");
    }
    let problem = match error.classify() {
        Category::Eof => "it ends too early",
        _ => said.split(" at line ").next().unwrap_or("it is not JSON"),
    };
    let message = format!("the body is not valid JSON at line {line}, column {column}: {problem}");
    ApiError::new(ErrorCode::BadRequest, message).because("invalid_json")
}

/// Counts brackets outside of strings; no value is built, so a bomb costs one look at each byte.
fn is_deeper_than(text: &str, limit: usize) -> bool {
    let mut depth = 0_usize;
    let (mut in_string, mut escaped) = (false, false);
    for byte in text.bytes() {
        if in_string {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'[' | b'{' => {
                depth = depth.saturating_add(1);
                if depth > limit {
                    return true;
                }
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(text: &str) -> String {
        let error = parse_json(text, 64).unwrap_err();
        assert_eq!(error.code(), ErrorCode::BadRequest);
        error.details().reason.clone().unwrap_or_default().into_owned()
    }

    #[test]
    fn depth_is_counted_outside_of_strings() {
        let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert!(parse_json(&nested(64), 64).is_ok());
        assert_eq!(reason(&nested(65)), "json_too_deep");
        assert_eq!(reason(&"{\"a\":".repeat(10_000)), "json_too_deep");
        assert!(parse_json(&format!("[\"{}\\\"{}\"]", "[".repeat(100), "{".repeat(100)), 64).is_ok());
        assert!(parse_json(&format!("[{}]", "[],".repeat(100).trim_end_matches(',')), 64).is_ok(), "width is not depth");
    }

    #[test]
    fn broken_text_says_where() {
        let error = parse_json("{\n  \"a\": tru }", 64).unwrap_err();
        assert!(error.message().contains("line 2, column"), "{}", error.message());
        for text in ["{", "{]", "nonsense", "{\"a\":1,}", "[1 2]", "NaN", "{'a':1}", "{} {}", "1e400"] {
            assert_eq!(reason(text), "invalid_json", "{text}");
        }
    }

    #[test]
    fn half_characters_are_bad_encoding() {
        for text in [r#"{"a":"\ud800"}"#, r#"{"a":"\udc00"}"#, r#"{"a":"\ud800\u0041"}"#, r#"{"a":"\ud800x"}"#] {
            assert_eq!(reason(text), "invalid_encoding", "{text}");
        }
        assert_eq!(parse_json(r#""😀""#, 64).unwrap(), Value::from("😀"));
    }
}
