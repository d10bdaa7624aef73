//! Addresses with places for arguments: in the path and in the query, never before them.

use serde_json::{Map, Value};
use thiserror::Error;

use super::template::{Template, TemplateError, is_dot_segment, percent_encode};

/// An `http` or `https` address whose scheme, host and port are fixed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressTemplate {
    origin: String,
    path: Template,
    query: Option<Template>,
}

/// Why a text is no address template.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum AddressError {
    /// Another scheme, or none.
    #[error("it must begin with `http://` or `https://`")]
    Scheme,
    /// Nothing, or no host name, between the scheme and the path.
    #[error("the host must be a plain name or number, with a port if need be")]
    Host,
    /// A user name or password.
    #[error("it must not hold a user name or password; put credentials into `secret_headers`")]
    Credentials,
    /// An argument before the path.
    #[error("arguments may stand in the path and the query only, never in scheme, host or port")]
    ArgumentInOrigin,
    /// A fragment, which is never sent.
    #[error("it must not have a part after `#`: that is never sent")]
    Fragment,
    /// Blanks, control characters, backslashes, characters outside of ASCII, a percent sign without its two digits.
    #[error("blanks, backslashes and characters outside of ASCII must be percent-encoded, and so must a `%` itself")]
    Characters,
    /// `.` or `..` in the path.
    #[error("the path must not hold `.` or `..`")]
    DotSegment,
    /// The braces.
    #[error(transparent)]
    Template(#[from] TemplateError),
}

impl AddressTemplate {
    /// Reads an address.
    ///
    /// # Errors
    /// See [`AddressError`].
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        if !text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\') || !is_encoded(text) {
            return Err(AddressError::Characters);
        }
        if text.contains('#') {
            return Err(AddressError::Fragment);
        }
        let lower = text.to_ascii_lowercase();
        let scheme = ["https://", "http://"].into_iter().find(|scheme| lower.starts_with(scheme)).ok_or(AddressError::Scheme)?;
        let rest = text.get(scheme.len()..).unwrap_or_default();
        let (authority, after) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        check_authority(authority)?;
        let (path, query) = match after.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (after, None),
        };
        if path.split('/').any(is_dot_segment) {
            return Err(AddressError::DotSegment);
        }
        Ok(Self {
            origin: format!("{scheme}{}", authority.to_ascii_lowercase()),
            path: Template::parse(if path.is_empty() { "/" } else { path })?,
            query: query.map(Template::parse).transpose()?,
        })
    }

    /// Scheme, host and port, in lower case.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The names in braces.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.path.names().chain(self.query.iter().flat_map(Template::names))
    }

    /// The address with these arguments and these further parameters of the query.
    ///
    /// # Errors
    /// Arguments that are missing or would change the structure of the address.
    pub fn fill(&self, arguments: &Map<String, Value>, parameters: &[(String, String)]) -> Result<String, TemplateError> {
        let mut address = format!("{}{}", self.origin, self.path.encoded_path(arguments)?);
        let mut separator = '?';
        if let Some(query) = &self.query {
            address.push(separator);
            address.push_str(&query.encoded(arguments)?);
            separator = '&';
        }
        for (name, value) in parameters {
            address.push(separator);
            percent_encode(name, &mut address);
            address.push('=');
            percent_encode(value, &mut address);
            separator = '&';
        }
        Ok(address)
    }
}

/// Whether every percent sign has its two digits: half an encoding could be completed by an argument.
fn is_encoded(text: &str) -> bool {
    text.split('%').skip(1).all(|after| after.get(..2).is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit())))
}

fn check_authority(authority: &str) -> Result<(), AddressError> {
    if authority.contains(['{', '}']) {
        return Err(AddressError::ArgumentInOrigin);
    }
    if authority.contains('@') {
        return Err(AddressError::Credentials);
    }
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (inside, after) = rest.split_once(']').ok_or(AddressError::Host)?;
            let is_address = inside.parse::<std::net::Ipv6Addr>().is_ok();
            (
                is_address.then_some(inside).ok_or(AddressError::Host)?,
                after.strip_prefix(':').or((after.is_empty()).then_some("0")),
            )
        }
        None => match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, Some("0")),
        },
    };
    let is_host = !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._:".contains(&byte));
    let is_port = port.is_some_and(|port| port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok());
    if is_host && is_port { Ok(()) } else { Err(AddressError::Host) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fill(template: &str, arguments: Value) -> Result<String, TemplateError> {
        AddressTemplate::parse(template).unwrap().fill(arguments.as_object().unwrap(), &[])
    }

    #[test]
    fn arguments_go_into_path_and_query() {
        let address = "HTTPS://ERP.example.com:8443/invoices/{invoice}/payments?by={who}";
        let template = AddressTemplate::parse(address).unwrap();
        assert_eq!(template.origin(), "https://erp.example.com:8443");
        assert_eq!(template.names().collect::<Vec<_>>(), ["invoice", "who"]);
        let filled = fill(address, json!({"invoice": "A/1", "who": "a&b=c"})).unwrap();
        assert_eq!(filled, "https://erp.example.com:8443/invoices/A%2F1/payments?by=a%26b%3Dc");
        let more = [("dry".to_owned(), "no no".to_owned()), ("x&y".to_owned(), String::new())];
        let template = AddressTemplate::parse("http://[::1]:9").unwrap();
        assert_eq!(template.fill(&Map::new(), &more).unwrap(), "http://[::1]:9/?dry=no%20no&x%26y=");
        assert_eq!(fill("http://h/?a={b}", json!({"b": ""})).unwrap(), "http://h/?a=");
    }

    #[test]
    fn the_path_keeps_its_structure() {
        for value in ["..", ".", ""] {
            assert!(fill("http://h/a/{b}/c", json!({ "b": value })).is_err(), "{value:?}");
        }
        assert_eq!(fill("http://h/a/{b}", json!({"b": "/../x?y#z"})).unwrap(), "http://h/a/%2F..%2Fx%3Fy%23z");
    }

    #[test]
    fn addresses_that_mean_something_else_are_refused() {
        for (text, error) in [
            ("ftp://h/", AddressError::Scheme),
            ("//h/", AddressError::Scheme),
            ("{scheme}://h/", AddressError::Scheme),
            ("http://", AddressError::Host),
            ("http:///x", AddressError::Host),
            ("http://h:port/", AddressError::Host),
            ("http://h:70000/", AddressError::Host),
            ("http://[zz]/", AddressError::Host),
            ("http://[::1/", AddressError::Host),
            ("http://a b/", AddressError::Characters),
            ("http://h/\\x", AddressError::Characters),
            ("http://h/名", AddressError::Characters),
            ("http://h/%2{a}", AddressError::Characters),
            ("http://h/100%", AddressError::Characters),
            ("http://me:pass@h/", AddressError::Credentials),
            ("http://{host}/", AddressError::ArgumentInOrigin),
            ("http://h:{port}/", AddressError::ArgumentInOrigin),
            ("http://h{a}", AddressError::ArgumentInOrigin),
            ("http://h/#top", AddressError::Fragment),
            ("http://h/a/../b", AddressError::DotSegment),
            ("http://h/%2E%2e/b", AddressError::DotSegment),
        ] {
            assert_eq!(AddressTemplate::parse(text), Err(error), "{text}");
        }
        assert!(matches!(AddressTemplate::parse("http://h/{"), Err(AddressError::Template(_))));
    }
}
