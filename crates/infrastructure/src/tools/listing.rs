//! What is in a folder, as text for a model.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use cap_std::fs::{Dir, Metadata};

use crate::files::{Jail, JailError, JailPath, Stop, is_invisible};

/// Characters that an entry takes besides its text: the end of its line, and what a folder is found to be later.
const BESIDES_TEXT: usize = 6;

/// What to list.
pub(super) struct Wish {
    /// The folder.
    pub(super) path: JailPath,
    /// How many levels, from 1.
    pub(super) levels: u64,
    /// Begin after this name on the first level; empty means from the start.
    pub(super) after: String,
    /// How many characters the entries may take together.
    pub(super) room: usize,
}

/// The entries of a folder, and what is not among them.
#[derive(Debug, Default)]
pub(super) struct Listing {
    entries: Vec<Entry>,
    left_out: Option<LeftOut>,
    /// Characters that are left.
    room: usize,
}

#[derive(Debug)]
struct Entry {
    /// Relative to the listed folder.
    path: PathBuf,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    File(u64),
    Folder(Opened),
    Link,
    Special,
}

/// What became of a folder inside the listed one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Opened {
    NotYet,
    Listed,
    Empty,
    Unreadable,
    Private,
}

/// A folder that had more entries than there was room for.
#[derive(Debug)]
struct LeftOut {
    folder: PathBuf,
    entries: usize,
    last_shown: Option<String>,
}

impl Listing {
    /// Reads level by level, so that what is near the top is there even when the room is used up. Links are named and
    /// not followed. Blocks.
    pub(super) fn read(jail: &Jail, wish: &Wish, stop: &Stop) -> Result<Self, JailError> {
        let (top, real_path) = jail.open_folder(&wish.path)?;
        let mut listing = Self { room: wish.room, ..Self::default() };
        listing.add(&top, Path::new(""), &wish.after, stop)?;
        let mut level = 0..listing.entries.len();
        for _ in 1..wish.levels {
            let next = listing.entries.len();
            for place in level {
                listing.open_folder(jail, &top, &real_path, place, stop)?;
            }
            level = next..listing.entries.len();
        }
        listing.entries.sort_by(|one, other| one.path.cmp(&other.path));
        Ok(listing)
    }

    /// Lists the folder at a place among the entries, unless the room is used up.
    fn open_folder(&mut self, jail: &Jail, top: &Dir, real_path: &Path, place: usize, stop: &Stop) -> Result<(), JailError> {
        let Some(Entry { path, kind: Kind::Folder(_) }) = self.entries.get(place) else { return Ok(()) };
        let path = path.clone();
        if self.left_out.is_some() {
            return Ok(());
        }
        let before = self.entries.len();
        let opened = if jail.is_private(&real_path.join(&path)) {
            Opened::Private
        } else {
            match top.open_dir(&path).map_err(JailError::from).and_then(|folder| self.add(&folder, &path, "", stop)) {
                Ok(()) if self.entries.len() == before && self.left_out.is_none() => Opened::Empty,
                Ok(()) => Opened::Listed,
                Err(JailError::Stopped) => return Err(JailError::Stopped),
                Err(_) => Opened::Unreadable,
            }
        };
        if let Some(entry) = self.entries.get_mut(place) {
            entry.kind = Kind::Folder(opened);
        }
        Ok(())
    }

    /// Adds the entries of one folder, sorted, as long as there is room.
    fn add(&mut self, folder: &Dir, path: &Path, after: &str, stop: &Stop) -> Result<(), JailError> {
        let mut names = Vec::new();
        for entry in folder.entries()? {
            stop.check()?;
            let name = entry?.file_name();
            if after.is_empty() || name.as_os_str() > OsStr::new(after) {
                names.push(name);
            }
        }
        names.sort_unstable();
        let mut last_shown = None;
        let mut left = names.len();
        for name in names {
            stop.check()?;
            // One that has gone meanwhile is no entry any more.
            if let Ok(metadata) = folder.symlink_metadata(&name) {
                let entry = Entry { path: path.join(&name), kind: Kind::of(&metadata) };
                let Some(room) = self.room.checked_sub(entry.show().chars().count() + BESIDES_TEXT) else {
                    self.left_out = Some(LeftOut { folder: path.to_owned(), entries: left, last_shown });
                    return Ok(());
                };
                self.room = room;
                self.entries.push(entry);
                last_shown = Some(shown_name(&name.to_string_lossy()));
            }
            left -= 1;
        }
        Ok(())
    }

    /// The listing as text; the label tells which of several folders it is.
    pub(super) fn show(&self, wish: &Wish, label: Option<&str>) -> String {
        let place = label.map(|label| format!(" in {label}")).unwrap_or_default();
        if self.entries.is_empty() && wish.after.is_empty() {
            return format!("The folder `{}`{place} is empty.", wish.path);
        }
        let mut text = format!("The folder `{}`{place}:", wish.path);
        if !wish.after.is_empty() {
            let _ = write!(text, "\n[Entries of this folder up to `{}` are not shown.]", shown_name(&wish.after));
        }
        for entry in &self.entries {
            text.push('\n');
            text.push_str(&entry.show());
        }
        if let Some(left_out) = &self.left_out {
            text.push('\n');
            text.push_str(&left_out.show(wish));
        }
        text
    }
}

impl Kind {
    fn of(metadata: &Metadata) -> Self {
        if metadata.is_symlink() {
            Self::Link
        } else if metadata.is_dir() {
            Self::Folder(Opened::NotYet)
        } else if metadata.is_file() {
            Self::File(metadata.len())
        } else {
            Self::Special
        }
    }
}

impl Entry {
    fn show(&self) -> String {
        let name = shown_path(&self.path);
        match self.kind {
            Kind::File(1) => format!("{name} (1 byte)"),
            Kind::File(size) => format!("{name} ({size} bytes)"),
            Kind::Folder(Opened::Listed) => format!("{name}/"),
            Kind::Folder(Opened::NotYet) => format!("{name}/ (not opened)"),
            Kind::Folder(Opened::Empty) => format!("{name}/ (empty)"),
            Kind::Folder(Opened::Unreadable) => format!("{name}/ (cannot be read)"),
            Kind::Folder(Opened::Private) => format!("{name}/ (closed to tools)"),
            Kind::Link => format!("{name} (link, not followed)"),
            Kind::Special => format!("{name} (neither file nor folder)"),
        }
    }
}

impl LeftOut {
    fn show(&self, wish: &Wish) -> String {
        let (count, asked) = (self.entries, &wish.path);
        let folder = match (shown_path(&self.folder), asked.as_str()) {
            (inside, _) if inside.is_empty() => asked.to_string(),
            (inside, ".") => inside,
            (inside, asked) => format!("{asked}/{inside}"),
        };
        let after = self.last_shown.as_ref().map(|name| format!(" and after `{name}`")).unwrap_or_default();
        format!(
            "[{count} more entries of `{folder}` are not shown. To see them, call directory_read with path `{folder}`{after}.]"
        )
    }
}

fn shown_path(path: &Path) -> String {
    let parts: Vec<String> = path.iter().map(|part| shown_name(&part.to_string_lossy())).collect();
    parts.join("/")
}

/// A name in one line, with nothing invisible: it must not look like another entry, or like text of ours.
fn shown_name(name: &str) -> String {
    let mut shown = String::with_capacity(name.len());
    for c in name.chars() {
        if is_invisible(c) {
            shown.extend(c.escape_unicode());
        } else {
            shown.push(c);
        }
    }
    shown
}
