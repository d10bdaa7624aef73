//! Services of this program alone.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};

/// Those that were started. They end with this program: their input is a pipe that closes then, however it ends.
static HELD: Mutex<Vec<Child>> = Mutex::new(Vec::new());

/// Starts a service from what is installed; its address, or `None` where something is missing or it does not start.
pub(crate) fn start(name: &str) -> Option<String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/services.py");
    let mut child = Command::new("python3")
        .arg(script)
        .args(["hold", name, "--fast"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .ok()?;
    let mut line = String::new();
    BufReader::new(child.stdout.take()?).read_line(&mut line).ok()?;
    let url = line.trim().strip_prefix(name)?.strip_prefix('=')?.to_owned();
    HELD.lock().unwrap_or_else(PoisonError::into_inner).push(child);
    Some(url)
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_is_unknown_is_not_started() {
        assert_eq!(super::start("oracle"), None);
    }
}
