//! Making error messages equal when they differ by row only, and fit to be shown.
//!
//! A server's message may quote the record it is about. What could be patient data is replaced: quoted text, ids,
//! references, numbers, dates, addresses, whatever follows `name:` or `=`. What tells kinds of errors apart stays:
//! words, error codes, FHIR paths, exception classes, hosts. The rules see shapes, not meaning: a name that a server
//! puts into a sentence without quotes or a label stays.

use std::borrow::Cow;
use std::ops::RangeInclusive;

/// Longest result, in characters.
const MAX_CHARS: usize = 200;

/// How much of a message is read at all.
const MAX_READ: usize = 4096;

/// A longer word is a token, not a word.
const MAX_WORD: usize = 40;

/// Letters that come before a number in an error code, as in `HAPI-1094`. A list, since `MRN-1094` has the same shape.
const CODE_PREFIXES: [&str; 1] = ["HAPI"];

/// What follows one of these and a colon is hidden up to the next comma, semicolon or closing bracket.
const LABELS: &[&str] = &[
    "address",
    "authorization",
    "birthdate",
    "city",
    "display",
    "email",
    "family",
    "given",
    "id",
    "identifier",
    "mrn",
    "name",
    "password",
    "phone",
    "reference",
    "secret",
    "ssn",
    "text",
    "token",
    "value",
];

/// Zero-width characters and the controls of the bidirectional algorithm.
const INVISIBLE: [RangeInclusive<char>; 6] = [
    '\u{ad}'..='\u{ad}',
    '\u{61c}'..='\u{61c}',
    '\u{200b}'..='\u{200f}',
    '\u{202a}'..='\u{202e}',
    '\u{2060}'..='\u{206f}',
    '\u{feff}'..='\u{feff}',
];

/// Definitions of the standard; their names say which rule was broken.
const DEFINITIONS: [&str; 3] =
    ["http://hl7.org/fhir/CodeSystem/", "http://hl7.org/fhir/StructureDefinition/", "http://hl7.org/fhir/ValueSet/"];

/// The message in its normal form: one line of at most 200 characters, without what could be patient data.
#[must_use]
pub fn normalise(message: &str) -> String {
    let text = clean(message);
    let mut mask = Mask { rest: &text, out: String::new() };
    while mask.out.len() < MAX_CHARS * 4 && mask.step() {}
    shorten(mask.out)
}

/// Blanks and control characters become single spaces; characters that turn or hide text go.
fn clean(message: &str) -> String {
    let mut text = String::new();
    for c in message.chars().take(MAX_READ).filter(|c| !is_invisible(*c)) {
        if !(c.is_whitespace() || c.is_control()) {
            text.push(c);
        } else if !text.is_empty() && !text.ends_with(' ') {
            text.push(' ');
        }
    }
    text.truncate(text.trim_end().len());
    text
}

fn is_invisible(c: char) -> bool {
    INVISIBLE.iter().any(|range| range.contains(&c))
}

fn shorten(text: String) -> String {
    match text.char_indices().nth(MAX_CHARS) {
        None => text,
        Some(_) => text.chars().take(MAX_CHARS - 1).chain(['…']).collect(),
    }
}

/// Reads `rest` piece by piece and writes what may be seen.
struct Mask<'a> {
    rest: &'a str,
    out: String,
}

impl<'a> Mask<'a> {
    /// Deals with one piece; false at the end.
    fn step(&mut self) -> bool {
        let Some(first) = self.rest.chars().next() else { return false };
        let is_apostrophe = first == '\'' && self.out.ends_with(char::is_alphanumeric);
        match closing_quote(first).filter(|_| !is_apostrophe) {
            Some(closing) => self.quoted(first, closing),
            None if is_delimiter(first) => self.delimiter(first),
            None => self.word(),
        }
        true
    }

    /// Hides quoted text; without an end, everything that follows.
    fn quoted(&mut self, opening: char, closing: char) {
        self.skip(opening.len_utf8());
        self.skip(end_of_quote(self.rest, closing));
        self.out.push_str("\"…\"");
    }

