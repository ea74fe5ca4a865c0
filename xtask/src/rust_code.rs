//! Just enough of Rust's grammar to tell code from comments, text and tests.

use std::ops::Range;

/// A source file, seen twice. Both texts have the same length as the source.
pub struct RustCode {
    /// Comments are blanks.
    pub with_text: String,
    /// Comments and the insides of literals are blanks: braces and words are code.
    pub bare: String,
}

/// What a stretch of source is.
#[derive(Clone, Copy, PartialEq)]
enum Part {
    Code,
    Comment,
    Literal,
}

impl RustCode {
    /// Reads a source file.
    pub fn read(source: &str) -> Self {
        let mut code = Self { with_text: String::new(), bare: String::new() };
        let mut rest = source;
        while !rest.is_empty() {
            let (part, length) = next_part(rest);
            let (head, tail) = rest.split_at(length);
            code.with_text += &if part == Part::Comment { blank(head) } else { head.to_owned() };
            code.bare += &if part == Part::Code { head.to_owned() } else { blank(head) };
            rest = tail;
        }
        code
    }

    /// The same without modules and functions under `#[cfg(test)]`.
    pub fn without_tests(mut self) -> Self {
        while let Some(start) = self.bare.find("#[cfg(test)]") {
            let end = item_end(&self.bare, start);
            for text in [&mut self.with_text, &mut self.bare] {
                let blanked = blank(&text[start..end]);
                text.replace_range(start..end, &blanked);
            }
        }
        self
    }

    /// The names of modules that are files of their own and exist in tests only.
    pub fn test_modules(&self) -> impl Iterator<Item = &str> {
        self.bare.split("#[cfg(test)]").skip(1).filter_map(|after| {
            let item = after.split_once(['{', ';']).filter(|(head, _)| after[head.len()..].starts_with(';'))?.0;
            item.trim().trim_start_matches("pub(crate) ").strip_prefix("mod ")
        })
    }

    /// The functions with a body, from signature to closing brace.
    pub fn functions(&self) -> Vec<Range<usize>> {
        let starts = self.bare.match_indices("fn ").map(|(at, _)| at);
        let named = starts.filter(|at| !self.bare[..*at].ends_with(|c: char| c.is_alphanumeric() || c == '_'));
        let body = |at: usize| Some(self.bare.as_bytes()[item_end(&self.bare, at) - 1]) == Some(b'}');
        named.filter(|at| body(*at)).map(|at| at..item_end(&self.bare, at)).collect()
    }
}

/// Where the item that begins at `start` ends: after its `;`, or after the brace that closes its first one.
fn item_end(bare: &str, start: usize) -> usize {
    let mut depth = 0_usize;
    for (at, byte) in bare.bytes().enumerate().skip(start) {
        match byte {
            b'{' | b'(' | b'[' => depth += 1,
            b')' | b']' => depth = depth.saturating_sub(1),
            b'}' if depth <= 1 => return at + 1,
            b'}' => depth -= 1,
            b';' if depth == 0 => return at + 1,
            _ => {}
        }
    }
    bare.len()
}

fn blank(text: &str) -> String {
    text.bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' }).collect()
}

fn next_part(rest: &str) -> (Part, usize) {
    if rest.starts_with("//") {
        return (Part::Comment, rest.find('\n').unwrap_or(rest.len()));
    }
    if rest.starts_with("/*") {
        return (Part::Comment, block_comment(rest));
    }
    if let Some(length) = literal(rest) {
        return (Part::Literal, length);
    }
    let word = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
    let one = rest.chars().next().map_or(0, char::len_utf8);
    (Part::Code, word.max(one))
}

/// Block comments nest.
fn block_comment(rest: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < rest.len() {
        let bytes = &rest.as_bytes()[at..];
        if bytes.starts_with(b"/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if bytes.starts_with(b"*/") {
            (depth, at) = (depth - 1, at + 2);
        } else {
            at += 1;
        }
        if depth == 0 {
            return at;
        }
    }
    rest.len()
}

fn literal(rest: &str) -> Option<usize> {
    let prefix = rest.len() - rest.trim_start_matches(['b', 'c']).len();
    let after = &rest[prefix.min(1)..];
    if let Some(raw) = after.strip_prefix('r') {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        let inside = raw[hashes..].strip_prefix('"')?;
        let close = format!("\"{}", "#".repeat(hashes));
        let length = inside.find(&close).map_or(inside.len(), |at| at + close.len());
        return Some(rest.len() - inside.len() + length);
    }
    match after.as_bytes().first()? {
        b'"' => Some(rest.len() - after.len() + quoted(after, '"')?),
        b'\'' if is_character(after) => Some(rest.len() - after.len() + quoted(after, '\'')?),
        _ => None,
    }
}

/// `'a'` and `'\n'` are characters, `'a` is a lifetime.
fn is_character(after: &str) -> bool {
    let mut chars = after.chars().skip(1);
    chars.next() == Some('\\') || chars.next() == Some('\'')
}

fn quoted(text: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    for (at, character) in text.char_indices().skip(1) {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return Some(at + 1),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_go_and_text_stays() {
        let (one, two) = ("// one", "/* two /* nested */ */");
        let source = |one: &str, two: &str| format!("let a = \"// no comment\"; {one}\n{two} let b = 'x';");
        let code = RustCode::read(&source(one, two));
        assert_eq!(code.with_text, source(&blank(one), &blank(two)));
        assert!(!code.bare.contains("no comment") && !code.bare.contains('x'));
    }

    #[test]
    fn quotes_inside_of_literals_end_nothing() {
        for source in [r#""a \" {""#, r##"r#"a " {"#"##, r"'\''", r"b'{'", r#"b"{""#, r#"br"{""#] {
            let code = RustCode::read(&format!("{source} + after"));
            assert_eq!(code.bare.trim(), "+ after", "{source}");
        }
        assert_eq!(RustCode::read("fn f<'a>(x: &'a str) {}").bare, "fn f<'a>(x: &'a str) {}");
    }

    #[test]
    fn tests_are_no_code() {
        let source =
            "#[cfg(test)]\nmod far;\nfn keep() {}\n#[cfg(test)]\nmod tests { fn f() { \"}\"; } }\nfn also() {}";
        let code = RustCode::read(source);
        assert_eq!(code.test_modules().collect::<Vec<_>>(), ["far"]);
        let code = code.without_tests();
        assert_eq!(code.bare.split_whitespace().collect::<Vec<_>>(), ["fn", "keep()", "{}", "fn", "also()", "{}"]);
    }

    #[test]
    fn a_function_ends_with_its_brace() {
        let source = "trait T { fn none(&self); fn one(x: [u8; 2]) -> u8 { if true { 1 } else { 2 } } }";
        let code = RustCode::read(source);
        let bodies: Vec<&str> = code.functions().into_iter().map(|range| &source[range]).collect();
        assert_eq!(bodies, ["fn one(x: [u8; 2]) -> u8 { if true { 1 } else { 2 } }"]);
    }
}
