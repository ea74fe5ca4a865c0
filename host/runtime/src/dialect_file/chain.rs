//! A file with all that it extends, down to one that is complete.

use std::io;
use std::path::{Component, Path, PathBuf};

use fhir_import_workflow::dialect::extend;
use serde_json::{Map, Value};

use super::mistake::did_you_mean;
use super::source::{Source, Step};
use super::{DialectFileError, derived};
use crate::contract;

/// More files than a person would lay upon each other: it has no end.
const MOST: usize = 16;

/// A dialect in full, and the files that it is made of.
#[derive(Debug)]
pub(super) struct Whole {
    /// What it says.
    pub(super) value: Value,
    /// The operator's file, then what it extends.
    files: Vec<Source>,
}

impl Whole {
    /// An error at a place: in the line of the outermost file that says something there, else of what is around it.
    pub(super) fn at(&self, at: &[Step], message: String) -> DialectFileError {
        let around = (0..=at.len()).rev().map(|length| &at[..length]);
        let found =
            around.into_iter().find_map(|at| self.files.iter().find(|file| file.line(at).is_some()).zip(Some(at)));
        match found {
            Some((file, at)) => file.error(at, message),
            None => self.files[0].error(&[], message),
        }
    }

    /// The place, if there is something, or a file takes it away.
    pub(super) fn find(&self, at: &[Step]) -> Option<Vec<Step>> {
        self.files.iter().any(|file| file.line(at).is_some()).then(|| at.to_vec())
    }

    /// Whether a file takes away what another one has there.
    pub(super) fn takes_away(&self, at: &[Step]) -> bool {
        let says = |file: &Source| {
            let mut value = None;
            for step in at {
                let Step::Key(key) = step else { return false };
                value = value.map_or_else(|| file.own.get(key), |table: &Value| table.get(key));
                if value.is_none() {
                    return false;
                }
            }
            value == Some(&Value::Bool(false))
        };
        self.files.iter().any(says)
    }

    /// All places where a file takes something away.
    pub(super) fn taken_away(&self) -> Vec<Vec<Step>> {
        let places = self.files.iter().flat_map(Source::places).filter(|at| self.takes_away(at));
        places.cloned().collect()
    }

    /// Whether the file extends nothing.
    pub(super) fn is_alone(&self) -> bool {
        self.files[0].extends.is_none()
    }
}

/// Reads a file, and all that it extends.
pub(super) fn load(
    name: &str,
    text: &str,
    builtin: &[contract::Dialect],
    beside: &dyn Fn(&Path) -> io::Result<String>,
) -> Result<Whole, DialectFileError> {
    let mut files = vec![Source::parse(name, text)?];
    let mut value = loop {
        let outer = files.last().expect("there is the operator's file");
        match &outer.extends {
            None => break Map::new(),
            Some(Value::String(base)) if is_file(base) => {
                let path = path_beside(&outer.name, base);
                round(&files, &path)?;
                let inner = beside(Path::new(&path)).map_err(|error| unreadable(outer, base, &path, &error))?;
                files.push(Source::parse(&path, &inner)?);
            }
            Some(Value::String(base)) => break definition(outer, base, builtin)?,
            Some(_) => {
                let message = "`extends` is a text: the name of a built-in dialect, or the path of a .toml file";
                return Err(at_extends(outer, message.to_owned()));
            }
        }
    };
    let mut files_inside_out = files.iter().rev();
    if value.is_empty()
        && let Some(first) = files_inside_out.next()
    {
        extend(&mut value, first.own.clone());
    }
    files_inside_out.for_each(|file| derived::lay_over(&mut value, file));
    Ok(Whole { value: Value::Object(value), files })
}

fn is_file(base: &str) -> bool {
    base.ends_with(".toml") || base.contains('/')
}

/// The path of a file that another one names.
fn path_beside(file: &str, base: &str) -> String {
    let joined = Path::new(file).parent().unwrap_or(Path::new("")).join(base);
    let mut path = PathBuf::new();
    for part in joined.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if matches!(path.components().next_back(), Some(Component::Normal(_))) => {
                path.pop();
            }
            part => path.push(part),
        }
    }
    path.to_string_lossy().into_owned()
}

/// Fails when a file is among those that extend it.
fn round(files: &[Source], next: &str) -> Result<(), DialectFileError> {
    let outer = files.last().expect("there is the operator's file");
    let same = |file: &Source| path_beside("", &file.name) == next;
    if let Some(first) = files.iter().position(same) {
        let names: Vec<&str> = files[first..].iter().map(|file| file.name.as_str()).chain([next]).collect();
        let way = names.join(" extends ");
        return Err(at_extends(
            outer,
            format!("`extends` comes back to where it began: {way}; one of them must end it"),
        ));
    }
    if files.len() == MOST {
        return Err(at_extends(outer, format!("`extends` goes on through more than {MOST} files")));
    }
    Ok(())
}

fn unreadable(outer: &Source, base: &str, path: &str, error: &io::Error) -> DialectFileError {
    let message = format!(
        "`extends` names {base}, and {path} cannot be read ({error}); a path begins at the folder of the file that names \
         it, and a built-in dialect has no .toml and no /"
    );
    at_extends(outer, message)
}

fn definition(
    outer: &Source,
    name: &str,
    builtin: &[contract::Dialect],
) -> Result<Map<String, Value>, DialectFileError> {
    let Some(dialect) = builtin.iter().find(|dialect| dialect.name == name) else {
        let known: Vec<&str> = builtin.iter().map(|dialect| dialect.name.as_str()).collect();
        let hint = did_you_mean(name, &known);
        let known = known.join(", ");
        let message = format!(
            "`extends` names {name:?}, which is not built in{hint}; built in are {known}; a file ends in .toml"
        );
        return Err(at_extends(outer, message));
    };
    serde_json::from_str(&dialect.definition).map_err(|error| at_extends(outer, error.to_string()))
}

fn at_extends(file: &Source, message: String) -> DialectFileError {
    file.error(&[Step::Key("extends".to_owned())], message)
}
