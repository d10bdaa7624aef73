//! Which names of files and folders are refused, and why.

/// Longest name in bytes: what all common file systems take.
const NAME_BYTES: usize = 255;

/// Why a single name is refused, as the end of a sentence that begins with "a part of it".
pub(super) fn name_problem(name: &str) -> Option<&'static str> {
    if name.len() > NAME_BYTES {
        Some("is longer than 255 bytes")
    } else if name.chars().all(is_dot) {
        Some("consists of dots alone")
    } else if name.chars().any(is_separator) {
        Some("holds a character that looks like a slash, a backslash or a colon")
    } else if name.chars().any(is_invisible) {
        Some("holds a control character or an invisible one")
    } else if name.starts_with(char::is_whitespace) || name.ends_with(|c: char| c.is_whitespace() || is_dot(c)) {
        Some("begins with a space, or ends with a space or a dot")
    } else if has_percent_code(name) {
        Some("holds a percent code; write the character itself")
    } else if is_device(name) {
        Some("is the name of a device on some systems")
    } else {
        None
    }
}

/// A full stop, or what some system takes for one.
const fn is_dot(c: char) -> bool {
    matches!(c, '.' | '\u{2024}' | '\u{2025}' | '\u{2026}' | '\u{FE52}' | '\u{FE19}' | '\u{FF0E}')
}

/// Separates folders, drives or streams, or is taken for such a character when text is converted.
const fn is_separator(c: char) -> bool {
    matches!(
        c,
        '/' | '\\'
            | ':'
            | '\u{2044}'
            | '\u{2215}'
            | '\u{2216}'
            | '\u{2236}'
            | '\u{29F5}'
            | '\u{29F8}'
            | '\u{29F9}'
            | '\u{FE55}'
            | '\u{FE68}'
            | '\u{FF0F}'
            | '\u{FF1A}'
            | '\u{FF3C}'
    )
}

/// Not shown, or changes how its neighbours are shown: two names would look the same. The joiners that some
/// languages and pictures need are fine.
pub(crate) fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{00AD}' | '\u{061C}' | '\u{180E}' | '\u{200B}' | '\u{200E}' | '\u{200F}' | '\u{2028}'..='\u{202E}'
                | '\u{2060}'..='\u{206F}' | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}' | '\u{E0000}'..='\u{E007F}'
        )
}

/// `%` and two hexadecimal digits. Paths are not decoded here; who writes a code means something else by it.
fn has_percent_code(name: &str) -> bool {
    let is_code = |window: &[u8]| matches!(window, [b'%', high, low] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit());
    name.as_bytes().windows(3).any(is_code)
}

/// `CON`, `nul.txt`, `COM1` and their kin, which Windows opens as devices in every folder; also with the digits ¹ ² ³.
fn is_device(name: &str) -> bool {
    let stem = name.split_once('.').map_or(name, |(stem, _)| stem).trim_end().to_uppercase();
    if matches!(stem.as_str(), "CON" | "PRN" | "AUX" | "NUL" | "CONIN$" | "CONOUT$") {
        return true;
    }
    let port = stem.strip_prefix("COM").or_else(|| stem.strip_prefix("LPT"));
    matches!(port, Some("0" | "1" | "2" | "3" | "4" | "5" | "6" | "7" | "8" | "9" | "¹" | "²" | "³"))
}
