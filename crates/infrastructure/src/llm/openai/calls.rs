//! Tool calls out of fragments.
//!
//! Vendors number, name and identify the fragments in different ways, or not at all. What leaves here follows the
//! port: calls are numbered from 0 without gaps, and id and name come with the first piece.

use crewd_application::ports::{ModelDelta, ToolCall};

/// A fragment with what its vendor said about it; empty texts count as not said.
#[derive(Debug, Default)]
pub(super) struct Fragment {
    pub(super) index: Option<i64>,
    pub(super) id: String,
    pub(super) name: String,
    pub(super) arguments: String,
}

/// The calls of one turn.
#[derive(Debug, Default)]
pub(super) struct ToolCalls {
    slots: Vec<Slot>,
    announced: usize,
}

#[derive(Debug)]
struct Slot {
    /// The vendor's number.
    index: Option<i64>,
    /// The vendor's id.
    id: String,
    /// The port's number, once the name is known.
    ordinal: Option<usize>,
    call: ToolCall,
}

/// A call that never got a name.
#[derive(Debug)]
pub(super) struct Nameless;

impl ToolCalls {
    pub(super) const fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Adds a fragment and returns the piece that it makes, if it makes one.
    pub(super) fn add(&mut self, fragment: Fragment) -> Option<ModelDelta> {
        let position = self.position(&fragment);
        let next = self.announced;
        let announces = !fragment.name.is_empty() && self.slots.get(position).is_some_and(|slot| slot.ordinal.is_none());
        let free_id = if announces { self.free_id(position, &fragment.id) } else { String::new() };
        let slot = self.slots.get_mut(position)?;
        if slot.id.is_empty() {
            slot.id.clone_from(&fragment.id);
        }
        slot.call.arguments.push_str(&fragment.arguments);
        if let Some(index) = slot.ordinal {
            let more = ModelDelta::ToolCall { index, id: String::new(), name: String::new(), arguments: fragment.arguments };
            return Some(more).filter(|delta| !matches!(delta, ModelDelta::ToolCall { arguments, .. } if arguments.is_empty()));
        }
        if fragment.name.is_empty() {
            return None;
        }
        slot.call.name = fragment.name;
        slot.call.id = free_id;
        slot.ordinal = Some(next);
        self.announced += 1;
        let ToolCall { id, name, arguments } = slot.call.clone();
        Some(ModelDelta::ToolCall { index: next, id, name, arguments })
    }

    /// The id of the call at `position` once it is announced: the vendor's, unless there is none or it is taken.
    fn free_id(&self, position: usize, new: &str) -> String {
        let vendors = self.slots.get(position).map(|slot| slot.id.as_str()).filter(|id| !id.is_empty()).unwrap_or(new);
        let is_taken = |id: &str| self.slots.iter().any(|slot| slot.ordinal.is_some() && slot.call.id == id);
        if !vendors.is_empty() && !is_taken(vendors) {
            return vendors.to_owned();
        }
        let made_up = (self.announced..).map(|number| format!("call_{number}")).find(|id| !is_taken(id));
        made_up.unwrap_or_default()
    }

    /// Where the fragment belongs; makes room for a new call if needed.
    fn position(&mut self, fragment: &Fragment) -> usize {
        let begins = !fragment.name.is_empty();
        let found = if fragment.index.is_some() {
            // A new id under an old number is a new call: some vendors number every call 0.
            self.slots.iter().rposition(|slot| slot.index == fragment.index).filter(|at| {
                let known = self.slots.get(*at).map_or("", |slot| slot.id.as_str());
                !begins || fragment.id.is_empty() || known.is_empty() || known == fragment.id
            })
        } else if !fragment.id.is_empty() {
            self.slots.iter().rposition(|slot| slot.id == fragment.id)
        } else {
            // Neither number nor id: a name begins a call, everything else goes on with the last one.
            let last_is_named = self.slots.last().is_some_and(|slot| slot.ordinal.is_some());
            self.slots.len().checked_sub(1).filter(|_| !(begins && last_is_named))
        };
        found.unwrap_or_else(|| {
            let call = ToolCall { id: String::new(), name: String::new(), arguments: String::new() };
            self.slots.push(Slot { index: fragment.index, id: String::new(), ordinal: None, call });
            self.slots.len() - 1
        })
    }

