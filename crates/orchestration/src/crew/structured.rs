//! `output_json`: an answer that must fit a JSON Schema, with a bounded number of repairs.

use crewd_application::error::ErrorCode;
use crewd_domain::runs::{Failure, FailureClass};
use serde_json::{Value, json};

use crate::agent::AgentWork;
use crate::run::Stop;

/// How often the model may mend its answer.
const MAX_REPAIRS: usize = 3;
/// How many problems a repair names at once.
const MAX_PROBLEMS: usize = 10;

/// The answer as JSON that fits, asking the agent to mend it where it does not.
pub(super) async fn structured_output(agent: &mut AgentWork<'_>, schema: &Value, raw: String) -> Result<(String, Value), Stop> {
    let validator =
        jsonschema::validator_for(schema).map_err(|error| Stop::user_error(format!("output_json is no JSON Schema: {error}")))?;
    let mut raw = raw;
    for repair in 0..=MAX_REPAIRS {
        let problems = match parse(&raw) {
            None => vec!["the answer is not JSON".to_owned()],
            Some(value) => {
                let problems: Vec<String> = validator
                    .iter_errors(&value)
                    .take(MAX_PROBLEMS)
                    .map(|e| format!("{}: {e}", pointer(&e.instance_path().to_string())))
                    .collect();
                if problems.is_empty() {
                    return Ok((raw, value));
                }
                problems
            }
        };
        if repair == MAX_REPAIRS {
            agent.keep_partial(raw);
            return Err(does_not_fit(&problems));
        }
        raw = agent.repair(&problems, schema).await?;
    }
    Err(does_not_fit(&[]))
}

fn pointer(path: &str) -> &str {
    if path.is_empty() { "/" } else { path }
}

fn does_not_fit(problems: &[String]) -> Stop {
    let message = format!("the answer does not fit output_json after {MAX_REPAIRS} repairs");
    let failure = Failure::new(FailureClass::ProviderError, ErrorCode::ProviderFailed.as_str(), message);
    failure.with_details(json!({"reason": "output_schema_mismatch", "problems": problems})).into()
}

/// The JSON in an answer: the whole text, the inside of a fenced block, or the outermost braces.
fn parse(text: &str) -> Option<Value> {
    let text = text.trim();
    let fenced = text.split_once("```").map(|(_, rest)| rest.split_once('\n').map_or(rest, |(_, body)| body));
    let fenced = fenced.and_then(|body| body.split("```").next());
    let braces = text.find(['{', '[']).zip(text.rfind(['}', ']'])).and_then(|(start, end)| text.get(start..=end));
    [Some(text), fenced, braces].into_iter().flatten().find_map(|candidate| serde_json::from_str(candidate.trim()).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_found_in_what_models_write_around_it() {
        let value = Some(json!({"a": 1}));
        for text in [
            "{\"a\": 1}",
            " {\"a\":1}\n",
            "```json\n{\"a\": 1}\n```",
            "Here it is:\n```\n{\"a\": 1}\n```\nDone.",
            "Sure! {\"a\": 1} :)",
        ] {
            assert_eq!(parse(text), value, "{text}");
        }
        for text in ["", "no", "{\"a\": ", "} {"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
