//! Subjects, key words and file names out of a text.

/// Words that say nothing about a subject.
const STOP_WORDS: &[&str] = &[
    "about",
    "after",
    "also",
    "always",
    "another",
    "answer",
    "before",
    "being",
    "between",
    "both",
    "came",
    "come",
    "could",
    "directory",
    "does",
    "each",
    "every",
    "file",
    "files",
    "find",
    "first",
    "folder",
    "folders",
    "from",
    "full",
    "give",
    "goes",
    "have",
    "help",
    "helps",
    "here",
    "into",
    "just",
    "know",
    "knows",
    "like",
    "list",
    "look",
    "made",
    "make",
    "makes",
    "many",
    "matter",
    "matters",
    "more",
    "most",
    "much",
    "must",
    "name",
    "names",
    "need",
    "needed",
    "needs",
    "never",
    "only",
    "open",
    "other",
    "output",
    "over",
    "please",
    "read",
    "save",
    "shall",
    "should",
    "some",
    "such",
    "take",
    "takes",
    "task",
    "tell",
    "tells",
    "text",
    "than",
    "that",
    "their",
    "them",
    "then",
    "there",
    "these",
    "they",
    "this",
    "those",
    "told",
    "under",
    "useful",
    "using",
    "very",
    "want",
    "wants",
    "well",
    "were",
    "what",
    "when",
    "where",
    "which",
    "while",
    "whole",
    "will",
    "with",
    "within",
    "without",
    "work",
    "works",
    "would",
    "write",
    "your",
];
/// Chinese words that say nothing about a subject.
const CHINESE_STOP_WORDS: &[&str] = &[
    "关于", "对于", "以及", "并且", "或者", "如果", "可以", "什么", "怎样", "如何", "一下", "下面", "这里", "他们", "它们",
    "我们", "问题",
];
/// Characters between which Chinese words stand.
const PARTICLES: &str = "的了和与或在是有把被对为从到请并就也都及给用它这那其里中一先再";
/// Endings of text files.
const EXTENSIONS: &[&str] = &[
    "md", "txt", "rst", "csv", "json", "yaml", "yml", "toml", "xml", "html", "css", "log", "ini", "cfg", "conf", "sql", "sh",
    "py", "rs", "js", "ts", "go", "java", "c", "h", "cpp", "rb", "php",
];
/// Characters of a subject at most, and Chinese ones.
const SUBJECT: usize = 90;
const CHINESE_SUBJECT: usize = 40;
/// Characters of a Chinese key word at most.
const CHINESE_WORD: usize = 8;

/// Whether a character is written without spaces around it.
pub(super) const fn is_cjk(character: char) -> bool {
    matches!(character, '\u{2e80}'..='\u{9fff}' | '\u{ac00}'..='\u{d7af}' | '\u{f900}'..='\u{faff}' | '\u{ff00}'..='\u{ffef}' | '\u{20000}'..='\u{3ffff}')
}

/// Whether a text is more Chinese than anything else: one Chinese character says about as much as two letters.
pub(super) fn is_chinese(text: &str) -> bool {
    let chinese = text.chars().filter(|c| is_cjk(*c)).count();
    let letters = text.chars().filter(char::is_ascii_alphabetic).count();
    chinese > 0 && chinese * 2 >= letters
}

/// The first sentence, on one line and not too long.
pub(super) fn subject(text: &str) -> String {
    let line = one_line(text);
    let mut end = line.len();
    let mut characters = line.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        let next = characters.peek().map(|(_, next)| *next);
        let ends = matches!(character, '。' | '！' | '？') || (matches!(character, '.' | '!' | '?') && next == Some(' '));
        if ends {
            end = at;
            break;
        }
    }
    let sentence = line.get(..end).unwrap_or_default().trim_end_matches(['.', '。', ':', '：']);
    let limit = if is_chinese(sentence) { CHINESE_SUBJECT } else { SUBJECT };
    without_markers(&shortened(sentence, limit))
}

/// A text on one line, at most so many characters.
pub(super) fn quote(text: &str, limit: usize) -> String {
    without_markers(&shortened(&one_line(text), limit))
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn shortened(text: &str, limit: usize) -> String {
    let Some((end, _)) = text.char_indices().nth(limit) else { return text.to_owned() };
    let cut = text.get(..end).unwrap_or_default();
    let at_word = cut.rfind(' ').filter(|at| *at > end / 2).map_or(cut, |at| cut.get(..at).unwrap_or(cut));
    format!("{at_word}…")
}

/// Takes the colon from words that mean a tool call to readers of text.
fn without_markers(text: &str) -> String {
    ["Action Input:", "Action:", "Observation:", "Final Answer:", "Thought:"]
        .iter()
        .fold(text.to_owned(), |text, marker| text.replace(marker, marker.trim_end_matches(':')))
}

/// Different words that say what a text is about, in their order; at least one.
pub(super) fn keywords(text: &str, limit: usize) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    // What stands in backticks is a name, and says nothing about the subject.
    let prose: String = text.split('`').step_by(2).collect::<Vec<_>>().join(" ");
    for word in prose.split(|c: char| !(c.is_alphanumeric() || c == '-' || c == '_')) {
        for part in parts(word) {
            let is_new = !found.iter().any(|known| known.eq_ignore_ascii_case(&part));
            if is_new && found.len() < limit {
                found.push(part);
            }
        }
    }
    if found.is_empty() {
        // Better a name, or any word, than nothing.
        let names = text.split('`').skip(1).step_by(2).map(str::trim).filter(|name| name.chars().any(char::is_alphanumeric));
        found.extend(names.take(limit).map(str::to_owned));
    }
    if found.is_empty() { vec![subject(text)] } else { found }
}