    /// The calls in the port's order, and the pieces that are still missing: arguments that were never sent are `{}`.
    pub(super) fn finish(self) -> Result<(Vec<ToolCall>, Vec<ModelDelta>), Nameless> {
        let mut last = Vec::new();
        let mut calls = Vec::with_capacity(self.slots.len());
        for slot in self.slots {
            let index = slot.ordinal.ok_or(Nameless)?;
            let mut call = slot.call;
            if call.arguments.is_empty() {
                call.arguments.push_str("{}");
                let arguments = call.arguments.clone();
                last.push(ModelDelta::ToolCall { index, id: String::new(), name: String::new(), arguments });
            }
            calls.push((index, call));
        }
        calls.sort_by_key(|(index, _)| *index);
        Ok((calls.into_iter().map(|(_, call)| call).collect(), last))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fragment(index: Option<i64>, id: &str, name: &str, arguments: &str) -> Fragment {
        Fragment { index, id: id.to_owned(), name: name.to_owned(), arguments: arguments.to_owned() }
    }

    fn join(fragments: Vec<Fragment>) -> Vec<(String, String, String)> {
        let mut calls = ToolCalls::default();
        for piece in fragments {
            calls.add(piece);
        }
        let (calls, _) = calls.finish().expect("all calls have names");
        calls.into_iter().map(|call| (call.id, call.name, call.arguments)).collect()
    }

    fn call(id: &str, name: &str, arguments: &str) -> (String, String, String) {
        (id.to_owned(), name.to_owned(), arguments.to_owned())
    }

    #[test]
    fn fragments_of_two_calls_may_be_interleaved_and_numbered_with_gaps() {
        let joined = join(vec![
            fragment(Some(1), "a", "one", ""),
            fragment(Some(4), "b", "two", "{\"x\""),
            fragment(Some(1), "", "", "{}"),
            fragment(Some(4), "", "", ":1}"),
        ]);
        assert_eq!(joined, [call("a", "one", "{}"), call("b", "two", "{\"x\":1}")]);
    }

    #[test]
    fn missing_numbers_and_ids_are_made_up() {
        let joined = join(vec![fragment(None, "", "one", "{"), fragment(None, "", "", "}"), fragment(None, "", "two", "{}")]);
        assert_eq!(joined, [call("call_0", "one", "{}"), call("call_1", "two", "{}")]);
    }

    #[test]
    fn repeated_ids_and_names_do_not_begin_a_call() {
        let joined = join(vec![fragment(Some(0), "a", "one", "{"), fragment(Some(0), "a", "one", "}")]);
        assert_eq!(joined, [call("a", "one", "{}")]);
        let joined = join(vec![fragment(None, "a", "one", "{"), fragment(None, "a", "one", "}")]);
        assert_eq!(joined, [call("a", "one", "{}")]);
    }

    #[test]
    fn calls_that_all_have_the_number_0_are_told_apart_by_their_ids() {
        let joined =
            join(vec![fragment(Some(0), "a", "one", "{}"), fragment(Some(0), "b", "two", "{"), fragment(Some(0), "", "", "}")]);
        assert_eq!(joined, [call("a", "one", "{}"), call("b", "two", "{}")]);
    }

    #[test]
    fn an_id_that_was_used_before_is_replaced() {
        let joined = join(vec![fragment(Some(0), "a", "one", "{}"), fragment(Some(1), "a", "two", "{}")]);
        assert_eq!(joined, [call("a", "one", "{}"), call("call_1", "two", "{}")]);
    }

    #[test]
    fn a_late_name_holds_the_pieces_back() {
        let mut calls = ToolCalls::default();
        assert_eq!(calls.add(fragment(Some(0), "a", "", "{")), None);
        let first = calls.add(fragment(Some(0), "", "one", "\"x\""));
        let expected =
            ModelDelta::ToolCall { index: 0, id: "a".to_owned(), name: "one".to_owned(), arguments: "{\"x\"".to_owned() };
        assert_eq!(first, Some(expected));
    }

    #[test]
    fn arguments_that_never_come_are_an_empty_object_and_a_name_that_never_comes_is_an_error() {
        let mut calls = ToolCalls::default();
        calls.add(fragment(Some(0), "a", "one", ""));
        let (whole, last) = calls.finish().expect("a name came");
        assert_eq!(whole[0].arguments, "{}");
        let expected = ModelDelta::ToolCall { index: 0, id: String::new(), name: String::new(), arguments: "{}".to_owned() };
        assert_eq!(last, [expected]);
        let mut calls = ToolCalls::default();
        calls.add(fragment(Some(0), "a", "", "{}"));
        assert!(calls.finish().is_err());
    }
}
