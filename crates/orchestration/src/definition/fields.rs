//! The keys of one agent, task or crew, asked for by name.

use std::rc::Rc;

use crewd_domain::approvals::ApprovalRule;
use crewd_domain::crews::{Problem, closest, excerpt, rule::WRONG_TYPE};

use super::{
    entries::Field,
    findings::Findings,
    rules::MISSING_KEY,
    yaml::{Node, Position},
};

/// The keys of one element. A key that is absent or null gives nothing; a wrong one is reported and gives nothing.
pub(super) struct Fields<'read, 'source> {
    pub(super) findings: &'read mut Findings<'source>,
    /// Path of the element, as in `agents.writer`; empty for the crew.
    pub(super) element: &'read str,
    pub(super) fields: &'read [Field],
    /// Where the element begins.
    pub(super) at: Position,
}

impl Fields<'_, '_> {
    /// The value of a key, null included.
    pub(super) fn raw(&self, key: &str) -> Option<Rc<Node>> {
        self.fields.iter().find(|field| &*field.key == key).map(|field| Rc::clone(&field.value))
    }

    /// Path of a key of this element.
    pub(super) fn path(&self, key: &str) -> String {
        if self.element.is_empty() { key.to_owned() } else { format!("{}.{key}", self.element) }
    }

    /// Text that must be there; it may be empty.
    pub(super) fn required_text(&mut self, key: &str) -> String {
        let path = self.path(key);
        if let Some(node) = self.raw(key) {
            return self.findings.text(&path, &node).unwrap_or_default();
        }
        // An entry that is no mapping has no keys at all, and that was said.
        if self.findings.has_failed(self.element) {
            return String::new();
        }
        let name = self.element.rsplit('.').next().map(excerpt).unwrap_or_default();
        let problem = Problem::error(path, MISSING_KEY, format!("`{name}` has no `{key}`"));
        self.findings.report(self.at, problem);
        String::new()
    }

    /// Text, when the key is there.
    pub(super) fn text(&mut self, key: &str) -> Option<String> {
        let node = self.given(key)?;
        self.findings.text(&self.path(key), &node)
    }

    /// True or false, when the key is there.
    pub(super) fn flag(&mut self, key: &str) -> Option<bool> {
        let node = self.given(key)?;
        self.findings.flag(&self.path(key), &node)
    }

    /// A small whole number, when the key is there.
    pub(super) fn count(&mut self, key: &str) -> Option<u32> {
        let node = self.given(key)?;
        self.findings.count(&self.path(key), &node)
    }

    /// A whole number, when the key is there.
    pub(super) fn integer(&mut self, key: &str) -> Option<i64> {
        let node = self.given(key)?;
        self.findings.integer(&self.path(key), &node)
    }

    /// A number, when the key is there.
    pub(super) fn number(&mut self, key: &str) -> Option<f64> {
        let node = self.given(key)?;
        self.findings.number(&self.path(key), &node)
    }

    /// A list of names, when the key is there.
    pub(super) fn names(&mut self, key: &str) -> Option<Vec<String>> {
        let node = self.given(key)?;
        self.findings.names(&self.path(key), &node)
    }

    /// The risk from which on a person decides, when the key is there.
    pub(super) fn approval_rule(&mut self, key: &str) -> Option<ApprovalRule> {
        let (path, node) = (self.path(key), self.given(key)?);
        let text = self.findings.text(&path, &node)?;
        let word = text.trim().to_lowercase();
        let found = ApprovalRule::ALL.iter().copied().find(|rule| rule.as_str() == word);
        if found.is_none() {
            let words = || ApprovalRule::ALL.iter().map(|rule| rule.as_str());
            let message = format!("this must be `low`, `medium`, `high` or `critical`, but `{}` is not", excerpt(text.trim()));
            let problem = Problem::error(path, WRONG_TYPE, message);
            let advice = match closest(&word, words()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "write the lowest risk of a tool that a person is to decide about".to_owned(),
            };
            self.findings.report(node.at, problem.suggest(advice));
        }
        found
    }

    /// The value of a key unless it is null.
    pub(super) fn given(&self, key: &str) -> Option<Rc<Node>> {
        self.raw(key).filter(|node| !node.is_null())
    }
}
