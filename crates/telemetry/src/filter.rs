//! What is recorded: spans of this program always, so that every line knows its trace; events by level.

use tracing::level_filters::LevelFilter;
use tracing::subscriber::Interest;
use tracing::{Level, Metadata};
use tracing_subscriber::layer::{Context, Filter};

/// Crates of this program start with this.
const OWN_TARGETS: &str = "crewd";

/// Crates that tell of every connection and statement; heard only when they warn.
const CHATTY_TARGETS: &[&str] =
    &["h2", "hyper", "reqwest", "tonic", "tower", "rustls", "sqlx", "sea_orm", "opentelemetry", "notify"];

/// Decides by target and level alone, so that the answer is remembered per place in the code.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EventAndSpanFilter {
    level: LevelFilter,
}

impl EventAndSpanFilter {
    pub(crate) fn new(level: Level) -> Self {
        Self { level: LevelFilter::from_level(level) }
    }

    fn allows(self, metadata: &Metadata<'_>) -> bool {
        let target = metadata.target();
        let is_own = target.starts_with(OWN_TARGETS);
        let most_verbose = if metadata.is_span() {
            // Other crates' spans would only hide ours, and an exporter must not trace itself.
            if is_own { self.level.max(LevelFilter::INFO) } else { LevelFilter::OFF }
        } else if !is_own && CHATTY_TARGETS.iter().any(|chatty| target.starts_with(chatty)) {
            self.level.min(LevelFilter::WARN)
        } else {
            self.level
        };
        *metadata.level() <= most_verbose
    }
}

impl<S> Filter<S> for EventAndSpanFilter {
    fn enabled(&self, metadata: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        self.allows(metadata)
    }

    fn callsite_enabled(&self, metadata: &'static Metadata<'static>) -> Interest {
        if self.allows(metadata) { Interest::always() } else { Interest::never() }
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.level.max(LevelFilter::INFO))
    }
}
