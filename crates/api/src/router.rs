//! All routes with their middleware.

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use crewd_application::error::ErrorCode;
use tower::ServiceBuilder;
use tower::util::option_layer;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;

use crate::error::ApiError;
use crate::middleware::{compression, cors, observe};
use crate::openapi::Base;
use crate::routes;
use crate::state::ApiState;

/// The HTTP surface. It answers every request, also those that no route takes.
pub fn router(state: ApiState) -> Router {
    let (router, _) = documented().split_for_parts();
    surrounded(router.merge(routes::meta::parts()), state)
}

/// Health, metrics and version alone, for a process that works and takes no tasks.
pub fn operations_router(state: ApiState) -> Router {
    let (router, _) = routes::meta::router().split_for_parts();
    surrounded(router.merge(routes::meta::parts()), state)
}

/// Routes with their fallbacks and the middleware.
fn surrounded(router: Router<Arc<ApiState>>, state: ApiState) -> Router {
    let state = Arc::new(state);
    let around = ServiceBuilder::new()
        .layer(from_fn_with_state(Arc::clone(&state), observe))
        .layer(option_layer(cors(&state.allowed_origins)))
        .layer(compression());
    router.fallback(unknown_route).method_not_allowed_fallback(unknown_method).layer(around).with_state(state)
}

/// The routes that stand in the document, and the document.
pub(crate) fn documented() -> OpenApiRouter<Arc<ApiState>> {
    OpenApiRouter::with_openapi(Base::openapi())
        .merge(routes::tasks::router())
        .merge(routes::dead_letters::router())
        .merge(routes::approvals::router())
        .merge(routes::schedules::router())
        .merge(routes::webhooks::router())
        .merge(routes::crews::router())
        .merge(routes::tools::router())
        .merge(routes::models::router())
        .merge(routes::meta::router())
}

async fn unknown_route() -> ApiError {
    ApiError::new(ErrorCode::NotFound, "there is no such route")
}

/// The router adds `Allow` itself.
async fn unknown_method() -> ApiError {
    ApiError::new(ErrorCode::MethodNotAllowed, "the route does not have this method; the header `Allow` names those it has")
}
