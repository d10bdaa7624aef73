//! The services over the fakes of all ports.

mod cancel;
mod desk;
mod follow;
mod recovery;
mod submit;
