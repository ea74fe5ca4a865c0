//! One file: its values as JSON, and the line of each.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

use serde_json::{Map, Number, Value};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::DialectFileError;

/// A step from a table or a list to what it holds.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    /// A key of a table.
    Key(String),
    /// An item of a list, counted from 0.
    Item(usize),
}

/// A path as people write it.
pub(super) struct Shown<'a>(pub(super) &'a [Step]);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys = self.0.iter().filter_map(|step| match step {
            Step::Key(key) => Some(key.as_str()),
            Step::Item(_) => None,
        });
        f.write_str(&keys.collect::<Vec<_>>().join("."))
    }
}

/// A file, read.
#[derive(Debug)]
pub(super) struct Source {
    /// As it was named.
    pub(super) name: String,
    /// What it says, without `extends`.
    pub(super) own: Map<String, Value>,
    /// What `extends` says.
    pub(super) extends: Option<Value>,
    /// The lines of all that it says.
    lines: BTreeMap<Vec<Step>, usize>,
}

impl Source {
    /// Reads a file.
    pub(super) fn parse(name: &str, text: &str) -> Result<Self, DialectFileError> {
        let at = |span: Range<usize>, message: &str| DialectFileError {
            file: name.to_owned(),
            line: line(text, span.start),
            message: message.lines().collect::<Vec<_>>().join(" "),
        };
        let table = DeTable::parse(text).map_err(|error| at(error.span().unwrap_or_default(), error.message()))?;
        let mut reading = Reading { text, at: Vec::new(), lines: BTreeMap::new() };
        let mut own = reading.table(table.get_ref()).map_err(|(span, message)| at(span, message))?;
        let extends = own.remove("extends");
        Ok(Self { name: name.to_owned(), own, extends, lines: reading.lines })
    }

    /// The line of what it says there, if it says something.
    pub(super) fn line(&self, at: &[Step]) -> Option<usize> {
        self.lines.get(at).copied()
    }

    /// All places where it says something.
    pub(super) fn places(&self) -> impl Iterator<Item = &Vec<Step>> {
        self.lines.keys()
    }

    /// An error at something that it says.
    pub(super) fn error(&self, at: &[Step], message: String) -> DialectFileError {
        DialectFileError { file: self.name.clone(), line: self.line(at).unwrap_or(1), message }
    }
}

/// What JSON does not have, and where.
type NoJson = (Range<usize>, &'static str);

struct Reading<'a> {
    text: &'a str,
    at: Vec<Step>,
    lines: BTreeMap<Vec<Step>, usize>,
}

impl Reading<'_> {
    fn table(&mut self, table: &DeTable<'_>) -> Result<Map<String, Value>, NoJson> {
        let mut read = Map::new();
        for (key, value) in table {
            let name = key.get_ref().to_string();
            let value = self.inside(Step::Key(name.clone()), key.span(), value)?;
            read.insert(name, value);
        }
        Ok(read)
    }

    fn inside(&mut self, step: Step, span: Range<usize>, value: &Spanned<DeValue<'_>>) -> Result<Value, NoJson> {
        self.at.push(step);
        self.lines.insert(self.at.clone(), line(self.text, span.start));
        let value = self.value(value);
        self.at.pop();
        value
    }

    fn value(&mut self, value: &Spanned<DeValue<'_>>) -> Result<Value, NoJson> {
        let none = |what| (value.span(), what);
        Ok(match value.get_ref() {
            DeValue::String(text) => Value::String(text.to_string()),
            DeValue::Boolean(truth) => Value::Bool(*truth),
            DeValue::Integer(number) => {
                let number = i64::from_str_radix(number.as_str(), number.radix());
                number.map_err(|_| none("this number is too large"))?.into()
            }
            DeValue::Float(number) => {
                let number = number.as_str().parse().ok().and_then(Number::from_f64);
                Value::Number(number.ok_or_else(|| none("a body cannot hold this number; write it as a text"))?)
            }
            DeValue::Datetime(_) => return Err(none("a date is written as a text, in quotes")),
            DeValue::Table(table) => Value::Object(self.table(table)?),
            DeValue::Array(items) => {
                let items = items.iter().enumerate();
                let items = items.map(|(index, item)| self.inside(Step::Item(index), item.span(), item));
                Value::Array(items.collect::<Result<_, _>>()?)
            }
        })
    }
}

fn line(text: &str, at: usize) -> usize {
    text.get(..at).map_or(1, |head| head.matches('\n').count() + 1)
}
