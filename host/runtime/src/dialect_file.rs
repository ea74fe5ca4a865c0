//! An operator's own dialect file: TOML in the schema of the built-in ones, which may begin with `extends = "NAME"`.

use std::fmt;

use fhir_import_workflow::Dialect;
use toml::{Table, Value};

use crate::contract;

/// A dialect, read and complete.
#[derive(Debug, Clone, PartialEq)]
pub struct DialectFile {
    /// Its name.
    pub name: String,
    /// What `DialectChoice::Defined` takes.
    pub definition: String,
}

/// What is wrong in a dialect file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DialectFileError {
    /// The line, counted from 1, when it is known.
    pub line: Option<usize>,
    /// What is wrong.
    pub message: String,
}

impl fmt::Display for DialectFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "line {line}: {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

impl std::error::Error for DialectFileError {}

/// Reads a dialect file.
///
/// # Errors
/// [`DialectFileError`] says in which line what is wrong.
pub fn read_dialect(text: &str, builtin: &[contract::Dialect]) -> Result<DialectFile, DialectFileError> {
    let mut own: Table = toml::from_str(text).map_err(|error| located(text, &error))?;
    let dialect: Dialect = match own.remove("extends") {
        None => toml::from_str(text).map_err(|error| located(text, &error))?,
        Some(Value::String(name)) => {
            let mut whole = base(text, &name, builtin)?;
            merge(&mut whole, own);
            Value::Table(whole).try_into().map_err(|error| found(text, &error))?
        }
        Some(_) => return Err(at_key(text, "extends", "`extends` is the name of a built-in dialect, in quotes")),
    };
    let definition = serde_json::to_string(&dialect).map_err(|error| nowhere(&error.to_string()))?;
    Ok(DialectFile { name: dialect.name, definition })
}

fn base(text: &str, name: &str, builtin: &[contract::Dialect]) -> Result<Table, DialectFileError> {
    let Some(dialect) = builtin.iter().find(|d| d.name == name) else {
        let known: Vec<&str> = builtin.iter().map(|d| d.name.as_str()).collect();
        let message = format!("`extends` names {name:?}, which is not built in; known are {}", known.join(", "));
        return Err(at_key(text, "extends", &message));
    };
    serde_json::from_str(&dialect.definition).map_err(|error| nowhere(&error.to_string()))
}

/// Tables are merged; everything else, lists too, is replaced.
fn merge(whole: &mut Table, own: Table) {
    for (key, value) in own {
        match (whole.get_mut(&key), value) {
            (Some(Value::Table(below)), Value::Table(above)) => merge(below, above),
            (_, value) => {
                whole.insert(key, value);
            }
        }
    }
}

fn located(text: &str, error: &toml::de::Error) -> DialectFileError {
    let line = error.span().map(|span| text.get(..span.start).map_or(1, |head| head.matches('\n').count() + 1));
    DialectFileError { line, message: one_line(error.message()) }
}

/// After merging, an error knows the name of a field, not where it stands: the file is searched for it.
fn found(text: &str, error: &toml::de::Error) -> DialectFileError {
    let message = one_line(error.message());
    match message.split('`').nth(1) {
        Some(field) => at_key(text, field, &message),
        None => nowhere(&message),
    }
}

fn at_key(text: &str, key: &str, message: &str) -> DialectFileError {
    let line = text.lines().position(|line| line.contains(key)).map(|i| i + 1);
    DialectFileError { line, message: message.to_owned() }
}

fn nowhere(message: &str) -> DialectFileError {
    DialectFileError { line: None, message: message.to_owned() }
}

fn one_line(message: &str) -> String {
    message.lines().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn builtin() -> Vec<contract::Dialect> {
        let text = include_str!("../../../guest/dialects/dialects/hapi.toml");
        let hapi: Dialect = toml::from_str(text).unwrap();
        let definition = serde_json::to_string(&hapi).unwrap();
        vec![contract::Dialect { name: hapi.name, title: hapi.title, proven: hapi.proven, definition }]
    }

    #[test]
    fn an_own_file_changes_only_what_it_names() {
        let text = "extends = \"hapi\"\nname = \"ours\"\n[kick-off]\npath = \"$bulk-import\"\n";
        let own = read_dialect(text, &builtin()).unwrap();
        let dialect: Dialect = serde_json::from_str(&own.definition).unwrap();
        assert_eq!((own.name.as_str(), dialect.kick_off.path.as_str()), ("ours", "$bulk-import"));
        assert_eq!(dialect.kick_off.prefer.as_deref(), Some("respond-async"));
    }

    #[test]
    fn a_spelling_mistake_is_named_with_its_line() {
        for text in ["extends = \"hapi\"\n[kick-off]\n\nprefre = \"x\"\n", "name = \"x\"\n\n\nprefre = 1\n"] {
            let error = read_dialect(text, &builtin()).unwrap_err();
            assert_eq!(error.line, Some(4), "{error}");
            assert!(error.message.contains("prefre"), "{error}");
        }
        assert_eq!(read_dialect("name = \n", &builtin()).unwrap_err().line, Some(1));
        assert_eq!(read_dialect("extends = \"hapy\"\n", &builtin()).unwrap_err().line, Some(1));
    }
}
