//! The routes, one folder per word: `schemas` say what goes in and out, `handlers` do it.

pub(crate) mod approvals;
pub(crate) mod crews;
pub(crate) mod dead_letters;
pub(crate) mod meta;
pub(crate) mod models;
pub(crate) mod schedules;
pub(crate) mod tasks;
pub(crate) mod tools;
pub(crate) mod webhooks;
