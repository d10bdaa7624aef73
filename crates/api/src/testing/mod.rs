//! The whole surface over the fakes of every port, for the tests of the routes.

mod answer;
mod engine;
mod stage;

pub(crate) use answer::Answer;
pub(crate) use stage::{KEY, OTHER_KEY, Stage, tea};
