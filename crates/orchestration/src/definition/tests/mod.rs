//! Definitions as people write them: sound, odd, wrong and hostile.

mod catalog;
mod features;
mod helpers;
mod hostile;
mod layouts;
mod odd_yaml;
mod shipped;
mod values;

use helpers::{AGENTS, TASKS, briefs, pair, read, sound, source, tools, with_agent, with_crew, with_task};
