//! What an expected output asks for.

use super::counts::{Count, counts};
use super::words::is_chinese;

/// The form of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Json {
        /// Names of fields that the text mentions.
        fields: Vec<String>,
    },
    Table {
        rows: usize,
    },
    Numbered {
        items: usize,
    },
    Bullets {
        items: usize,
    },
    /// A title and sections.
    Report {
        sections: usize,
        /// Headings that the text asks for by name; they come last.
        named: Vec<String>,
    },
    Paragraphs {
        count: usize,
    },
    Sentences {
        count: usize,
    },
}

/// How long it is to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Length {
    /// Words, or Chinese characters, at least.
    pub(super) least: Option<usize>,
    /// Words, or Chinese characters, at most.
    pub(super) most: Option<usize>,
}

const SENTENCES: &[&str] = &["sentence", "sentences", "句", "句话"];
const PARAGRAPHS: &[&str] = &["paragraph", "paragraphs", "段", "自然段"];
const SECTIONS: &[&str] = &["section", "sections", "heading", "headings", "chapter", "chapters", "parts", "节", "章", "部"];
const LENGTHS: &[&str] = &["word", "words", "character", "characters", "字", "词"];
const ROWS: &[&str] = &["row", "rows", "entries", "行", "条"];
/// What is counted and is not an item of a list.
const NO_ITEMS: &[&str] = &["page", "pages", "percent", "minutes", "minute", "per", "页", "份", "篇", "张", "列", "columns"];
/// Chinese measure words of items.
const CHINESE_ITEMS: &[&str] = &["个", "条", "点", "项", "步", "种", "件", "则"];
const AT_MOST: &[&str] = &[
    "at most",
    "under ",
    "within ",
    "up to",
    "no more than",
    "less than",
    "maximum",
    "fewer than",
    "以内",
    "不超过",
    "最多",
    "以下",
];

/// Reads what is expected. Unclear wishes give two paragraphs.
pub(super) fn shape(expected: &str) -> Shape {
    let named = quoted(expected);
    // What a heading says is no wish.
    let text = named.iter().fold(expected.to_lowercase(), |text, heading| text.replace(&heading.to_lowercase(), ""));
    let counts = counts(&text);
    let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
    let part = |units: &[&str]| counts.iter().find(|count| count.counts(units)).and_then(Count::parts);
    if has(&["json"]) {
        return Shape::Json { fields: fields(expected) };
    }
    if has(&["table", "表格"]) && !has(&["table of contents"]) {
        let rows = counts.iter().filter(|count| !count.counts(NO_ITEMS)).find(|count| count.counts(ROWS)).and_then(Count::parts);
        return Shape::Table { rows: rows.unwrap_or(3) };
    }
    if has(&["numbered", "ordered list", "step-by-step", "steps", "编号", "步骤", "有序列表"]) {
        return Shape::Numbered { items: items(&counts).unwrap_or(3) };
    }
    let is_report =
        has(&["report", "section", "heading", "article", "blog", "review in", "报告", "章节", "小标题", "文章", "标题"]);
    if has(&["bullet", "bulleted", "要点", "无序列表"])
        || (!is_report && has(&["list", "points", "列表", "清单", "条目", "列出"]))
    {
        return Shape::Bullets { items: items(&counts).unwrap_or(3) };
    }
    if is_report || !named.is_empty() {
        let sections = part(SECTIONS).unwrap_or(if named.is_empty() { 2 } else { 0 });
        return Shape::Report { sections, named };
    }
    if has(&["paragraph"]) || part(PARAGRAPHS).is_some() {
        return Shape::Paragraphs { count: part(PARAGRAPHS).unwrap_or(if has(&["paragraphs"]) { 2 } else { 1 }) };
    }
    if part(SENTENCES).is_some() || has(&["sentence", "一句话"]) {
        return Shape::Sentences { count: part(SENTENCES).unwrap_or(1) };
    }
    if let Some(items) = items(&counts).filter(|items| *items > 1) {
        return Shape::Bullets { items };
    }
    Shape::Paragraphs { count: 2 }
}

/// Reads how long it is to be.
pub(super) fn length(expected: &str) -> Length {
    let Some(amount) = counts(expected).iter().find(|count| count.counts(LENGTHS)).map(|count| count.value) else {
        return Length::default();
    };
    let text = expected.to_lowercase();
    if AT_MOST.iter().any(|word| text.contains(word)) {
        Length { most: Some(amount), least: None }
    } else {
        Length { least: Some(amount), most: None }
    }
}

/// The first number that counts items.
fn items(counts: &[Count]) -> Option<usize> {
    let other = [SENTENCES, PARAGRAPHS, SECTIONS, LENGTHS, NO_ITEMS].concat();
    let mut candidates = counts
        .iter()
        .filter(|count| if count.is_chinese() { count.directly_counts(CHINESE_ITEMS) } else { !count.counts(&other) });
    candidates.find_map(Count::parts)
}

