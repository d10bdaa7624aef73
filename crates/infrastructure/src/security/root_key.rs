//! The secret that all keys of an installation are derived from.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::{fmt, process};

use aws_lc_rs::rand;
use thiserror::Error;

/// Bytes of a generated key.
const BYTES: usize = 32;
/// Bytes of a key at least.
const FEWEST_BYTES: usize = 32;

/// The root of derived keys. Never shown, never used as a key itself.
#[derive(Clone)]
pub struct RootKey(Vec<u8>);

/// Why there is no root key.
#[derive(Debug, Error)]
pub enum RootKeyError {
    /// It is too short to be one.
    #[error("a root key has at least {FEWEST_BYTES} bytes")]
    TooShort,
    /// The file is there, but was not written by crewd, or is damaged.
    #[error("the file {} does not hold a root key; restore it, or remove it if nothing was sealed with it", .0.display())]
    Damaged(PathBuf),
    /// The file can neither be read nor made.
    #[error("the file {} cannot be used: {source}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The system has no randomness.
    #[error("no random bytes can be drawn")]
    NoRandomness,
}

impl RootKey {
    /// The key of the settings, as it stands there.
    ///
    /// # Errors
    /// It is too short.
    pub fn from_text(text: &str) -> Result<Self, RootKeyError> {
        let bytes = text.trim().as_bytes();
        if bytes.len() < FEWEST_BYTES { Err(RootKeyError::TooShort) } else { Ok(Self(bytes.to_vec())) }
    }

    /// A key that dies with the process, for one that keeps nothing.
    ///
    /// # Errors
    /// There is no randomness.
    pub fn temporary() -> Result<Self, RootKeyError> {
        let mut bytes = [0_u8; BYTES];
        rand::fill(&mut bytes).map_err(|_| RootKeyError::NoRandomness)?;
        Ok(Self(hexadecimal(&bytes).into_bytes()))
    }

    /// The key in a file that only its owner can read. Without the file it is made, once: of several processes that
    /// try at the same moment one wins, and all take its key.
    ///
    /// # Errors
    /// See [`RootKeyError`]; a damaged file is never replaced, because what was sealed with it would be lost.
    pub fn of_file(path: &Path) -> Result<Self, RootKeyError> {
        let failed = |source: io::Error| RootKeyError::File { path: path.to_owned(), source };
        match fs::read(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            read => return Self::of_content(path, &read.map_err(failed)?),
        }
        let fresh = Self::temporary()?;
        fresh.put(path).map_err(failed)?;
        // Whoever was first has put it there.
        Self::of_content(path, &fs::read(path).map_err(failed)?)
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    fn of_content(path: &Path, content: &[u8]) -> Result<Self, RootKeyError> {
        let text = content.trim_ascii();
        let is_whole = text.len() == BYTES * 2 && text.iter().all(u8::is_ascii_hexdigit);
        if is_whole { Ok(Self(text.to_vec())) } else { Err(RootKeyError::Damaged(path.to_owned())) }
    }

    /// Puts the key into its place unless something is there. The file appears whole, by a link, and lasts.
    fn put(&self, path: &Path) -> io::Result<()> {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let draft = folder.join(format!(".secret-{}-{}", process::id(), self.name()?));
        let written = self.write(&draft).and_then(|()| match fs::hard_link(&draft, path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            linked => linked,
        });
        let removed = fs::remove_file(&draft);
        written.and(removed)?;
        File::open(folder)?.sync_all()
    }

    fn write(&self, draft: &Path) -> io::Result<()> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(draft)?;
        file.write_all(&self.0)?;
        file.write_all(b"\n")?;
        file.sync_all()
    }

    /// A name for the draft that no other thread draws. Nothing of the key is in it.
    fn name(&self) -> io::Result<String> {
        let mut bytes = [0_u8; 8];
        rand::fill(&mut bytes).map_err(io::Error::other)?;
        Ok(hexadecimal(&bytes))
    }
}

impl fmt::Debug for RootKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("RootKey(********)")
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::sync::Barrier;
    use std::thread;

    use tempfile::TempDir;

    use super::*;

    fn folder() -> TempDir {
        TempDir::new().expect("a temporary folder")
    }

    #[test]
    fn the_file_is_made_once_and_only_its_owner_reads_it() {
        let folder = folder();
        let path = folder.path().join("secret.key");
        let first = RootKey::of_file(&path).expect("a key");
        assert_eq!(RootKey::of_file(&path).expect("the key").0, first.0);
        assert_eq!(fs::metadata(&path).expect("a file").permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1, "no draft stays behind");
        assert_ne!(RootKey::temporary().expect("a key").0, first.0);
        assert_eq!(format!("{first:?}"), "RootKey(********)");
    }

    #[test]
    fn all_who_start_at_once_have_the_same_key() {
        let folder = folder();
        let path = folder.path().join("secret.key");
        let start = Barrier::new(8);
        let mut keys = thread::scope(|scope| {
            let make = || {
                start.wait();
                RootKey::of_file(&path).map(|key| key.0)
            };
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(make)).collect();
            threads.into_iter().map(|thread| thread.join().expect("no panic").expect("a key")).collect::<Vec<_>>()
        });
        keys.dedup();
        assert_eq!(keys.len(), 1);
    }

    #[test]
    fn a_damaged_file_is_left_and_told() {
        let folder = folder();
        let path = folder.path().join("secret.key");
        for content in ["", "abc", &"z".repeat(64), &"a".repeat(63), &"a".repeat(65)] {
            fs::write(&path, content).expect("a file");
            assert!(matches!(RootKey::of_file(&path), Err(RootKeyError::Damaged(_))), "{content}");
            assert_eq!(fs::read_to_string(&path).expect("the file"), content);
        }
        let missing = RootKey::of_file(&folder.path().join("no").join("secret.key"));
        assert!(matches!(missing, Err(RootKeyError::File { .. })));
    }

    #[test]
    fn a_key_of_the_settings_has_32_bytes() {
        assert!(RootKey::from_text(&"a".repeat(32)).is_ok());
        assert!(matches!(RootKey::from_text(&"a".repeat(31)), Err(RootKeyError::TooShort)));
    }
}
