//! Where traces go.

use secrecy::SecretString;

use crate::reader::{Choice, Reader};
use crate::sections::llm::is_endpoint;
use crate::variable::Variable;

pub(crate) const VARIABLES: &[Variable] = &[
    Variable::new("otlp.endpoint", "APP_OTLP_ENDPOINT")
        .address()
        .also(&["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"]),
    Variable::new("otlp.protocol", "APP_OTLP_PROTOCOL")
        .also(&["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"]),
    Variable::new("otlp.headers", "APP_OTLP_HEADERS")
        .secret()
        .also(&["OTEL_EXPORTER_OTLP_TRACES_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS"]),
    Variable::new("otlp.sample_ratio", "APP_TRACE_SAMPLE_RATIO").also(&["OTEL_TRACES_SAMPLER_ARG"]),
];

/// How traces are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OtlpProtocol {
    /// Protobuf over HTTP, usually port 4318.
    HttpProtobuf,
    /// gRPC, usually port 4317.
    Grpc,
}

impl Choice for OtlpProtocol {
    const WORDS: &'static [(&'static str, Self)] = &[("http/protobuf", Self::HttpProtobuf), ("grpc", Self::Grpc)];
}

/// The `otlp` section.
#[derive(Debug, Clone)]
pub struct OtlpSettings {
    /// Address of the collector; without one nothing is sent.
    pub endpoint: Option<String>,
    /// How traces are sent.
    pub protocol: OtlpProtocol,
    /// Header names and values sent along, such as an authorization.
    pub headers: Vec<(String, SecretString)>,
    /// Share of new traces that is sent, 0 to 1; traces begun elsewhere follow their caller's decision.
    pub sample_ratio: f64,
}

impl OtlpSettings {
    pub(crate) fn read(reader: &mut Reader) -> Self {
        let endpoint = reader.text("otlp.endpoint");
        if endpoint.as_deref().is_some_and(|url| !is_endpoint(url)) {
            reader.reject_value("otlp.endpoint", "an address such as http://127.0.0.1:4318");
        }
        let pairs: Vec<_> = reader.list("otlp.headers").iter().map(|pair| header(pair)).collect();
        if pairs.iter().any(Option::is_none) {
            reader.reject_value("otlp.headers", "a list of name=value, comma separated");
        }
        Self {
            endpoint,
            protocol: reader.choice("otlp.protocol").unwrap_or(OtlpProtocol::HttpProtobuf),
            headers: pairs.into_iter().flatten().collect(),
            sample_ratio: reader.fraction("otlp.sample_ratio", 0.0..=1.0),
        }
    }
}

/// `name=value`, the value percent-encoded as the standard asks (`Basic%20…`).
fn header(pair: &str) -> Option<(String, SecretString)> {
    let (name, value) = pair.split_once('=')?;
    let name = name.trim().to_ascii_lowercase();
    let is_token = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    let value = percent_decoded(value.trim())?;
    is_token.then(|| (name, SecretString::from(value)))
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut parts = text.split('%');
    let mut bytes = parts.next()?.as_bytes().to_vec();
    for part in parts {
        let code = part.get(..2).and_then(|code| u8::from_str_radix(code, 16).ok());
        match code {
            Some(byte) => {
                bytes.push(byte);
                bytes.extend_from_slice(part.get(2..)?.as_bytes());
            }
            // A bare percent sign stands for itself: values are often pasted unencoded.
            None => {
                bytes.push(b'%');
                bytes.extend_from_slice(part.as_bytes());
            }
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_values_are_percent_decoded() {
        assert_eq!(percent_decoded("Basic%20abc%3D").as_deref(), Some("Basic abc="));
        assert_eq!(percent_decoded("100%").as_deref(), Some("100%"));
        assert_eq!(percent_decoded("%zz").as_deref(), Some("%zz"));
        assert_eq!(percent_decoded("%ff"), None);
        assert!(header("Authorization=Basic a==").is_some());
        assert!(header("no-value").is_none());
        assert!(header("bad name=x").is_none());
    }
}