/// Texts in quotation marks: headings that are asked for by name.
fn quoted(text: &str) -> Vec<String> {
    const MARKS: &[(char, char)] = &[('"', '"'), ('“', '”'), ('「', '」'), ('《', '》')];
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((at, open)) = rest.char_indices().find(|(_, c)| MARKS.iter().any(|(open, _)| open == c)) {
        let close = MARKS.iter().find(|(mark, _)| *mark == open).map_or('"', |(_, close)| *close);
        let after = rest.get(at + open.len_utf8()..).unwrap_or_default();
        let Some(end) = after.find(close) else { break };
        let heading = after.get(..end).unwrap_or_default().trim();
        if !heading.is_empty() && heading.chars().count() <= 40 && !heading.contains('\n') {
            found.push(heading.to_owned());
        }
        rest = after.get(end + close.len_utf8()..).unwrap_or_default();
    }
    found
}

/// Names of fields: words in backticks, or else small ASCII words in a Chinese text or behind a word for fields.
fn fields(text: &str) -> Vec<String> {
    let is_name = |word: &str| {
        word.starts_with(|c: char| c.is_ascii_lowercase()) && word.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    let mut names: Vec<String> = text.split('`').skip(1).step_by(2).filter(|word| is_name(word)).map(str::to_owned).collect();
    if names.is_empty() {
        let behind = ["fields", "keys", "properties", "with", "containing"];
        let start = behind.iter().find_map(|word| text.find(word).map(|at| at + word.len()));
        let part = if is_chinese(text) { Some(text) } else { start.and_then(|at| text.get(at..)) };
        let part = part.unwrap_or_default().split(['.', '。']).next().unwrap_or_default();
        let fillers = ["json", "and", "or", "the", "a", "an", "fields", "keys", "properties", "with", "for", "of", "object"];
        let words = part.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
        names = words.filter(|word| word.len() > 1 && is_name(word) && !fillers.contains(word)).map(str::to_owned).collect();
    }
    names.dedup();
    names.truncate(12);
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wishes_become_shapes() {
        let cases = [
            ("Exactly five bullet points about it", Shape::Bullets { items: 5 }),
            ("Five to eight findings as a list. Each is one or two sentences", Shape::Bullets { items: 5 }),
            ("A list of findings, the gravest first", Shape::Bullets { items: 3 }),
            ("A numbered list of 4 steps", Shape::Numbered { items: 4 }),
            ("A table in Markdown with one row per file", Shape::Table { rows: 3 }),
            ("A markdown table with 6 rows", Shape::Table { rows: 6 }),
            ("Three paragraphs of plain text", Shape::Paragraphs { count: 3 }),
            ("A short paragraph", Shape::Paragraphs { count: 1 }),
            ("One sentence", Shape::Sentences { count: 1 }),
            ("A summary in two sentences.", Shape::Sentences { count: 2 }),
            ("写 3 段", Shape::Paragraphs { count: 3 }),
            ("200 字以内：一句问候，三到五个编号步骤", Shape::Numbered { items: 3 }),
            ("五条要点", Shape::Bullets { items: 5 }),
            (
                "A report: a title and a section \"Next steps\"",
                Shape::Report { sections: 0, named: vec!["Next steps".to_owned()] },
            ),
            ("一句话总结", Shape::Sentences { count: 1 }),
            ("", Shape::Paragraphs { count: 2 }),
            ("A good answer", Shape::Paragraphs { count: 2 }),
        ];
        for (expected, wanted) in cases {
            assert_eq!(shape(expected), wanted, "{expected}");
        }
    }

    #[test]
    fn reports_have_the_headings_they_ask_for() {
        let text =
            "A report in Markdown of 300 to 500 words: a title, two or three sections, and a last section \"What to read next\"";
        assert_eq!(shape(text), Shape::Report { sections: 2, named: vec!["What to read next".to_owned()] });
        assert_eq!(length(text), Length { least: Some(300), most: None });
        let text = "A review in Markdown of at most one page: \"Must be fixed\", and “Well done”.";
        assert_eq!(shape(text), Shape::Report { sections: 0, named: vec!["Must be fixed".to_owned(), "Well done".to_owned()] });
        assert_eq!(length("200 字以内"), Length { least: None, most: Some(200) });
    }

    #[test]
    fn fields_of_json_are_named() {
        let named = |fields: &[&str]| Shape::Json { fields: fields.iter().map(|name| (*name).to_owned()).collect() };
        assert_eq!(
            shape("一个 JSON 对象，包含 category、urgency 和 missing 三个字段"),
            named(&["category", "urgency", "missing"])
        );
        assert_eq!(shape("A JSON object with title, body and tags."), named(&["title", "body", "tags"]));
        assert_eq!(shape("JSON: `name` and `age` of the person"), named(&["name", "age"]));
        assert_eq!(shape("JSON"), named(&[]));
    }
}
