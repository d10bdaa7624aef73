//! Reading, adding and checking crew definitions.

mod service;

pub use service::{CrewService, CrewServiceParts, VersionLine};

#[cfg(test)]
mod tests;
