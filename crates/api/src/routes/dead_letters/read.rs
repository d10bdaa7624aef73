//! Filters and bodies of dead letters.

use crewd_application::runs::{DeadLetterFilter, Redrive, RetryFrom};
use crewd_domain::runs::FailureClass;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::error::{ApiError, Problems};
use crate::extract::{Body, ObjectReader, Query, parse_json};
use crate::routes::tasks::read_from;
use crate::state::ApiState;

/// Characters of a crew's name.
const NAME: usize = 255;
/// Dead letters of one action at most.
const MOST: u64 = 1_000;
/// Dead letters of one action unless the caller says otherwise.
const USUAL: usize = 100;

/// How to try a dead letter again. The whole body may be left out.
#[derive(Debug, Default, ToSchema)]
#[expect(dead_code, reason = "it describes the body in the document; the body itself is read field by field")]
pub(super) struct RedriveRequest {
    /// `failed_step` (the default), `start`, or the path of a step.
    #[schema(example = "failed_step")]
    from: Option<String>,
    /// Inputs that replace those of the task. With them the work goes on in a child task: a task keeps its inputs.
    #[schema(value_type = Option<Object>)]
    edited_input: Option<Value>,
}

/// Which dead letters.
#[derive(Debug, Default, ToSchema)]
#[expect(dead_code, reason = "it describes the body in the document; the body itself is read field by field")]
struct FilterRequest {
    /// Only tasks of this crew.
    crew: Option<String>,
    /// Only failures of this class.
    #[schema(example = "provider_error")]
    class: Option<String>,
    /// Only tasks accepted at or after this instant.
    created_after: Option<String>,
    /// Only tasks accepted before this instant.
    created_before: Option<String>,
}

/// An action on many dead letters. The whole body may be left out.
#[derive(Debug, Default, ToSchema)]
#[expect(dead_code, reason = "it describes the body in the document; the body itself is read field by field")]
pub(super) struct BulkRequest {
    /// Which; all if it is not given.
    filter: Option<FilterRequest>,
    /// How many at most, the newest first; 100 if it is not given.
    #[schema(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// Of a redrive: `failed_step` (the default) or `start`.
    #[schema(example = "failed_step")]
    from: Option<String>,
}

/// What an action on many dead letters is about.
#[derive(Debug)]
pub(super) struct Bulk {
    pub(super) filter: DeadLetterFilter,
    pub(super) limit: usize,
    pub(super) from: RetryFrom,
}

/// The filter of the list.
pub(super) fn filter_of(query: &mut Query) -> DeadLetterFilter {
    let mut classes = query.names("class", FailureClass::parse);
    if classes.len() > 1 {
        query.add("invalid_parameter", "class", "takes one class");
    }
    DeadLetterFilter {
        crew: query.label("crew"),
        class: classes.pop(),
        created_after: query.instant("created_after"),
        created_before: query.instant("created_before"),
    }
}

/// The JSON of an optional body; an empty object without one.
pub(super) fn json_of(state: &ApiState, body: &Body) -> Result<Value, ApiError> {
    body.optional_json()?.map_or_else(|| Ok(json!({})), |text| parse_json(text, state.limits.json_depth))
}

/// Reads a redrive.
///
/// # Errors
/// `validation_failed` with all that is wrong.
pub(super) fn read_redrive(body: Value) -> Result<Redrive, ApiError> {
    let mut problems = Problems::default();
    let mut reader = ObjectReader::of_body(body, &mut problems)?;
    let request = Redrive { from: read_from(&mut reader), edited_input: reader.object("edited_input").unwrap_or_default() };
    reader.finish();
    problems.check()?;
    Ok(request)
}

/// Reads an action on many; `from` is a field of a redrive alone.
///
/// # Errors
/// `validation_failed` with all that is wrong.
pub(super) fn read_bulk(body: Value, takes_from: bool) -> Result<Bulk, ApiError> {
    let mut problems = Problems::default();
    let mut reader = ObjectReader::of_body(body, &mut problems)?;
    let mut bulk = Bulk { filter: DeadLetterFilter::default(), limit: USUAL, from: RetryFrom::FailedStep };
    if let Some(mut filter) = reader.nested("filter") {
        let classes: Vec<_> = FailureClass::ALL.iter().map(|class| (class.as_str(), *class)).collect();
        bulk.filter = DeadLetterFilter {
            crew: filter.name("crew", NAME),
            class: filter.choice("class", &classes),
            created_after: filter.instant("created_after"),
            created_before: filter.instant("created_before"),
        };
        filter.finish();
    }
    if let Some(limit) = reader.integer("limit", 1, MOST) {
        bulk.limit = usize::try_from(limit).unwrap_or(USUAL);
    }
    if takes_from {
        let choices = [("failed_step", false), ("start", true)];
        if reader.choice("from", &choices) == Some(true) {
            bulk.from = RetryFrom::Start;
        }
    }
    reader.finish();
    problems.check()?;
    Ok(bulk)
}
