//! Which kind an error is. The status decides; texts decide where vendors use one status for several things.

use crewd_application::ports::ModelErrorKind;

use super::report::Report;

/// Texts of a conversation that is too long, in lower case.
const CONTEXT_LENGTH: &[&str] = &[
    "context_length_exceeded",
    "context length",
    "context window",
    "maximum context",
    "context size",
    "prompt is too long",
    "input is too long",
    "prompt too long",
    "too many input tokens",
    "input length should be",
    "input token count",
    "maximum number of tokens",
    "max_prompt_tokens",
    "reduce the length of",
    "exceeds the model's maximum",
    "输入长度",
    "上下文长度",
];

/// Texts of a provider's filter, in lower case.
const CONTENT_FILTER: &[&str] = &[
    "content_filter",
    "content_policy",
    "content policy",
    "content management policy",
    "data_inspection_failed",
    "datainspectionfailed",
    "inappropriate content",
    "sensitive content",
    "content exists risk",
    "moderation",
    "敏感",
];

/// Codes of a model that does not exist, in lower case.
const UNKNOWN_MODEL: &[&str] = &["model_not_found", "modelnotfound", "model_not_exist", "invalid_model", "unknown_model"];
/// What is said of a model that does not exist, in lower case.
const NOT_THERE: &[&str] = &["not found", "not exist", "unknown model", "no such model", "不存在"];

/// The kind of an answer with a status other than 2xx.
pub(super) fn kind_of_status(status: u16, report: &Report) -> ModelErrorKind {
    match status {
        401..=403 if is_filtered(report) => ModelErrorKind::ContentFilter,
        401..=403 => ModelErrorKind::Unauthorized,
        408 => ModelErrorKind::Timeout,
        413 => ModelErrorKind::ContextLength,
        429 => ModelErrorKind::RateLimited,
        500..=599 => ModelErrorKind::Unavailable,
        _ => kind_of_refusal(status, report),
    }
}

/// The kind of an error that came under a status of success.
pub(super) fn kind_of_report(report: &Report) -> ModelErrorKind {
    if let Some(status) = report.status() {
        return kind_of_status(status, report);
    }
    let refusal = kind_of_refusal(400, report);
    if refusal != ModelErrorKind::InvalidRequest {
        return refusal;
    }
    let words = format!("{} {}", report.code, report.kind).to_lowercase();
    let says = |names: &[&str]| names.iter().any(|name| words.contains(name));
    if says(&["rate_limit", "ratelimit", "throttling", "insufficient_quota", "too_many_requests"]) {
        ModelErrorKind::RateLimited
    } else if says(&["api_key", "apikey", "authentication", "permission", "unauthorized", "arrearage"]) {
        ModelErrorKind::Unauthorized
    } else if says(&["invalid_request", "invalidparameter", "invalid_parameter", "bad_request"]) {
        ModelErrorKind::InvalidRequest
    } else if says(&["timeout"]) {
        ModelErrorKind::Timeout
    } else {
        ModelErrorKind::Unavailable
    }
}

fn kind_of_refusal(status: u16, report: &Report) -> ModelErrorKind {
    let words = words(report);
    let says = |texts: &[&str]| texts.iter().any(|text| words.contains(text));
    if says(CONTEXT_LENGTH) {
        ModelErrorKind::ContextLength
    } else if says(CONTENT_FILTER) {
        ModelErrorKind::ContentFilter
    } else if says(UNKNOWN_MODEL) || (matches!(status, 400 | 404) && words.contains("model") && says(NOT_THERE)) {
        ModelErrorKind::UnknownModel
    } else {
        ModelErrorKind::InvalidRequest
    }
}

fn is_filtered(report: &Report) -> bool {
    let words = words(report);
    CONTENT_FILTER.iter().any(|text| words.contains(text))
}

fn words(report: &Report) -> String {
    format!("{} {} {}", report.code, report.kind, report.message).to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(status: u16, body: &str) -> ModelErrorKind {
        kind_of_status(status, &Report::read(body.as_bytes()))
    }

    fn message(text: &str) -> String {
        serde_json::json!({"error": {"message": text}}).to_string()
    }

    #[test]
    fn statuses_decide() {
        use ModelErrorKind as Kind;
        let expected = [
            (400, Kind::InvalidRequest),
            (401, Kind::Unauthorized),
            (402, Kind::Unauthorized),
            (403, Kind::Unauthorized),
            (404, Kind::InvalidRequest),
            (408, Kind::Timeout),
            (409, Kind::InvalidRequest),
            (413, Kind::ContextLength),
            (418, Kind::InvalidRequest),
            (422, Kind::InvalidRequest),
            (429, Kind::RateLimited),
            (302, Kind::InvalidRequest),
            (500, Kind::Unavailable),
            (503, Kind::Unavailable),
            (529, Kind::Unavailable),
        ];
        for (status, expected) in expected {
            assert_eq!(kind(status, "{}"), expected, "{status}");
        }
    }

    #[test]
    fn too_long_conversations_are_told_in_many_ways() {
        let texts = [
            "This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens.",
            "<400> InternalError.Algo.InvalidParameter: Range of input length should be [1, 30720]",
            "prompt is too long: 210000 tokens > 200000 maximum",
            "the request exceeds the available context size, try increasing it",
            "The input token count (40000) exceeds the maximum number of tokens allowed (32768).",
        ];
        for text in texts {
            assert_eq!(kind(400, &message(text)), ModelErrorKind::ContextLength, "{text}");
        }
        assert_eq!(kind(400, r#"{"error":{"code":"context_length_exceeded"}}"#), ModelErrorKind::ContextLength);
    }

    #[test]
    fn filters_and_unknown_models_are_told_apart() {
        assert_eq!(kind(400, r#"{"error":{"code":"data_inspection_failed","message":"x"}}"#), ModelErrorKind::ContentFilter);
        assert_eq!(kind(400, &message("Content Exists Risk")), ModelErrorKind::ContentFilter);
        assert_eq!(kind(403, r#"{"error":{"code":"content_policy_violation"}}"#), ModelErrorKind::ContentFilter);
        assert_eq!(kind(404, r#"{"error":{"code":"model_not_found"}}"#), ModelErrorKind::UnknownModel);
        assert_eq!(kind(400, &message("Model Not Exist")), ModelErrorKind::UnknownModel);
        assert_eq!(kind(404, &message("model \"llama9\" not found, try pulling it first")), ModelErrorKind::UnknownModel);
        assert_eq!(kind(404, &message("Not Found")), ModelErrorKind::InvalidRequest);
    }

    #[test]
    fn in_band_errors_are_told_by_their_code() {
        let kind = |body: &str| kind_of_report(&Report::read(body.as_bytes()));
        assert_eq!(kind(r#"{"error":{"message":"x","code":429}}"#), ModelErrorKind::RateLimited);
        assert_eq!(kind(r#"{"error":{"message":"x","type":"server_error"}}"#), ModelErrorKind::Unavailable);
        assert_eq!(kind(r#"{"error":{"message":"x","type":"invalid_request_error"}}"#), ModelErrorKind::InvalidRequest);
        assert_eq!(kind(r#"{"code":"InvalidApiKey","message":"x"}"#), ModelErrorKind::Unauthorized);
        assert_eq!(kind(r#"{"code":"Throttling.RateQuota","message":"x"}"#), ModelErrorKind::RateLimited);
        assert_eq!(kind(r#"{"error":"overloaded"}"#), ModelErrorKind::Unavailable);
    }
}