/// The key words in a run of letters and characters.
fn parts(word: &str) -> Vec<String> {
    if word.chars().any(is_cjk) {
        let telling = CHINESE_STOP_WORDS.iter().fold(word.to_owned(), |word, stop| word.replace(stop, " "));
        let chinese = telling.split(|c: char| !is_cjk(c) || PARTICLES.contains(c));
        return chinese.filter(|part| part.chars().count() > 1).map(|part| part.chars().take(CHINESE_WORD).collect()).collect();
    }
    let word = word.trim_matches(['-', '_']);
    let says = word.chars().count() > 3
        && !STOP_WORDS.contains(&word.to_lowercase().as_str())
        && !word.chars().all(|c| c.is_ascii_digit());
    if says { vec![word.to_owned()] } else { Vec::new() }
}

/// A name for a file, of small letters.
pub(super) fn slug(text: &str, seed: u64) -> String {
    let latin: Vec<String> =
        keywords(text, 6).into_iter().filter(|word| word.is_ascii()).map(|word| word.to_lowercase()).take(3).collect();
    let joined = latin.join("-").replace(['_', ' '], "-").replace(|c: char| !(c.is_ascii_alphanumeric() || c == '-'), "");
    if joined.is_empty() { format!("task-{:04x}", seed & 0xffff) } else { joined }
}

/// Relative names of text files that a text mentions; prose before code.
pub(super) fn file_names(text: &str) -> Vec<String> {
    let is_edge = |c: char| c.is_whitespace() || "`\"'()[]{}<>,;:，。；：、（）【】「」《》“”‘’|*".contains(c);
    let mut names: Vec<String> = text
        .split(is_edge)
        .map(|token| token.trim_end_matches(['.', '!', '?', '！', '？']).trim_start_matches("./"))
        .filter(|token| is_file_name(token))
        .map(str::to_owned)
        .collect();
    names.sort_by_key(|name| !["md", "txt"].contains(&extension(name)));
    names.dedup();
    names
}

fn is_file_name(token: &str) -> bool {
    let known = EXTENSIONS.contains(&extension(token));
    let stem = token.rsplit('/').next().unwrap_or_default();
    known && !stem.starts_with('.') && !token.starts_with(['/', '\\']) && !token.contains("..") && !token.contains("//")
}

fn extension(name: &str) -> &str {
    name.rsplit_once('.').map_or("", |(_, extension)| extension)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_is_the_first_sentence() {
        assert_eq!(subject("Find out about v1.2 of Rust.\n Then write."), "Find out about v1.2 of Rust");
        assert_eq!(subject("阅读客户的留言，判断类别。\n客户留言：登录不了"), "阅读客户的留言，判断类别");
        assert_eq!(subject("Action: do it"), "Action do it");
        assert!(subject(&"long words ".repeat(30)).chars().count() <= SUBJECT + 1);
        assert_eq!(subject(""), "");
    }

    #[test]
    fn key_words_say_what_a_text_is_about() {
        assert_eq!(
            keywords("Write about the Rust programming language and Rust tools", 9),
            ["Rust", "programming", "language", "tools"]
        );
        assert_eq!(keywords("判断它的类别和紧急程度", 9), ["判断", "类别", "紧急程度"]);
        assert_eq!(keywords("do it", 3), ["do it"]);
    }

    #[test]
    fn file_names_are_found_and_dangerous_ones_are_not() {
        assert_eq!(
            file_names("Save it as `report.md`, see src/main.rs (120 bytes) and e.g. this."),
            ["report.md", "src/main.rs"]
        );
        assert_eq!(file_names("the folder `.`:\nmain.py (3 bytes)\nREADME.md (1 byte)\n"), ["README.md", "main.py"]);
        assert_eq!(file_names("../up.md /etc/x.txt https://example.org/a.md .env.md"), Vec::<String>::new());
    }

    #[test]
    fn slugs_are_plain() {
        assert_eq!(slug("Report on Rust_2024 für Anfänger", 1), "report-rust-2024");
        assert_eq!(slug("判断类别", 0xabc), "task-0abc");
    }

    #[test]
    fn languages_are_told_apart() {
        assert!(is_chinese("一个 JSON 对象") && is_chinese("用 Markdown 写一份报告"));
        assert!(!is_chinese("Translate 你好 into English") && !is_chinese(""));
    }
}
