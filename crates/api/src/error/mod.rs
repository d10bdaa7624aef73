//! One shape for everything that is not 2xx.
//!
//! Handlers, extractors and middleware answer with an [`ApiError`]. As a response it is only a status and a note for
//! [`crate::middleware`], which writes the body: there the id of the request is known, and there a failure is logged
//! once. Answers of other code (the router's own 404 and 405, a refused upgrade) are brought into the same shape there.

mod api_error;
mod body;
mod problems;
mod status;

pub(crate) use api_error::{ApiError, whole_seconds};
pub(crate) use body::{CheckLine, DefinitionProblem, ErrorBody, ErrorDetails, FieldError};
pub(crate) use problems::{Problems, pointer_to};
pub(crate) use status::code_of;
