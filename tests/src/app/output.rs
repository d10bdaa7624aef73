//! What the process prints, collected while it runs.

use std::io::{BufRead, BufReader, Read};
use std::sync::{Arc, Mutex};

/// Lines of one process, both streams, in order of arrival per stream.
#[derive(Clone, Debug, Default)]
pub struct Output {
    stdout: Arc<Mutex<Vec<String>>>,
    stderr: Arc<Mutex<Vec<String>>>,
}

impl Output {
    /// Reads both streams to their end on threads of their own, so that the process never blocks on a full pipe.
    pub(crate) fn collect(stdout: impl Read + Send + 'static, stderr: impl Read + Send + 'static) -> Self {
        let output = Self::default();
        for (stream, lines) in [
            (Box::new(stdout) as Box<dyn Read + Send>, output.stdout.clone()),
            (Box::new(stderr) as Box<dyn Read + Send>, output.stderr.clone()),
        ] {
            std::thread::spawn(move || {
                let mut reader = BufReader::new(stream);
                let mut line = Vec::new();
                while matches!(reader.read_until(b'\n', &mut line), Ok(read) if read > 0) {
                    let text = String::from_utf8_lossy(&line).trim_end_matches(['\n', '\r']).to_owned();
                    lines.lock().expect("collector lives").push(text);
                    line.clear();
                }
            });
        }
        output
    }

    /// Lines of standard output so far.
    pub fn stdout(&self) -> Vec<String> {
        self.stdout.lock().expect("collector lives").clone()
    }

    /// Lines of standard error so far.
    pub fn stderr(&self) -> Vec<String> {
        self.stderr.lock().expect("collector lives").clone()
    }

    /// Whether both streams were read to their end: their threads have dropped their handles.
    pub(crate) fn ended(&self) -> bool {
        Arc::strong_count(&self.stdout) == 1 && Arc::strong_count(&self.stderr) == 1
    }

    /// The first address of this machine that standard output names.
    pub(crate) fn first_url(&self) -> Option<String> {
        self.stdout().iter().find_map(|line| url_in(line))
    }

    /// The end of both streams as a block for a failed test's report.
    pub fn report(&self) -> String {
        format!("--- stdout\n{}\n--- stderr\n{}\n---", tail(&self.stdout()), tail(&self.stderr()))
    }
}

/// The last lines only: an app shared by many tests says a lot.
fn tail(lines: &[String]) -> String {
    const SHOWN: usize = 150;
    lines.iter().skip(lines.len().saturating_sub(SHOWN)).cloned().collect::<Vec<_>>().join("\n")
}

/// `http://127.0.0.1:<port>` inside a line, without what follows the port.
fn url_in(line: &str) -> Option<String> {
    const START: &str = "http://127.0.0.1:";
    let from = line.find(START)?;
    let rest = line.get(from + START.len()..)?;
    let port: String = rest.chars().take_while(char::is_ascii_digit).collect();
    (!port.is_empty() && port != "0").then(|| format!("{START}{port}"))
}

#[cfg(test)]
mod tests {
    use super::url_in;

    #[test]
    fn finds_the_address_in_a_banner_line() {
        assert_eq!(url_in("  API   http://127.0.0.1:41234/docs  "), Some("http://127.0.0.1:41234".to_owned()));
        assert_eq!(url_in("\u{1b}[1mhttp://127.0.0.1:8\u{1b}[0m"), Some("http://127.0.0.1:8".to_owned()));
        assert_eq!(url_in("http://127.0.0.1:/"), None);
        assert_eq!(url_in("port 41234"), None);
    }
}
