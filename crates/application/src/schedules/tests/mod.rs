//! The services over the fakes of all ports.

mod desk;
mod keeping;
mod overlap;
mod requests;
mod ticking;