    fn delimiter(&mut self, delimiter: char) {
        self.take(delimiter.len_utf8());
        if delimiter == '=' {
            self.hide(|c| c.is_whitespace() || is_end_of_value(c));
        }
    }

    fn word(&mut self) {
        let raw = self.rest.get(..end_of_word(self.rest)).unwrap_or(self.rest);
        let word = raw.trim_end_matches(['.', ':', '!', '?']);
        let masked = if word.is_empty() { Cow::Borrowed("") } else { mask_word(word, &self.out) };
        self.out.push_str(&masked);
        self.skip(word.len());
        self.take(raw.len() - word.len());
        if self.rest.starts_with(':') && LABELS.contains(&word.to_ascii_lowercase().as_str()) {
            self.take(1);
            self.hide(is_end_of_value);
        }
    }

    /// Replaces a value by a number sign, unless there is none or it is in quotes, which hide it anyway.
    fn hide(&mut self, is_end: fn(char) -> bool) {
        self.take(self.rest.len() - self.rest.trim_start().len());
        let first = self.rest.chars().next().unwrap_or(',');
        if is_end_of_value(first) || closing_quote(first).is_some() {
            return;
        }
        let bracketed = matches!(first, '(' | '[' | '{');
        self.take(usize::from(bracketed));
        self.skip(end_of_value(self.rest, if bracketed { is_end_of_value } else { is_end }));
        self.out.push('#');
    }

    fn take(&mut self, bytes: usize) {
        let (taken, rest) = self.rest.split_at_checked(bytes).unwrap_or((self.rest, ""));
        self.out.push_str(taken);
        self.rest = rest;
    }

    fn skip(&mut self, bytes: usize) {
        self.rest = self.rest.get(bytes..).unwrap_or("");
    }
}

fn closing_quote(opening: char) -> Option<char> {
    match opening {
        '"' | '\'' | '`' => Some(opening),
        '“' => Some('”'),
        '‘' => Some('’'),
        '«' => Some('»'),
        _ => None,
    }
}

/// Length of the quoted text and its closing quote, which is neither escaped nor inside a word.
fn end_of_quote(text: &str, closing: char) -> usize {
    let is_end = |at: usize| {
        let before = text.get(..at).unwrap_or("");
        let after = text.get(at + closing.len_utf8()..).unwrap_or("");
        !before.ends_with('\\') && !after.starts_with(char::is_alphanumeric)
    };
    let end = text.match_indices(closing).map(|(at, _)| at).find(|at| is_end(*at));
    end.map_or(text.len(), |at| at + closing.len_utf8())
}

fn is_delimiter(c: char) -> bool {
    c.is_whitespace() || "()[]{}<>,;=\"'`“”‘’«»:".contains(c)
}

/// Where the value ends, outside of quotes.
fn end_of_value(text: &str, is_end: fn(char) -> bool) -> usize {
    let mut in_quotes = false;
    let end = text.char_indices().find(|(_, c)| {
        in_quotes ^= *c == '"';
        !in_quotes && is_end(*c)
    });
    end.map_or(text.len(), |(at, _)| at)
}

fn is_end_of_value(c: char) -> bool {
    matches!(c, ',' | ';' | ')' | ']' | '}')
}

/// A word ends at a delimiter, but keeps an apostrophe between letters, and a colon inside an address or a time.
fn end_of_word(text: &str) -> usize {
    let mut before = ' ';
    for (at, c) in text.char_indices() {
        let after = text.get(at + c.len_utf8()..).unwrap_or("");
        let inside = match c {
            '\'' | '’' => before.is_alphanumeric() && after.starts_with(char::is_alphanumeric),
            ':' => after.starts_with("//") || !text.get(..at).unwrap_or("").bytes().all(|b| b.is_ascii_alphabetic()),
            _ => false,
        };
        if is_delimiter(c) && !inside {
            return at;
        }
        before = c;
    }
    text.len()
}

