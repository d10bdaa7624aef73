//! The document: what every route takes and answers, made from the handlers' own types.

use utoipa::Modify;
use utoipa::OpenApi;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};

use crate::error::{DefinitionProblem, ErrorBody, ErrorDetails, FieldError};

/// What the document says before the routes are added.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "crewd",
        description = "Runs crews of AI agents durably. Every answer that is not 2xx has the body `ErrorBody`; \
                       `docs/errors/<code>.md` explains each code.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
        contact(),
    ),
    components(schemas(ErrorBody<'static>, ErrorDetails, FieldError, DefinitionProblem)),
    modifiers(&Keys),
    tags(
        (name = "tasks", description = "Submit work and follow it to its end."),
        (name = "dead letters", description = "Failed tasks that wait for a person."),
        (name = "approvals", description = "Questions to people: may this tool be called, what is your answer."),
        (name = "schedules", description = "Submit the same task again and again by itself."),
        (name = "webhooks", description = "Addresses that are told of events."),
        (name = "crews", description = "Definitions of agents and their crew tasks."),
        (name = "tools", description = "What agents can call."),
        (name = "models", description = "What agents can think with."),
        (name = "operations", description = "Health, metrics, version, this document. No key is needed."),
    )
)]
pub(crate) struct Base;

struct Keys;

impl Modify for Keys {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("api_key", SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::new("X-API-Key"))));
        let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
        components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
    }
}

/// The whole document, OpenAPI 3.1. It depends on nothing but the version of the package.
#[must_use]
pub fn openapi() -> utoipa::openapi::OpenApi {
    crate::router::documented().into_openapi()
}
