//! What the model reads of an answer, or of its absence.

use crewd_application::ports::{OutboundError, OutboundResponse, ToolError, ToolOutput};

/// Characters of the body of an error that are told.
const ERROR_CHARACTERS: usize = 2_000;

/// The result of a call that was answered.
pub(super) fn of_response(response: &OutboundResponse) -> Result<ToolOutput, ToolError> {
    let status = response.status;
    if is_success(status) {
        return Ok(ToolOutput { text: result_text(response) });
    }
    let text: String = String::from_utf8_lossy(&response.body).trim().chars().take(ERROR_CHARACTERS).collect();
    let told = match (status, text.is_empty()) {
        (300..=399, _) => format!("HTTP {status}: redirects are not followed"),
        (_, true) => format!("HTTP {status}"),
        (_, false) => format!("HTTP {status}: {text}"),
    };
    Err(ToolError::Failed(told))
}

/// The result of a call without a whole answer. `is_repeatable` tells whether another call may follow without harm.
pub(super) fn of_error(error: &OutboundError, is_repeatable: bool) -> Result<ToolOutput, ToolError> {
    let warning = if is_repeatable { "" } else { " The call may have had its effect: do not repeat it before that is checked." };
    Err(match error {
        // The effect is there, and must not look as if it were not.
        OutboundError::TooLarge { status, limit } if is_success(*status) => {
            let size = limit / (1024 * 1024);
            return Ok(ToolOutput {
                text: format!("[HTTP {status}: done, but the answer is larger than {size} MiB and was not read.]"),
            });
        }
        OutboundError::TooLarge { status, .. } => ToolError::Failed(format!("HTTP {status}, with a very large body")),
        OutboundError::Denied => ToolError::Denied("The address of the tool is not allowed.".to_owned()),
        OutboundError::InvalidRequest(reason) => ToolError::Failed(format!("The request cannot be sent: {reason}.")),
        OutboundError::Connect(reason) => {
            ToolError::Failed(format!("The server of the tool cannot be reached: {reason}. Nothing was sent."))
        }
        OutboundError::Timeout => ToolError::Failed(format!("The tool did not answer in time.{warning}")),
        OutboundError::Broken(reason) => {
            ToolError::Failed(format!("The connection broke before the answer was whole: {reason}.{warning}"))
        }
    })
}

pub(super) const fn is_success(status: u16) -> bool {
    status >= 200 && status <= 299
}

/// The body as text. A model takes an empty result for a failure, so that an empty body is said in words.
pub(super) fn result_text(response: &OutboundResponse) -> String {
    if response.body.is_empty() {
        return format!("[HTTP {}: done, no content.]", response.status);
    }
    match std::str::from_utf8(&response.body) {
        Ok(text) => text.to_owned(),
        Err(_) => format!("{}\n[Some bytes are not UTF-8 and are shown as �.]", String::from_utf8_lossy(&response.body)),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn answer(status: u16, body: &'static [u8]) -> Result<String, String> {
        let response = OutboundResponse { status, headers: Vec::new(), body: Bytes::from_static(body) };
        of_response(&response).map(|output| output.text).map_err(|error| error.to_string())
    }

    #[test]
    fn answers_are_told_by_their_status() {
        assert_eq!(answer(200, b"{\"ok\":true}").as_deref(), Ok("{\"ok\":true}"));
        assert_eq!(answer(204, b"").as_deref(), Ok("[HTTP 204: done, no content.]"));
        assert!(answer(200, b"a\xff").unwrap().starts_with("a\u{fffd}\n["));
        assert_eq!(answer(404, b" no such invoice ").unwrap_err(), "HTTP 404: no such invoice");
        assert_eq!(answer(503, b"").unwrap_err(), "HTTP 503");
        assert_eq!(answer(302, b"<a href='elsewhere'>").unwrap_err(), "HTTP 302: redirects are not followed");
        let long: &'static [u8] = Box::leak("名".repeat(3_000).into_boxed_str()).as_bytes();
        assert_eq!(answer(500, long).unwrap_err().chars().count(), "HTTP 500: ".len() + 2_000);
    }

    #[test]
    fn a_lost_answer_warns_of_repeating_where_that_matters() {
        let lost = OutboundError::Broken("the connection was closed".to_owned());
        assert!(of_error(&lost, false).unwrap_err().to_string().contains("may have had its effect"));
        assert!(!of_error(&lost, true).unwrap_err().to_string().contains("effect"));
        let refused = OutboundError::Connect("connection refused".to_owned());
        assert!(of_error(&refused, false).unwrap_err().to_string().ends_with("Nothing was sent."));
        assert!(of_error(&OutboundError::TooLarge { status: 201, limit: 10 << 20 }, false).is_ok(), "it happened");
        assert!(of_error(&OutboundError::TooLarge { status: 500, limit: 10 << 20 }, false).is_err());
    }
}
