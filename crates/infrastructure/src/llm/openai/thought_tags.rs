//! Thinking that stands in the text between `<think>` and `</think>`, as servers of open models send it.
//!
//! Only at the very beginning of an answer: further on the words are the model's own.

const OPEN: &str = "<think>";
const CLOSE: &str = "</think>";

#[derive(Debug, Default, PartialEq, Eq)]
enum Place {
    /// Nothing but blanks, or the beginning of the tag, has come.
    #[default]
    Start,
    Thinking,
    Answering,
}

/// Parts text that comes in pieces of any size.
#[derive(Debug, Default)]
pub(super) struct ThoughtTags {
    place: Place,
    /// What may turn out to be a part of a tag.
    held: String,
}

/// A piece of text, parted.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Parted {
    pub(super) thought: String,
    pub(super) answer: String,
}

impl ThoughtTags {
    /// Whether something is held back.
    pub(super) const fn holds(&self) -> bool {
        !self.held.is_empty()
    }

    /// Takes a piece in.
    pub(super) fn push(&mut self, more: &str) -> Parted {
        let mut parted = Parted::default();
        if self.place == Place::Answering {
            more.clone_into(&mut parted.answer);
            return parted;
        }
        self.held.push_str(more);
        if self.place == Place::Start {
            let begun = self.held.trim_start();
            if let Some(rest) = begun.strip_prefix(OPEN) {
                self.place = Place::Thinking;
                self.held = rest.to_owned();
            } else if OPEN.starts_with(begun) {
                return parted;
            } else {
                self.place = Place::Answering;
                parted.answer = std::mem::take(&mut self.held);
                return parted;
            }
        }
        if let Some((thought, answer)) = self.held.split_once(CLOSE) {
            parted.thought = thought.to_owned();
            parted.answer = answer.trim_start().to_owned();
            self.place = Place::Answering;
            self.held.clear();
        } else {
            let kept =
                (1..CLOSE.len()).rev().find(|length| self.held.ends_with(CLOSE.get(..*length).unwrap_or_default())).unwrap_or(0);
            let rest = self.held.split_off(self.held.len() - kept);
            parted.thought = std::mem::replace(&mut self.held, rest);
        }
        parted
    }

    /// What was held back, at the end of the answer.
    pub(super) fn finish(&mut self) -> Parted {
        let held = std::mem::take(&mut self.held);
        match self.place {
            Place::Thinking => Parted { thought: held, answer: String::new() },
            Place::Start | Place::Answering => Parted { thought: String::new(), answer: held },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(pieces: &[&str]) -> (String, String) {
        let mut tags = ThoughtTags::default();
        let mut all = Parted::default();
        for piece in pieces {
            let parted = tags.push(piece);
            all.thought.push_str(&parted.thought);
            all.answer.push_str(&parted.answer);
        }
        let last = tags.finish();
        (all.thought + &last.thought, all.answer + &last.answer)
    }

    #[test]
    fn thinking_is_parted_however_it_is_cut() {
        let text = "\n<think>a < b </thin</think>\n\nThe answer: <think> is a tag.";
        let expected = ("a < b </thin".to_owned(), "The answer: <think> is a tag.".to_owned());
        assert_eq!(part(&[text]), expected);
        for cut in 0..=text.len() {
            let (head, tail) = text.split_at(cut);
            let (thought, answer) = part(&[head, tail]);
            assert_eq!((thought.as_str(), answer.trim_start()), (expected.0.as_str(), expected.1.as_str()), "cut at {cut}");
        }
        let letters: Vec<String> = text.chars().map(String::from).collect();
        let (thought, answer) = part(&letters.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!((thought, answer.trim_start()), (expected.0, expected.1.as_str()));
    }

    #[test]
    fn other_texts_pass() {
        for text in ["", "<", "<thinking about it", "plain <think>no</think>", "字<think>", " <th"] {
            assert_eq!(part(&[text]), (String::new(), text.to_owned()), "{text}");
        }
        assert_eq!(part(&["<think>never closed"]), ("never closed".to_owned(), String::new()));
    }
}
