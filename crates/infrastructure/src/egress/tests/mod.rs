//! The guard against a canary: a server on loopback that counts who comes.

mod corpus;
mod exchanges;
mod exemptions;
mod notations;
mod rebinding;
mod support;
mod tls;
