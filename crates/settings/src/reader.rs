//! Turns merged values into typed ones. A value that cannot be read is noted as a problem and replaced by a harmless
//! one, so that reading goes on to the next; the result is thrown away when there was any problem.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use figment::Figment;
use figment::value::{Num, Value};
use secrecy::SecretString;

use crate::catalogue;
use crate::problem::Problem;
use crate::variable::{Mask, Variable};

/// A setting that takes one of a few words.
pub(crate) trait Choice: Copy + 'static {
    /// The words and their meaning; the first one stands in for an unreadable value.
    const WORDS: &'static [(&'static str, Self)];

    /// The choice a word means, upper and lower case alike.
    fn of_word(word: &str) -> Option<Self> {
        Self::WORDS.iter().find(|(known, _)| known.eq_ignore_ascii_case(word)).map(|(_, choice)| *choice)
    }
}

/// A value as it stands in its source.
pub(crate) struct Found {
    /// As text; several values are joined by commas.
    pub(crate) text: String,
    /// The source's name.
    pub(crate) origin: String,
}

/// Reads values by key and collects what is wrong with them.
pub(crate) struct Reader {
    figment: Figment,
    /// What was wrong so far.
    pub(crate) problems: Vec<Problem>,
}

impl Reader {
    pub(crate) fn new(figment: Figment, problems: Vec<Problem>) -> Self {
        Self { figment, problems }
    }

    /// The effective value of a key and where it comes from.
    pub(crate) fn find(&self, key: &str) -> Option<Found> {
        let value = self.figment.find_value(key).ok()?;
        let origin = self.figment.get_metadata(value.tag()).map(|metadata| metadata.name.to_string()).unwrap_or_default();
        Some(Found { text: text_of(&value), origin })
    }

    /// A text, if one is set.
    pub(crate) fn text(&self, key: &str) -> Option<String> {
        self.find(key).map(|found| found.text)
    }

    /// A secret, if one is set.
    pub(crate) fn secret(&self, key: &str) -> Option<SecretString> {
        self.text(key).map(SecretString::from)
    }

    /// Comma separated values, blanks around them and empty ones dropped.
    pub(crate) fn list(&self, key: &str) -> Vec<String> {
        let text = self.text(key).unwrap_or_default();
        text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect()
    }

    /// A whole number within `range`.
    pub(crate) fn number<N>(&mut self, key: &str, range: RangeInclusive<N>) -> N
    where
        N: FromStr + PartialOrd + Display + Copy,
    {
        let expected = format!("a whole number from {} to {}", range.start(), range.end());
        self.parse(key, &expected, |text| text.replace('_', "").parse().ok().filter(|number| range.contains(number)))
            .unwrap_or(*range.start())
    }

    /// A number within `range`, with or without a fraction.
    pub(crate) fn fraction(&mut self, key: &str, range: RangeInclusive<f64>) -> f64 {
        let expected = format!("a number from {} to {}", range.start(), range.end());
        self.parse(key, &expected, |text| text.parse().ok().filter(|number| range.contains(number))).unwrap_or(*range.start())
    }

    /// A number of seconds from a thousandth to `longest`.
    pub(crate) fn seconds(&mut self, key: &str, longest: f64) -> Duration {
        Duration::from_secs_f64(self.fraction(key, 0.001..=longest))
    }

    /// One of the words of `C`.
    pub(crate) fn choice<C: Choice>(&mut self, key: &str) -> Option<C> {
        let words: Vec<&str> = C::WORDS.iter().map(|(word, _)| *word).collect();
        self.parse(key, &format!("one of {}", words.join(", ")), C::of_word)
    }

    /// Notes a problem with a variable's value.
    pub(crate) fn reject(&mut self, key: &str, message: impl Into<String>, hint: impl Into<String>) {
        let name = catalogue::by_key(key).map_or(key, |variable| variable.name);
        self.problems.push(Problem::new(name, message, hint));
    }

    /// Notes that the value of `key` is not what was expected, showing it unless it is a secret.
    pub(crate) fn reject_value(&mut self, key: &str, expected: &str) {
        let Some(found) = self.find(key) else { return };
        let is_plain = catalogue::by_key(key).is_some_and(|variable: &Variable| variable.mask == Mask::Nothing);
        let message = if is_plain {
            format!("\"{}\" (from {}) is not {expected}", found.text, found.origin)
        } else {
            format!("the value (from {}) is not {expected}", found.origin)
        };
        self.reject(key, message, format!("set it to {expected}"));
    }

    fn parse<T>(&mut self, key: &str, expected: &str, parse: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        let Some(found) = self.find(key) else {
            self.reject(key, "has no value", format!("set it to {expected}"));
            return None;
        };
        let value = parse(&found.text);
        if value.is_none() {
            self.reject_value(key, expected);
        }
        value
    }
}

fn text_of(value: &Value) -> String {
    match value {
        Value::String(_, text) => text.trim().to_owned(),
        Value::Char(_, character) => character.to_string(),
        Value::Bool(_, truth) => truth.to_string(),
        Value::Num(_, number) => text_of_number(*number),
        Value::Array(_, items) => items.iter().map(text_of).collect::<Vec<_>>().join(","),
        Value::Empty(..) | Value::Dict(..) => String::new(),
    }
}

fn text_of_number(number: Num) -> String {
    if let Some(whole) = number.to_i128() {
        return whole.to_string();
    }
    if let Some(whole) = number.to_u128() {
        return whole.to_string();
    }
    number.to_f64().map(|fraction| format!("{fraction:?}")).unwrap_or_default()
}
