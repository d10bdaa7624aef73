//! Adapters: everything the use cases and the engine need from outside, made real.
//!
//! Rule of this crate: it implements the ports of `crewd-application` and decides nothing about runs. It imports the
//! domain, the application and the telemetry; never the API, the orchestration or the settings: what it needs to know
//! comes in as constructor arguments. SQL, HTTP clients, files, the wall clock and random ids appear here and nowhere
//! else. Every adapter runs the contract suite of its port from `crewd_application::testing`.
//!
//! | module | what is in it | port |
//! |---|---|---|
//! | [`cache`] | answers kept in this process | `Cache` |
//! | [`clock`] | the wall clock | `Clock` |
//! | [`egress`] | the one guard of requests to addresses that users name | `Outbound` |
//! | [`files`] | folders that nothing can leave | `RunFiles` |
//! | [`http`] | the one place where HTTP clients are built | |
//! | [`ids`] | random ids that rise | `IdGenerator` |
//! | [`llm`] | language models | `LanguageModel` |
//! | [`persistence`] | the database | `Store`, `RunQueries`, `RunQueue`, `EventTail` |
//! | [`queue`] | hints inside a machine: wake-up calls, live events, living workers | `WorkSignal`, `EventStream`, `WorkerPresence` |
//! | [`redis`] | hints between processes, shared limits and cache | `RateLimiter`, `SharedPlaces`, `Cache` |
//! | [`security`] | API keys, derived keys, sealed values, limits of this process | `Authenticator`, `SecretSealer`, `RateLimiter` |
//! | [`tools`] | the tools that come with crewd | `ToolSet` |
//! | [`webhooks`] | signatures of webhooks | `WebhookSigner` |

pub mod cache;
pub mod clock;
pub mod egress;
pub mod files;
pub mod http;
pub mod ids;
pub mod llm;
pub mod persistence;
pub mod queue;
pub mod redis;
pub mod security;
pub mod tools;
pub mod webhooks;