fn mask_word<'a>(word: &'a str, before: &str) -> Cow<'a, str> {
    if word.contains("://") {
        return mask_address(word);
    }
    if is_error_code(word) || is_http_status(word, before) || is_class(word) {
        return word.into();
    }
    if word.len() > 1 && word.contains('@') {
        return "<email>".into();
    }
    if word.contains('/') {
        return mask_slashes(word);
    }
    let harmless = word.chars().count() <= MAX_WORD
        && !word.contains(|c: char| c.is_numeric() || c == '\\')
        && (!word.contains('.') || is_path(word, before));
    if harmless { word.into() } else { "#".into() }
}

/// Keeps the host, and the name of a definition of the standard.
fn mask_address(word: &str) -> Cow<'_, str> {
    let is_name = |b: &u8| b.is_ascii_alphanumeric() || *b == b'-';
    if let Some(start) = DEFINITIONS.iter().find(|start| word.starts_with(**start)) {
        let name = word.bytes().skip(start.len()).take_while(is_name).count();
        return word.get(..start.len() + name).unwrap_or("<url>").into();
    }
    let (scheme, rest) = word.split_once("://").unwrap_or_default();
    let (host, path) = rest.split_at(rest.find(['/', '?', '#', '|', '…']).unwrap_or(rest.len()));
    if !host.bytes().chain(scheme.bytes()).all(|b| is_name(&b) || matches!(b, b'.' | b':' | b'+')) {
        return "<url>".into();
    }
    format!("{scheme}://{host}{}", if path.is_empty() { "" } else { "/…" }).into()
}

/// `HAPI-1094`.
fn is_error_code(word: &str) -> bool {
    word.split_once('-').is_some_and(|(prefix, number)| {
        CODE_PREFIXES.contains(&prefix) && (3..=6).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_digit())
    })
}

/// The `404` of `HTTP 404`.
fn is_http_status(word: &str, before: &str) -> bool {
    before.ends_with("HTTP ") && word.len() == 3 && word.bytes().all(|b| b.is_ascii_digit())
}

/// `ca.uhn.fhir.parser.DataFormatException`: two packages or more, a class in camel case, perhaps a method.
fn is_class(word: &str) -> bool {
    let is_package = |name: &str| {
        let letters = name.trim_end_matches(|c: char| c.is_ascii_digit());
        !letters.is_empty() && letters.bytes().all(|b| b.is_ascii_lowercase())
    };
    let is_camel = |name: &str| {
        name.starts_with(|c: char| c.is_ascii_uppercase()) && name.bytes().skip(1).any(|b| b.is_ascii_uppercase())
    };
    let is_name = |name: &str| name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'$');
    let packages = word.split('.').take_while(|name| is_package(name)).count();
    let mut rest = word.split('.').skip(packages).peekable();
    packages >= 2 && rest.peek().is_some_and(|name| is_camel(name)) && rest.all(is_name)
}

/// `Observation.subject`, or `.given` after a bracket.
fn is_path(word: &str, before: &str) -> bool {
    let is_element = |name: &str| {
        name.starts_with(|c: char| c.is_ascii_lowercase()) && name.bytes().all(|b| b.is_ascii_alphabetic())
    };
    let mut names = word.split('.');
    let root = names.next().unwrap_or("");
    let rooted = if root.is_empty() { before.ends_with([']', ')']) } else { crate::probe::is_type_name(root) };
    rooted && names.all(is_element)
}

/// `Patient/123` shows its type; `within/between` and `text/plain` are words; anything else is hidden.
fn mask_slashes(word: &str) -> Cow<'_, str> {
    let is_word =
        |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || matches!(b, b'-' | b'+'));
    match word.split_once('/') {
        Some((name, _)) if crate::probe::is_type_name(name) => format!("{name}/…").into(),
        _ if word.split('/').all(is_word) => word.into(),
        _ => "#".into(),
    }
}

#[cfg(test)]
mod tests;
