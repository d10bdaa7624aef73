//! A tool that is a call over HTTP, as an operator declares it. Plain data: an adapter makes the calls.

use serde_json::Value;

use super::address::AddressTemplate;
use super::descriptor::{EffectClass, RiskLevel, ToolDescriptor};
use super::template::Template;

/// The name that stands for the step's key in an address that asks what became of a call.
pub const IDEMPOTENCY_KEY_NAME: &str = "idempotency_key";

/// What the other side is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HttpMethod {
    /// Read.
    Get,
    /// Read the head alone.
    Head,
    /// Make something, or make something happen.
    Post,
    /// Put something in place of what is there.
    Put,
    /// Change a part.
    Patch,
    /// Remove.
    Delete,
}

impl HttpMethod {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Get, Self::Head, Self::Post, Self::Put, Self::Patch, Self::Delete];

    /// As it is sent.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }

    /// Whether the method itself says that nothing is changed.
    #[must_use]
    pub const fn only_reads(self) -> bool {
        matches!(self, Self::Get | Self::Head)
    }

    /// Whether a body belongs to it unless the declaration says otherwise.
    #[must_use]
    pub const fn usually_has_body(self) -> bool {
        matches!(self, Self::Post | Self::Put | Self::Patch)
    }
}

/// What is sent as the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HttpBody {
    /// A JSON object of the arguments that address and query do not use.
    Arguments,
    /// Nothing.
    None,
}

/// How a call is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpCall {
    /// What is asked.
    pub method: HttpMethod,
    /// Of whom.
    pub url: AddressTemplate,
    /// Further parameters of the query. One whose argument is absent is left out.
    pub query: Vec<(String, Template)>,
    /// Names and values that never change.
    pub headers: Vec<(String, String)>,
    /// Names of headers, each with the name of the setting that holds its value.
    pub secret_headers: Vec<(String, String)>,
    /// The body.
    pub body: HttpBody,
    /// For the whole call, further attempts included, in seconds.
    pub timeout_seconds: u32,
    /// Whom to ask what became of a call: 200 means that it happened, 404 that it did not.
    pub reconcile_url: Option<AddressTemplate>,
}

impl HttpCall {
    /// Shortest time of a call, in seconds.
    pub const MIN_SECONDS: u32 = 1;
    /// Longest time of a call, in seconds.
    pub const MAX_SECONDS: u32 = 600;
    /// Time of a call unless it is declared, in seconds.
    pub const DEFAULT_SECONDS: u32 = 30;

    /// The arguments that stand in the address or the query.
    pub fn placed_names(&self) -> impl Iterator<Item = &str> {
        self.url.names().chain(self.query.iter().flat_map(|(_, value)| value.names()))
    }
}

/// A declared tool.
#[derive(Clone, Debug, PartialEq)]
pub struct HttpToolDefinition {
    /// Lower snake case, at most 64 characters.
    pub name: String,
    /// For the model.
    pub description: String,
    /// How much harm a wrong call can do.
    pub risk: RiskLevel,
    /// What recovery may do with it.
    pub effect: EffectClass,
    /// JSON Schema of the arguments: an object.
    pub parameters: Value,
    /// How a call is made.
    pub http: HttpCall,
}

impl HttpToolDefinition {
    /// The tool as models, people and policies see it.
    #[must_use]
    pub fn descriptor(&self) -> ToolDescriptor {
        ToolDescriptor {
            name: self.name.clone(),
            description: self.description.clone(),
            parameters: self.parameters.clone(),
            risk: self.risk,
            effect: self.effect,
            reconciles: self.http.reconcile_url.is_some(),
        }
    }
}
