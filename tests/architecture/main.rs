//! The rules of the house, read from manifests and source text. Each failure prints the rule it keeps.

mod endpoints;
mod errors;
mod imports;
mod places;
mod scrub;
mod shapes;
mod source;
mod words;
