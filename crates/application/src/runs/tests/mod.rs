//! The services over the fakes of all ports.

mod admission;
mod cancel;
mod dead_letters;
mod desk;
mod double_texting;
mod follow;
mod fork;
mod pause;
mod recovery;
mod retry;
mod steps;
mod submit;
mod wake;
mod wishes;
