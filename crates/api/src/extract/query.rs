//! Parameters of the query. What nobody asks for is refused.

use std::convert::Infallible;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use chrono::{DateTime, Utc};

use crate::error::{ApiError, Problems, pointer_to};

/// The parameters of a query and what is wrong with them.
#[derive(Debug, Default)]
pub(crate) struct Query {
    pairs: Vec<(String, String)>,
    problems: Problems,
}

impl<S: Sync> FromRequestParts<S> for Query {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        if parts.uri.query().is_none_or(str::is_empty) {
            return Ok(Self::default());
        }
        let pairs = axum::extract::Query::try_from_uri(&parts.uri).map(|axum::extract::Query(pairs)| pairs);
        Ok(Self { pairs: pairs.unwrap_or_default(), problems: Problems::default() })
    }
}

impl Query {
    /// A query of these parameters.
    #[cfg(test)]
    pub(crate) fn of(pairs: &[(&str, &str)]) -> Self {
        let pairs = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Self { pairs, problems: Problems::default() }
    }

    /// Whether a parameter is given.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.pairs.iter().any(|(key, _)| key == name)
    }

    /// A parameter as text. Given twice it is refused.
    pub(crate) fn text(&mut self, name: &str) -> Option<String> {
        let index = self.pairs.iter().position(|(key, _)| key == name)?;
        let (_, value) = self.pairs.swap_remove(index);
        if self.pairs.iter().any(|(key, _)| key == name) {
            self.pairs.retain(|(key, _)| key != name);
            self.add("invalid_parameter", name, "is given more than once");
            return None;
        }
        Some(value)
    }

    /// A parameter that names something: no control character can be in it, and none reaches a database.
    pub(crate) fn label(&mut self, name: &str) -> Option<String> {
        let text = self.text(name)?;
        if text.chars().any(char::is_control) {
            self.add("invalid_characters", name, "holds a control character");
            return None;
        }
        Some(text)
    }

    /// A whole number within a range.
    pub(crate) fn number<T: FromStr + PartialOrd + Display>(&mut self, name: &str, range: RangeInclusive<T>) -> Option<T> {
        let text = self.text(name)?;
        let number = text.parse().ok().filter(|number| range.contains(number));
        if number.is_none() {
            self.add("out_of_range", name, format!("must be an integer from {} to {}", range.start(), range.end()));
        }
        number
    }

    /// `true` or `false`.
    pub(crate) fn boolean(&mut self, name: &str) -> Option<bool> {
        let text = self.text(name)?;
        let value = text.parse().ok();
        if value.is_none() {
            self.add("invalid_parameter", name, "must be true or false");
        }
        value
    }

    /// An instant as RFC 3339 text.
    pub(crate) fn instant(&mut self, name: &str) -> Option<DateTime<Utc>> {
        // A `+` of a zone that was not encoded has become a blank.
        let text = self.text(name)?.replace(' ', "+");
        let instant = DateTime::parse_from_rfc3339(&text).ok();
        if instant.is_none() {
            self.add("invalid_parameter", name, "must be a time as RFC 3339 writes it, such as 2026-01-31T12:00:00Z");
        }
        instant.map(|instant| instant.to_utc())
    }

    /// A comma-separated list of names out of a closed set; empty without the parameter. What was sent is not repeated.
    pub(crate) fn names<T>(&mut self, name: &str, parse: impl Fn(&str) -> Option<T>) -> Vec<T> {
        let Some(text) = self.text(name) else { return Vec::new() };
        let mut found = Vec::new();
        for item in text.split(',').map(str::trim) {
            match parse(item) {
                Some(value) => found.push(value),
                None => self.add("unknown_value", name, "holds something that is none of its values"),
            }
        }
        found
    }

    /// All parameters that begin with a prefix, without it.
    pub(crate) fn with_prefix(&mut self, prefix: &str) -> Vec<(String, String)> {
        let (found, rest) = std::mem::take(&mut self.pairs)
            .into_iter()
            .partition::<Vec<_>, _>(|(key, _)| key.strip_prefix(prefix).is_some_and(|rest| !rest.is_empty()));
        self.pairs = rest;
        if found.iter().any(|(key, value)| key.chars().chain(value.chars()).any(char::is_control)) {
            self.add("invalid_characters", prefix.trim_end_matches('.'), "holds a control character");
        }
        found.into_iter().map(|(key, value)| (key.strip_prefix(prefix).unwrap_or_default().to_owned(), value)).collect()
    }

    /// Adds a problem with a parameter.
    pub(crate) fn add(&mut self, reason: &'static str, name: &str, message: impl Into<String>) {
        self.problems.add(reason, pointer_to("", name), message);
    }

    /// Refuses what nobody asked for, together with everything else that is wrong.
    ///
    /// # Errors
    /// `validation_failed`.
    pub(crate) fn finish(mut self) -> Result<(), ApiError> {
        for (name, _) in std::mem::take(&mut self.pairs) {
            let shown = crewd_domain::crews::excerpt(&name);
            self.problems.add("unknown_filter", pointer_to("", &shown), "is not a parameter of this route");
        }
        self.problems.check()
    }
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    async fn query(text: &str) -> Query {
        let (mut parts, ()) = Request::builder().uri(format!("/x?{text}")).body(()).unwrap().into_parts();
        Query::from_request_parts(&mut parts, &()).await.unwrap()
    }

    #[tokio::test]
    async fn unknown_parameters_are_refused_by_name() {
        let mut asked = query("limit=5&colour=red").await;
        assert_eq!(asked.number("limit", 1..=200), Some(5_u32));
        let error = asked.finish().unwrap_err();
        assert_eq!(error.details().reason.as_deref(), Some("unknown_filter"));
        assert_eq!(error.details().fields[0].pointer, "/colour");
    }

    #[tokio::test]
    async fn numbers_keep_to_their_range() {
        for text in
            ["limit=0", "limit=201", "limit=-1", "limit=ten", "limit=", "limit", "limit=1.5", "limit=99999999999999999999"]
        {
            let mut asked = query(text).await;
            assert_eq!(asked.number::<u32>("limit", 1..=200), None, "{text}");
            assert_eq!(asked.finish().unwrap_err().details().reason.as_deref(), Some("out_of_range"), "{text}");
        }
    }

    #[tokio::test]
    async fn a_parameter_comes_once() {
        let mut asked = query("after=1&after=2").await;
        assert_eq!(asked.text("after"), None);
        assert!(asked.finish().unwrap_err().message().contains("more than once"));
    }

    #[tokio::test]
    async fn instants_may_have_a_zone() {
        let mut asked =
            query("a=2026-01-01T00:00:00Z&b=2026-01-01T01:00:00+01:00&c=2026-01-01T01:00:00%2B01:00&d=yesterday").await;
        let first = asked.instant("a").unwrap();
        assert_eq!((asked.instant("b"), asked.instant("c")), (Some(first), Some(first)));
        assert_eq!(asked.instant("d"), None);
        assert!(asked.finish().is_err());
    }

    #[tokio::test]
    async fn prefixes_and_lists() {
        let mut asked = query("metadata.a=1&metadata.b=2&metadata=3&metadata.=4&status=x,y").await;
        assert_eq!(asked.with_prefix("metadata."), [("a".to_owned(), "1".to_owned()), ("b".to_owned(), "2".to_owned())]);
        assert_eq!(asked.names("status", |name| (name == "x").then_some(1)), [1]);
        let error = asked.finish().unwrap_err();
        let pointers: Vec<_> = error.details().fields.iter().map(|field| field.pointer.as_str()).collect();
        assert_eq!(pointers, ["/status", "/metadata", "/metadata."]);
    }
}
