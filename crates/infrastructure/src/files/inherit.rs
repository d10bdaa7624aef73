//! Files of a run that goes on where another one stopped.

use std::io::Read;
use std::path::{Path, PathBuf};

use cap_std::fs::Dir;
use crewd_domain::shared::{RunId, TenantId};

use super::blocking::Stop;
use super::error::JailError;
use super::jail::Jail;
use super::path::JailPath;
use super::run_files::JailedRunFiles;
use super::writing::WriteMode;

/// Files that are copied at most; no run makes so many.
const MOST_FILES: usize = 10_000;

/// Copies what the second run does not have yet. Links are left out: they mean nothing elsewhere. Blocks.
pub(super) fn inherit(
    files: &JailedRunFiles,
    tenant: &TenantId,
    (from, to): (RunId, RunId),
    stop: &Stop,
) -> Result<(), JailError> {
    let Some(source) = files.existing(tenant, from)? else { return Ok(()) };
    let own = files.existing(tenant, to)?;
    let mut found = Vec::new();
    collect(source.folder(), Path::new(""), &mut found)?;
    for name in found {
        let Ok(path) = JailPath::file(&name) else { continue };
        if has(own.as_ref(), &path) {
            continue;
        }
        let (mut file, _) = source.open_file(&path)?;
        let mut content = Vec::new();
        file.read_to_end(&mut content).map_err(JailError::Io)?;
        files.write_now((tenant, to), &path, &content, (WriteMode::Replace, true), stop)?;
    }
    Ok(())
}

fn has(own: Option<&Jail>, path: &JailPath) -> bool {
    own.is_some_and(|jail| jail.open_file(path).is_ok())
}

/// Relative paths of all files, with `/` between their parts.
fn collect(folder: &Dir, inside: &Path, found: &mut Vec<String>) -> Result<(), JailError> {
    for entry in folder.entries().map_err(JailError::Io)? {
        let entry = entry.map_err(JailError::Io)?;
        let kind = entry.file_type().map_err(JailError::Io)?;
        let path: PathBuf = inside.join(entry.file_name());
        if kind.is_dir() {
            collect(&entry.open_dir().map_err(JailError::Io)?, &path, found)?;
        } else if kind.is_file() && found.len() < MOST_FILES {
            let parts: Vec<_> = path.components().map(|part| part.as_os_str().to_string_lossy()).collect();
            found.push(parts.join("/"));
        }
    }
    Ok(())
}
