//! Who asks, and where the request came from.

use crewd_domain::shared::TenantId;

/// The first argument of every use case. Built once per request by the surface that took it.
#[derive(Clone, Debug)]
pub struct RequestContext {
    /// The owner of everything that is read or written.
    pub tenant: TenantId,
    /// Who: a key's public name, or `anonymous` in development. Stored with decisions and cancels.
    pub actor: String,
    /// Id of the request, returned to the caller and written to every log line.
    pub request_id: String,
    /// W3C trace context of the request's own span, carried through queue and engine.
    pub traceparent: Option<String>,
}
