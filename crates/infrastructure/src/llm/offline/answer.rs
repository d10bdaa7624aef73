//! The answer, in the shape that is expected.

use std::iter;

use serde_json::{Map, Value};

use super::brief::{Brief, Language};
use super::fields;
use super::phrases::{Place, capitalised, columns, from_task, note, opening, plain_note, quoted, sentence};
use super::shape::{Length, Shape, length, shape};
use super::words::{keywords, subject};

/// Sentences of a part that has no other length.
const SENTENCES: usize = 3;
/// Words, or Chinese characters, of a sentence, about.
const SENTENCE_WORDS: usize = 11;
const SENTENCE_CHARACTERS: usize = 20;
/// Words of an answer at most, whatever is expected.
const LONGEST: usize = 1500;

/// Writes the answer to a task.
pub(super) fn write(brief: &Brief) -> String {
    let shape = shape(&brief.expected);
    if let Shape::Json { fields } = &shape {
        return json(brief, fields);
    }
    let writer =
        Writer { brief, words: keywords(&brief.task, 12), subject: subject(&brief.task), length: length(&brief.expected) };
    let text = match shape {
        Shape::Table { rows } => writer.table(rows),
        Shape::Numbered { items } => lines(writer.points(items), |number, point| format!("{number}. {point}")),
        Shape::Bullets { items } => lines(writer.points(items), |_, point| format!("- {point}")),
        Shape::Report { sections, named } => writer.report(sections, &named),
        Shape::Sentences { count } => writer.joined(writer.points(count)),
        Shape::Paragraphs { count } => writer.paragraphs(count),
        Shape::Json { .. } => String::new(),
    };
    format!("{text}\n\n{}", note(brief.language))
}

struct Writer<'a> {
    brief: &'a Brief,
    words: Vec<String>,
    subject: String,
    length: Length,
}

impl Writer<'_> {
    fn word(&self, number: usize) -> &str {
        self.words.get(number % self.words.len().max(1)).map_or("", String::as_str)
    }

    /// The sentence with this number; numbers go on through the whole answer.
    fn prose(&self, number: usize) -> String {
        sentence(self.brief, Place::Prose, number, &self.words)
    }

    /// The same for a list or a table.
    fn item(&self, number: usize) -> String {
        sentence(self.brief, Place::Item, number, &self.words)
    }

    /// What the tools returned, one sentence each.
    fn quotes(&self) -> Vec<String> {
        self.brief.returns.iter().map(|result| quoted(self.brief, result)).collect()
    }

    /// Exactly so many points: what the tools returned, then what the task is about. The first one names the task,
    /// and the last one takes all quotes that have no point of their own.
    fn points(&self, count: usize) -> Vec<String> {
        let own = iter::once(opening(self.brief, &self.subject)).chain((1..count).map(|number| self.item(number - 1)));
        let quotes = self.quotes();
        let mut points: Vec<String> = own.take(count.saturating_sub(quotes.len()).max(1)).collect();
        let room = count.saturating_sub(points.len());
        points.extend(quotes.iter().take(room).cloned());
        if let (Some(last), Some(left)) = (points.last_mut(), quotes.get(room..)) {
            for quote in left {
                *last = self.joined([last.clone(), quote.clone()]);
            }
        }
        points
    }

    fn joined(&self, sentences: impl IntoIterator<Item = String>) -> String {
        let between = if self.brief.language == Language::Chinese { "" } else { " " };
        sentences.into_iter().collect::<Vec<_>>().join(between)
    }

    /// Sentences of each of so many parts.
    fn sentences_of(&self, parts: usize) -> usize {
        let size = if self.brief.language == Language::Chinese { SENTENCE_CHARACTERS } else { SENTENCE_WORDS };
        let all = |amount: usize| amount.min(LONGEST) / size;
        match self.length {
            Length { least: Some(least), .. } => all(least).div_ceil(parts.max(1)).max(SENTENCES),
            Length { most: Some(most), .. } => (all(most) / (parts.max(1) + 1)).clamp(1, SENTENCES),
            _ => SENTENCES,
        }
    }

    fn paragraphs(&self, count: usize) -> String {
        let each = self.sentences_of(count);
        let mut paragraphs = Vec::with_capacity(count);
        for paragraph in 0..count.max(1) {
            let mut sentences: Vec<String> = (0..each).map(|number| self.prose(paragraph * each + number)).collect();
            if paragraph == 0 {
                sentences.insert(0, opening(self.brief, &self.subject));
            }
            if paragraph + 1 == count.max(1) {
                sentences.extend(self.quotes());
            }
            paragraphs.push(self.joined(sentences));
        }
        paragraphs.join("\n\n")
    }

    fn report(&self, sections: usize, named: &[String]) -> String {
        let own = (0..sections).map(|number| capitalised(self.word(number)));
        let headings: Vec<String> = own.chain(named.iter().cloned()).collect();
        let each = self.sentences_of(headings.len());
        let mut text = format!("# {}\n\n{}", self.subject, opening(self.brief, &self.subject));
        for quote in self.quotes() {
            text = self.joined([text, quote]);
        }
        for (at, heading) in headings.iter().enumerate() {
            let sentences = (0..each).map(|number| self.prose(at * each + number));
            text.push_str(&format!("\n\n## {heading}\n\n{}", self.joined(sentences)));
        }
        text
    }

    fn table(&self, rows: usize) -> String {
        let [what, remark, source] = columns(self.brief.language);
        let mut text = format!("| {what} | {remark} | {source} |\n|---|---|---|");
        let results = &self.brief.returns;
        for row in 0..rows.max(1) {
            let cells = match results.get(row) {
                Some(result) => [capitalised(self.word(row)), quoted(self.brief, result), format!("`{}`", result.tool)],
                None => [capitalised(self.word(row)), self.item(row), from_task(self.brief.language).to_owned()],
            };
            let [what, remark, source] = cells.map(|cell| cell.replace('|', "\\|"));
            text.push_str(&format!("\n| {what} | {remark} | {source} |"));
        }
        let left = results.iter().skip(rows.max(1)).map(|result| quoted(self.brief, result));
        let below = self.joined(iter::once(opening(self.brief, &self.subject)).chain(left));
        format!("{text}\n\n{below}")
    }
}

fn lines(points: Vec<String>, line: impl Fn(usize, String) -> String) -> String {
    points.into_iter().enumerate().map(|(at, point)| line(at + 1, point)).collect::<Vec<_>>().join("\n")
}

/// One JSON object without any text around it.
fn json(brief: &Brief, names: &[String]) -> String {
    let usual = ["title", "summary"].map(str::to_owned);
    let names = if names.is_empty() { &usual } else { names };
    let mut object: Map<String, Value> =
        names.iter().map(|name| (name.clone(), Value::String(fields::field(name, None, 0, brief)))).collect();
    let quotes: Vec<Value> = brief.returns.iter().map(|result| Value::String(quoted(brief, result))).collect();
    if !quotes.is_empty() {
        object.insert("sources".to_owned(), Value::Array(quotes));
    }
    object.insert("note".to_owned(), Value::String(plain_note(brief.language).to_owned()));
    Value::Object(object).to_string()
}
