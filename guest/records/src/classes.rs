//! Counting errors by kind, so that a million rows become a short table.

use serde::{Deserialize, Serialize};
use std::fmt;

/// How many line numbers a class keeps as examples.
const MAX_LINES: usize = 10;

/// The text of the class that takes what does not fit.
const OTHER: &str = "other";

/// `OperationOutcome.issue.severity`, the lightest first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IssueSeverity {
    /// Nothing is wrong; R5's `success` counts as this too.
    Information,
    /// Stored, perhaps with a loss.
    Warning,
    /// Not stored.
    #[default]
    Error,
    /// Not stored, and what followed may not be either.
    Fatal,
}

impl IssueSeverity {
    /// The FHIR code.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Information => "information",
            Self::Warning => "warning",
            Self::Error => "error",
            Self::Fatal => "fatal",
        }
    }

    /// True for the two that say that something was not stored.
    #[must_use]
    pub fn is_failure(self) -> bool {
        self >= Self::Error
    }

    /// Reads a code in any case; one that is missing or unknown counts as an error.
    pub(crate) fn read(code: Option<&str>) -> Self {
        match code.unwrap_or_default().to_ascii_lowercase().as_str() {
            "fatal" => Self::Fatal,
            "warning" => Self::Warning,
            "information" | "success" => Self::Information,
            _ => Self::Error,
        }
    }
}

impl fmt::Display for IssueSeverity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One kind of error and how often it came. Its serialised form is small: it is kept in checkpoints.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorClass {
    /// How bad.
    pub severity: IssueSeverity,
    /// `issue.code`, empty when absent.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub code: String,
    /// What the server said, with patient data hidden: see [`normalise`](crate::normalise()).
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
    /// How many issues.
    pub count: u64,
    /// The first source lines named, ten at most, as the server counts them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<u64>,
}

impl ErrorClass {
    fn is_other(&self) -> bool {
        self.code.is_empty() && self.text == OTHER
    }

    /// What makes it a kind of its own.
    fn key(&self) -> (IssueSeverity, &str, &str) {
        (self.severity, &self.code, &self.text)
    }

    fn absorb(&mut self, more: &Self) {
        self.severity = self.severity.max(more.severity);
        self.count = self.count.saturating_add(more.count);
        for line in &more.lines {
            if self.lines.len() < MAX_LINES && !self.lines.contains(line) {
                self.lines.push(*line);
            }
        }
    }
}

/// A bounded table of [`ErrorClass`]es. When it is full, errors of further kinds are counted in one class named
/// `other`, which has no lines and the worst severity that it met.
#[derive(Clone, Debug)]
pub struct ErrorClasses {
    max_classes: usize,
    /// In the order of [`ErrorClass::key`].
    classes: Vec<ErrorClass>,
    other: Option<ErrorClass>,
}

impl ErrorClasses {
    /// An empty table with room for `max_classes`, `other` not counted.
    #[must_use]
    pub fn new(max_classes: u32) -> Self {
        Self { max_classes: max_classes as usize, classes: Vec::new(), other: None }
    }

    /// Counts a class, or adds to one that is there already.
    pub fn add(&mut self, class: ErrorClass) {
        if class.is_other() {
            return self.add_other(&class);
        }
        match self.classes.binary_search_by(|known| known.key().cmp(&class.key())) {
            Ok(at) => self.classes[at].absorb(&class),
            Err(at) if self.classes.len() < self.max_classes => self.classes.insert(at, class),
            Err(_) => self.add_other(&class),
        }
    }

    /// Adds all classes of another table, such as one restored from a checkpoint.
    pub fn merge(&mut self, classes: impl IntoIterator<Item = ErrorClass>) {
        for class in classes {
            self.add(class);
        }
    }

    /// The classes, worst first, then by count; `other` comes last.
    #[must_use]
    pub fn into_classes(self) -> Vec<ErrorClass> {
        let mut classes = self.classes;
        classes.sort_unstable_by(|a, b| (b.severity, b.count).cmp(&(a.severity, a.count)).then(a.key().cmp(&b.key())));
        classes.extend(self.other);
        classes
    }

    fn add_other(&mut self, class: &ErrorClass) {
        let (severity, text) = (class.severity, OTHER.to_owned());
        let empty = ErrorClass { severity, code: String::new(), text, count: 0, lines: Vec::new() };
        self.other.get_or_insert(empty).absorb(&ErrorClass { lines: Vec::new(), ..class.clone() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(severity: IssueSeverity, text: &str, lines: &[u64]) -> ErrorClass {
        ErrorClass { severity, code: String::new(), text: text.to_owned(), count: 1, lines: lines.to_vec() }
    }

    fn table(classes: &ErrorClasses) -> Vec<(String, u64)> {
        classes.clone().into_classes().into_iter().map(|class| (class.text, class.count)).collect()
    }

    #[test]
    fn the_worst_comes_first_and_the_rest_is_other() {
        use IssueSeverity::{Error, Fatal, Warning};
        let mut classes = ErrorClasses::new(2);
        classes.merge([class(Error, "a", &[1]), class(Error, "b", &[2]), class(Warning, "c", &[3])]);
        classes.merge([class(Error, "b", &[2, 4]), class(Fatal, "d", &[5])]);
        let found = classes.clone().into_classes();
        assert_eq!(table(&classes), [("b".to_owned(), 2), ("a".to_owned(), 1), ("other".to_owned(), 2)]);
        assert_eq!((found[0].lines.clone(), found[2].lines.clone()), (vec![2, 4], vec![]));
        assert_eq!(found[2].severity, Fatal);
    }

    #[test]
    fn merging_tables_is_counting_everything_in_one() {
        let rows: Vec<_> = (0..30).map(|n| class(IssueSeverity::Error, &format!("t{}", n % 5), &[n])).collect();
        let (mut one, mut two) = (ErrorClasses::new(3), ErrorClasses::new(3));
        one.merge(rows.clone());
        for part in rows.chunks(7) {
            let mut table = ErrorClasses::new(3);
            table.merge(part.to_vec());
            two.merge(table.into_classes());
        }
        assert_eq!(table(&two).iter().map(|(_, count)| count).sum::<u64>(), 30);
        assert_eq!(table(&one).last(), Some(&("other".to_owned(), 12)));
    }

    #[test]
    fn lines_are_examples_and_few() {
        let mut classes = ErrorClasses::new(1);
        classes.merge((0..50).map(|line| class(IssueSeverity::Error, "a", &[line])));
        assert_eq!(classes.into_classes()[0].lines, (0..10).collect::<Vec<_>>());
    }

    #[test]
    fn the_stored_form_is_compact() {
        let text = serde_json::to_string(&class(IssueSeverity::Fatal, "a", &[])).unwrap();
        assert_eq!(text, r#"{"severity":"fatal","text":"a","count":1}"#);
        assert_eq!(serde_json::from_str::<ErrorClass>(&text).unwrap(), class(IssueSeverity::Fatal, "a", &[]));
    }
}
