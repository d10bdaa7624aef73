//! Collects what is wrong with a crew, and knows where each of its elements stands.

use std::collections::{BTreeMap, BTreeSet};

use crewd_application::ports::CrewSource;
use crewd_domain::crews::{Diagnostic, Problem, Severity, ValidationReport};

use super::{rules::MORE_PROBLEMS, yaml::Position};

/// Diagnostics a report shows at most.
const MOST_DIAGNOSTICS: usize = 500;

/// Everything found so far. Readers report at a place; the rules of the domain report at an element.
pub(super) struct Findings<'source> {
    source: &'source CrewSource,
    diagnostics: Vec<(Option<Position>, Diagnostic)>,
    places: BTreeMap<String, Position>,
    failed: BTreeSet<String>,
    /// Whether a file could not be read to its end, so that absent things may only be unread.
    pub(super) incomplete: bool,
}

impl<'source> Findings<'source> {
    pub(super) fn new(source: &'source CrewSource) -> Self {
        Self { source, diagnostics: Vec::new(), places: BTreeMap::new(), failed: BTreeSet::new(), incomplete: false }
    }

    /// Remembers where an element stands.
    pub(super) fn mark(&mut self, element: impl Into<String>, at: Position) {
        self.places.insert(element.into(), at);
    }

    /// A problem at a place.
    pub(super) fn report(&mut self, at: Position, problem: Problem) {
        if problem.severity == Severity::Error {
            self.failed.insert(problem.element.clone());
        }
        let diagnostic = self.diagnostic(Some(at), problem);
        self.diagnostics.push((Some(at), diagnostic));
    }

    /// Whether an error was reported for exactly this element.
    pub(super) fn has_failed(&self, element: &str) -> bool {
        self.failed.contains(element)
    }

    /// How many errors were reported so far.
    pub(super) fn error_count(&self) -> usize {
        self.diagnostics.iter().filter(|(_, found)| found.severity == Severity::Error).count()
    }

    /// Problems of the rules, placed where their elements stand. What a reader found wrong already is not
    /// reported a second time.
    pub(super) fn add_all(&mut self, problems: Vec<Problem>) {
        for problem in problems {
            if self.failed.contains(&problem.element) {
                continue;
            }
            let at = self.place_of(&problem.element);
            let diagnostic = self.diagnostic(at, problem);
            self.diagnostics.push((at, diagnostic));
        }
    }

    /// The report, in reading order.
    pub(super) fn finish(mut self) -> ValidationReport {
        self.diagnostics.sort_by(|left, right| {
            let order = |(at, diagnostic): &(Option<Position>, Diagnostic)| (*at, diagnostic.severity);
            order(left).cmp(&order(right))
        });
        let mut diagnostics: Vec<Diagnostic> = self.diagnostics.into_iter().map(|(_, diagnostic)| diagnostic).collect();
        diagnostics.dedup();
        shorten(&mut diagnostics);
        ValidationReport { diagnostics }
    }

    /// The place of the element, or of the closest one around it that is written down.
    fn place_of(&self, element: &str) -> Option<Position> {
        let mut path = element;
        loop {
            if let Some(at) = self.places.get(path) {
                return Some(*at);
            }
            path = path.get(..path.rfind(['.', '['])?)?;
        }
    }

    fn diagnostic(&self, at: Option<Position>, problem: Problem) -> Diagnostic {
        let file = at.and_then(|at| self.source.files.get(at.file));
        Diagnostic {
            path: file.map_or_else(|| self.source.name.clone(), |file| file.path.clone()),
            line: at.map(|at| at.line),
            column: at.map(|at| at.column),
            ..Diagnostic::from(problem)
        }
    }
}

/// Cuts a list nobody would read to its end; an error among what is cut stays an error.
fn shorten(diagnostics: &mut Vec<Diagnostic>) {
    if diagnostics.len() <= MOST_DIAGNOSTICS {
        return;
    }
    let cut = diagnostics.split_off(MOST_DIAGNOSTICS);
    let worst = cut.iter().map(|diagnostic| diagnostic.severity).min();
    let Some(mut last) = cut.into_iter().next() else { return };
    last.severity = worst.unwrap_or(Severity::Error);
    last.rule = MORE_PROBLEMS.to_owned();
    last.message = "there are more problems from here on; mend the ones above first".to_owned();
    last.suggestion = None;
    diagnostics.push(last);
}
