//! Rust text without comments and without the contents of literals, line for line as long as the original.

/// Code that can be searched for words and braces.
pub(crate) struct Scrubbed(pub(crate) String);

/// Blanks comments and the contents of literals; lines keep their numbers.
pub(crate) fn scrub(text: &str) -> Scrubbed {
    let characters: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < characters.len() {
        let rest = &characters[at..];
        let length = match rest {
            ['/', '/', ..] => line_comment(rest),
            ['/', '*', ..] => block_comment(rest),
            ['"', ..] => quoted(rest, 0),
            ['b' | 'c', '"', ..] if !follows_word(&characters, at) => quoted(rest, 1),
            ['r', '"' | '#', ..] if !follows_word(&characters, at) => raw(rest, 1),
            ['b' | 'c', 'r', '"' | '#', ..] if !follows_word(&characters, at) => raw(rest, 2),
            ['\'', '\\', ..] => escaped_character(rest),
            ['\'', _, '\'', ..] => 3,
            _ => 0,
        };
        if length == 0 {
            out.push(characters[at]);
            at += 1;
        } else {
            let literal = &characters[at..at + length];
            let quote = if literal[0] == '/' { ' ' } else { '"' };
            out.push(quote);
            out.extend(literal[1..].iter().map(|character| if *character == '\n' { '\n' } else { ' ' }));
            at += length;
        }
    }
    Scrubbed(out)
}

fn follows_word(characters: &[char], at: usize) -> bool {
    at > 0 && (characters[at - 1].is_alphanumeric() || characters[at - 1] == '_')
}

fn line_comment(rest: &[char]) -> usize {
    rest.iter().position(|character| *character == '\n').unwrap_or(rest.len())
}

fn block_comment(rest: &[char]) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at + 1 < rest.len() {
        match (rest[at], rest[at + 1]) {
            ('/', '*') => (depth, at) = (depth + 1, at + 2),
            ('*', '/') => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    rest.len()
}

fn quoted(rest: &[char], prefix: usize) -> usize {
    let mut at = prefix + 1;
    while at < rest.len() {
        match rest[at] {
            '\\' => at += 2,
            '"' => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

/// A raw string; 0 for a raw identifier.
fn raw(rest: &[char], prefix: usize) -> usize {
    let hashes = rest[prefix..].iter().take_while(|character| **character == '#').count();
    if rest.get(prefix + hashes) != Some(&'"') {
        return 0;
    }
    let closing: Vec<char> = std::iter::once('"').chain(std::iter::repeat_n('#', hashes)).collect();
    let start = prefix + hashes + 1;
    let end = rest[start..].windows(closing.len()).position(|window| window == closing);
    end.map_or(rest.len(), |end| start + end + closing.len())
}

fn escaped_character(rest: &[char]) -> usize {
    rest.iter().skip(3).position(|character| *character == '\'').map_or(rest.len(), |end| end + 4)
}

#[test]
fn comments_and_literals_are_blanked() {
    let text =
        "let a = \"x { y\"; // b }\nlet r = r#\"z \" {\"#; let c = '{'; let l: &'static str = b\"}\";/* { /* } */ */ fn f() {}";
    let code = scrub(text).0;
    assert_eq!(code.lines().count(), 2);
    assert_eq!(code.matches('{').count(), 1, "{code}");
    assert_eq!(code.matches('}').count(), 1, "{code}");
    assert!(code.contains("&'static str"), "{code}");
    assert!(!code.contains('x') && !code.contains('z'), "{code}");
}
