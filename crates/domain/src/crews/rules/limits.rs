//! The ranges of every number in a definition, both ends included.

use std::ops::RangeInclusive;

/// `max_iter`: model turns per task.
pub const MAX_ITER: RangeInclusive<u32> = 1..=1_000;
/// `max_rpm`: model calls per minute.
pub const MAX_RPM: RangeInclusive<u32> = 1..=1_000_000;
/// `max_execution_time`: seconds, up to seven days.
pub const MAX_EXECUTION_TIME: RangeInclusive<u32> = 1..=604_800;
/// `max_retry_limit`: further tries of a failed task.
pub const MAX_RETRY_LIMIT: RangeInclusive<u32> = 0..=100;
/// `max_tokens`: tokens of one answer.
pub const MAX_TOKENS: RangeInclusive<u32> = 1..=10_000_000;
/// `context_window`: tokens a model holds.
pub const CONTEXT_WINDOW: RangeInclusive<u32> = 256..=100_000_000;
/// `temperature`.
pub const TEMPERATURE: RangeInclusive<f64> = 0.0..=2.0;
/// `top_p`.
pub const TOP_P: RangeInclusive<f64> = 0.0..=1.0;
/// Characters of a name.
pub const NAME_CHARACTERS: usize = 100;
/// Characters of `output_file`.
pub const OUTPUT_FILE_CHARACTERS: usize = 255;
/// Agents of one crew.
pub const AGENTS: usize = 200;
/// Tasks of one crew.
pub const TASKS: usize = 1_000;
