//! The services over the fakes of all ports.

mod cancel;
mod dead_letters;
mod desk;
mod follow;
mod fork;
mod pause;
mod recovery;
mod retry;
mod steps;
mod submit;
mod wake;
