//! Numbered places of the write path where a process can be told to die, for the proof that nothing is lost there.
//!
//! Only debug builds hold them: in a release build every function here is empty and nothing is counted or compared.
//! A process dies at most once, at the N-th passing of one place, without unwinding and without a word to anybody:
//! as a power cut or SIGKILL would end it at exactly that line.

use crate::ports::UnitOfWork;

/// A place of the write path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Point {
    /// 1: a step's intent is about to be committed.
    BeforeIntent,
    /// 2: a step's intent is committed, nothing was done yet.
    AfterIntent,
    /// 3: the model has said something, or the tool has had its effect; nobody has written it down.
    DuringAct,
    /// 4: a step's result is about to be committed.
    BeforeResult,
    /// 5: a step's result is committed.
    AfterResult,
    /// 6: events are committed and nobody was told.
    BeforePublish,
    /// 7: a delivery was taken from the outbox and is about to be sent.
    BeforeOutboxSend,
    /// 8: a delivery was answered, which is not written down.
    AfterOutboxSend,
    /// 9: runs were claimed and not begun.
    AfterClaim,
    /// 10: a transition of a run is about to be committed.
    BeforeTransition,
    /// 11: a transition of a run is committed.
    AfterTransition,
    /// 12: a task is about to be stored.
    BeforeSubmit,
    /// 13: a task is stored, its client has no answer.
    AfterSubmit,
}

impl Point {
    /// All places by number.
    pub const ALL: [Self; 13] = [
        Self::BeforeIntent,
        Self::AfterIntent,
        Self::DuringAct,
        Self::BeforeResult,
        Self::AfterResult,
        Self::BeforePublish,
        Self::BeforeOutboxSend,
        Self::AfterOutboxSend,
        Self::AfterClaim,
        Self::BeforeTransition,
        Self::AfterTransition,
        Self::BeforeSubmit,
        Self::AfterSubmit,
    ];

    /// The name that an order uses.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BeforeIntent => "before_intent",
            Self::AfterIntent => "after_intent",
            Self::DuringAct => "during_act",
            Self::BeforeResult => "before_result",
            Self::AfterResult => "after_result",
            Self::BeforePublish => "before_publish",
            Self::BeforeOutboxSend => "before_outbox_send",
            Self::AfterOutboxSend => "after_outbox_send",
            Self::AfterClaim => "after_claim",
            Self::BeforeTransition => "before_transition",
            Self::AfterTransition => "after_transition",
            Self::BeforeSubmit => "before_submit",
            Self::AfterSubmit => "after_submit",
        }
    }
}

/// Passes a place; the process ends here if it was told to.
#[cfg(debug_assertions)]
pub fn point(point: Point) {
    armed::pass(point);
}

/// Passes a place; release builds hold none.
#[cfg(not(debug_assertions))]
#[inline(always)]
pub const fn point(_point: Point) {}

/// Tells this process where to die: `after_intent` or `after_intent:7`, the seventh passing of that place.
///
/// # Errors
/// An order that names no place or no number, or a second order.
#[cfg(debug_assertions)]
pub fn install(order: &str) -> Result<(), String> {
    armed::install(order)
}

/// Which places a unit of work passes on its way to the database.
#[derive(Clone, Copy, Debug)]
pub struct Passing {
    #[cfg(debug_assertions)]
    kinds: armed::Kinds,
}

impl Passing {
    /// Passes the places that lie before the commit of this unit.
    #[cfg(debug_assertions)]
    #[must_use]
    pub fn before(unit: &UnitOfWork) -> Self {
        let kinds = armed::Kinds::of(unit);
        kinds.before();
        Self { kinds }
    }

    /// Release builds hold no places.
    #[cfg(not(debug_assertions))]
    #[inline(always)]
    #[must_use]
    pub const fn before(_unit: &UnitOfWork) -> Self {
        Self {}
    }

    /// Passes the places that lie after the commit.
    #[cfg(debug_assertions)]
    pub fn after(self) {
        self.kinds.after();
    }

    /// Release builds hold no places.
    #[cfg(not(debug_assertions))]
    #[inline(always)]
    pub const fn after(self) {}
}

#[cfg(debug_assertions)]
#[path = "fault_armed.rs"]
mod armed;
