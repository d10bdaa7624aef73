//! A group of commands: what is to be done, apart from where the answers go.

use crewd_application::ports::{ClaimedRun, Durability, StoreError, UnitOfWork};

use super::command::{Answer, ClaimRequest, Command};
use super::script::Script;
use crate::persistence::error::again;

/// What one transaction is to do.
#[derive(Debug, Default)]
pub(super) struct Work {
    pub(super) units: Vec<UnitOfWork>,
    pub(super) claims: Vec<ClaimRequest>,
    pub(super) scripts: Vec<Script>,
}

impl Work {
    /// How much the whole group must survive: as much as its most demanding unit, a script as much as the most demanding
    /// one. A claim that is lost with the power is lost together with the worker; anything that a worker then writes in
    /// the journal is flushed together with all that was written before it.
    pub(super) fn durability(&self) -> Durability {
        if !self.scripts.is_empty() {
            return Durability::Journal;
        }
        self.units.iter().map(|unit| unit.durability).max().unwrap_or(Durability::Delta)
    }
}

/// What one transaction has done, in the order of its [`Work`].
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) units: Vec<Result<(), StoreError>>,
    pub(super) claims: Vec<Vec<ClaimedRun>>,
    pub(super) scripts: Vec<Vec<u64>>,
}

/// Work, and where the answers go.
#[derive(Default)]
pub(super) struct Group {
    pub(super) work: Work,
    commits: Vec<Answer<()>>,
    claims: Vec<Answer<Vec<ClaimedRun>>>,
    scripts: Vec<Answer<Vec<u64>>>,
    /// Whether the writer is to end after this group.
    pub(super) is_last: bool,
}

impl Group {
    pub(super) fn of(commands: impl IntoIterator<Item = Command>) -> Self {
        let mut group = Self::default();
        for command in commands {
            group.add(command);
        }
        group
    }

    fn add(&mut self, command: Command) {
        match command {
            Command::Commit(unit, answer) => {
                self.work.units.push(unit);
                self.commits.push(answer);
            }
            Command::Claim(request, answer) => {
                self.work.claims.push(request);
                self.claims.push(answer);
            }
            Command::Execute(script, answer) => {
                self.work.scripts.push(script);
                self.scripts.push(answer);
            }
            Command::Close => self.is_last = true,
        }
    }

    pub(super) const fn len(&self) -> usize {
        self.work.units.len() + self.work.claims.len() + self.work.scripts.len()
    }

    /// One group for each command, for when they cannot be done together.
    pub(super) fn split(self) -> impl Iterator<Item = Self> {
        let Work { units, claims, scripts } = self.work;
        let commits = units.into_iter().zip(self.commits).map(|(unit, answer)| Command::Commit(unit, answer));
        let claims = claims.into_iter().zip(self.claims).map(|(request, answer)| Command::Claim(request, answer));
        let scripts = scripts.into_iter().zip(self.scripts).map(|(script, answer)| Command::Execute(script, answer));
        commits.chain(claims).chain(scripts).map(|command| Self::of([command]))
    }

    /// Tells everybody. Who no longer listens is left alone: what was committed stays committed.
    pub(super) fn answer(self, outcome: Outcome) {
        for (answer, result) in self.commits.into_iter().zip(outcome.units) {
            let _ = answer.send(result);
        }
        for (answer, claimed) in self.claims.into_iter().zip(outcome.claims) {
            let _ = answer.send(Ok(claimed));
        }
        for (answer, changed) in self.scripts.into_iter().zip(outcome.scripts) {
            let _ = answer.send(Ok(changed));
        }
    }

    /// Tells everybody that the database does not answer.
    pub(super) fn fail(self, error: &StoreError) {
        for answer in self.commits {
            let _ = answer.send(Err(again(error)));
        }
        for answer in self.claims {
            let _ = answer.send(Err(again(error)));
        }
        for answer in self.scripts {
            let _ = answer.send(Err(again(error)));
        }
    }

    /// Tells the one command of the group why it failed.
    pub(super) fn fail_with(self, error: StoreError) {
        if let Some(answer) = self.commits.into_iter().next() {
            let _ = answer.send(Err(error));
        } else if let Some(answer) = self.claims.into_iter().next() {
            let _ = answer.send(Err(error));
        } else if let Some(answer) = self.scripts.into_iter().next() {
            let _ = answer.send(Err(error));
        }
    }
}
