//! What was checked how often, what was violated, and the figures.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// An invariant, by its number in the design and a few words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Invariant {
    /// Accepted tasks exist and end.
    NoLoss,
    /// One terminal event; it never changes.
    OneEnd,
    /// Finished steps are never done again.
    StepOnce,
    /// Effects that cannot be repeated are never doubled.
    NoSilentDouble,
    /// No run stays with a dead worker.
    NoOrphan,
    /// Nobody writes with an old epoch; nobody holds what another holds.
    Fencing,
    /// Numbers without gap or repeat, the same bytes on every way.
    Events,
    /// Usage is the sum of the journal.
    Money,
    /// Deliveries arrive, with one id, signed.
    Webhooks,
    /// One key, one task.
    Idempotency,
    /// Work goes on after the fault.
    Recovery,
    /// Readiness says what is down; nothing is half done.
    Health,
}

impl Invariant {
    const fn text(self) -> (&'static str, &'static str) {
        match self {
            Self::NoLoss => ("I1 no loss", "every accepted task exists and reaches an end"),
            Self::OneEnd => ("I2 one end", "one terminal event a run, and it never changes"),
            Self::StepOnce => ("I3 step once", "no finished step is run again, counted by model and ledger"),
            Self::NoSilentDouble => ("I4 unknown is said", "an effect that cannot be repeated happens once"),
            Self::NoOrphan => ("I5 no orphan", "no run is left with an expired lease"),
            Self::Fencing => ("I6 fencing", "no two holders; no row by the holder of an old epoch"),
            Self::Events => ("I7 events", "1..n without gap or repeat; same bytes by stream, socket and page"),
            Self::Money => ("I9 money", "usage is the sum of the journal"),
            Self::Webhooks => ("I10 webhooks", "every event is delivered, always with the same id and body, signed"),
            Self::Idempotency => ("I11 idempotency", "submits with one key make one task"),
            Self::Recovery => ("I12 recovery", "work goes on after the fault, nothing hangs"),
            Self::Health => ("I14 honest answers", "what cannot be done is refused with a code, nothing half done"),
        }
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    checked: u64,
    violated: u64,
}

#[derive(Debug, Default)]
struct Inner {
    tallies: BTreeMap<Invariant, Tally>,
    rows: Vec<(String, String, String)>,
    findings: Vec<String>,
    skipped: Vec<String>,
    kept: Vec<String>,
}

/// The report of one run; shared by everything that checks.
#[derive(Debug, Default)]
pub(crate) struct Report {
    inner: Mutex<Inner>,
}

impl Report {
    fn inner(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts one check. A violation is printed at once and fails the run.
    pub(crate) fn check(&self, invariant: Invariant, holds: bool, what: impl FnOnce() -> String) {
        let mut inner = self.inner();
        let tally = inner.tallies.entry(invariant).or_default();
        tally.checked += 1;
        if !holds {
            tally.violated += 1;
            let finding = format!("{}: {}", invariant.text().0, what());
            println!("  VIOLATED {finding}");
            inner.findings.push(finding);
        }
    }

    /// A figure.
    pub(crate) fn figure(&self, part: &str, what: &str, value: impl std::fmt::Display) {
        println!("  {what}: {value}");
        self.inner().rows.push((part.to_owned(), what.to_owned(), value.to_string()));
    }

    /// Something that cannot be tried on this machine.
    pub(crate) fn skip(&self, part: &str, why: &str) {
        println!("  skipped: {part}: {why}");
        self.inner().skipped.push(format!("{part}: {why}"));
    }

    /// A database that says what went wrong: nobody removes it.
    pub(crate) fn keep_database(&self, name: &str) {
        self.inner().kept.push(name.to_owned());
    }

    /// Databases to keep.
    pub(crate) fn kept_databases(&self) -> Vec<String> {
        self.inner().kept.clone()
    }

    /// Violations so far.
    pub(crate) fn violations(&self) -> u64 {
        self.inner().tallies.values().map(|tally| tally.violated).sum()
    }

    /// The whole as Markdown.
    pub(crate) fn markdown(&self, heading: &str) -> String {
        let inner = self.inner();
        let mut text = format!("{heading}\n\n| invariant | checked | violated |\n|---|---:|---:|\n");
        for (invariant, tally) in &inner.tallies {
            let (name, words) = invariant.text();
            writeln!(text, "| {name}: {words} | {} | {} |", grouped(tally.checked), tally.violated).ok();
        }
        text.push_str("\n| part | figure | value |\n|---|---|---|\n");
        for (part, what, value) in &inner.rows {
            writeln!(text, "| {part} | {what} | {value} |").ok();
        }
        writeln!(text, "\nSkipped: {}.", inner.skipped.len()).ok();
        for line in &inner.skipped {
            writeln!(text, "- {line}").ok();
        }
        if !inner.findings.is_empty() {
            text.push_str("\nViolations:\n\n");
            for finding in &inner.findings {
                writeln!(text, "- {finding}").ok();
            }
        }
        text
    }
}

/// `12,345`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `p50 0.9 s, p99 3.1 s, max 4.0 s (n = 77)`.
pub(crate) fn spread(times: &mut [Duration]) -> String {
    if times.is_empty() {
        return "none".to_owned();
    }
    times.sort_unstable();
    let at = |share: usize| times[(times.len() - 1) * share / 100].as_secs_f64();
    format!("p50 {:.2} s, p99 {:.2} s, max {:.2} s (n = {})", at(50), at(99), at(100), times.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_violation_is_counted_and_told() {
        let report = Report::default();
        report.check(Invariant::NoLoss, true, || unreachable!());
        report.check(Invariant::NoLoss, false, || "task 7 is gone".to_owned());
        assert_eq!(report.violations(), 1);
        let text = report.markdown("# x");
        assert!(text.contains("| I1 no loss: every accepted task exists and reaches an end | 2 | 1 |"), "{text}");
        assert!(text.contains("- I1 no loss: task 7 is gone"));
    }

    #[test]
    fn numbers_are_shown_for_people() {
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(grouped(12), "12");
        let mut times: Vec<Duration> = (1..=100).map(Duration::from_secs).collect();
        assert_eq!(spread(&mut times), "p50 50.00 s, p99 99.00 s, max 100.00 s (n = 100)");
        assert_eq!(spread(&mut []), "none");
    }
}
