//! An operator's own dialect: a TOML file in the schema of the built-in ones, which may begin with `extends = "NAME"`, or
//! with `extends = "other.toml"`.
//!
//! What is wrong in a file is said with its line: by [`mistake`] when it does not have the schema, by [`templates`] when
//! a template cannot be filled, and by `Dialect::contradictions` when it could not work.

mod chain;
mod derived;
mod mistake;
mod reader;
mod source;
mod templates;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::{error, fmt, io};

use fhir_import_workflow::Dialect;

use crate::contract;
use chain::Whole;
pub use mistake::did_you_mean;
use reader::{Mistake, Wrong};
use serde_json::Value;
use source::Step;

/// A dialect, read and complete.
#[derive(Debug, Clone, PartialEq)]
pub struct DialectFile {
    /// Its name.
    pub name: String,
    /// What `DialectChoice::Defined` takes.
    pub definition: String,
}

/// What is wrong in a dialect file, where, and what would be right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DialectFileError {
    /// The file, as it was named.
    pub file: String,
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong, what was expected, and what to try.
    pub message: String,
}

impl fmt::Display for DialectFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.message)
    }
}

impl error::Error for DialectFileError {}

/// Reads a dialect file, and with `beside` the files that it extends: their paths are relative to the file that names
/// them, and begin with the folder of `name`.
///
/// # Errors
/// [`DialectFileError`] says in which line of which file what is wrong.
pub fn read_dialect(
    name: &str,
    text: &str,
    builtin: &[contract::Dialect],
    beside: &dyn Fn(&Path) -> io::Result<String>,
) -> Result<DialectFile, DialectFileError> {
    let whole = chain::load(name, text, builtin, beside)?;
    let dialect: Dialect = reader::read(&whole.value).map_err(|mistake| mistake::located(&whole, &mistake))?;
    if let Some(mistake) = whole.taken_away().iter().find_map(|at| no_such_key(&whole.value, at)) {
        return Err(mistake::located(&whole, &mistake));
    }
    if let Some((at, message)) = templates::fault(&whole.value) {
        return Err(whole.at(&at, message));
    }
    if let Some((key, message)) = useless(&dialect) {
        return Err(whole.at(&keys(key), message));
    }
    if let Some(why) = dialect.contradictions().first() {
        return Err(contradiction(&whole, why));
    }
    let definition = serde_json::to_string(&dialect).map_err(|error| whole.at(&[], error.to_string()))?;
    Ok(DialectFile { name: dialect.name, definition })
}

/// What is taken away leaves nothing to be read, so that a misspelt key would never be seen: it is read once more with
/// the `false` in its place.
fn no_such_key(value: &Value, at: &[Step]) -> Option<Mistake> {
    let mut value = value.clone();
    let (Step::Key(last), tables) = at.split_last()? else { return None };
    let mut table = &mut value;
    for step in tables {
        let Step::Key(key) = step else { return None };
        table = table.get_mut(key)?;
    }
    table.as_object_mut()?.insert(last.clone(), Value::Bool(false));
    let mistake = reader::read::<Dialect>(&value).err()?;
    (mistake.at() == at && matches!(mistake.what, Wrong::UnknownKey { .. })).then_some(mistake)
}

/// What has the schema, and could not be used: the key, and why.
fn useless(dialect: &Dialect) -> Option<(&'static str, String)> {
    let name = &dialect.name;
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_' || c == '.';
    if name.is_empty() || !name.chars().all(plain) {
        return Some(("name", format!("`name` cannot be {name:?}: write letters, digits, `-`, `_` and `.`")));
    }
    let empty = dialect.poll.rules.is_empty();
    empty.then(|| ("poll.rules", "`poll.rules` is empty: no answer would ever end an import".to_owned()))
}

/// A contradiction names the key that it begins with, or the variable, between backticks or braces.
fn contradiction(whole: &Whole, why: &str) -> DialectFileError {
    let named = why.split('`').skip(1).step_by(2).find_map(|key| whole.find(&keys(key)));
    let used = || templates::first_use(&whole.value, why.split_once("${")?.1.split_once('}')?.0);
    let at = named.or_else(used).unwrap_or_default();
    whole.at(&at, why.to_owned())
}

fn keys(path: &str) -> Vec<Step> {
    path.split('.').map(|key| Step::Key(key.to_owned())).collect()
}
