//! The body of a kick-off, from the template of a dialect.
//!
//! The template is JSON. In its strings, `${input.type}`, `${input.url}`, `${input.etag}`, `${import.id}`,
//! `${import.source}`, `${job.id}` (the same in every kick-off of one job, and in no other) and `${set.NAME}` stand for
//! values. An object in an array that has `"$each": "input"` is
//! repeated for each input. That is all: what differs between servers is the template.

use serde_json::{Map, Value};

use crate::plan::Plan;
use crate::request::Input;

/// Why a body cannot be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BodyError {
    /// The dialect needs a setting that was not given.
    MissingSetting(String),
    /// The template has a variable that does not exist.
    UnknownVariable(String),
}

const EACH: &str = "$each";

/// Fills a template for the inputs of one job.
///
/// # Errors
/// [`BodyError`] names the variable.
pub fn fill(template: &Value, job: &Job<'_>) -> Result<Value, BodyError> {
    job.value(template, None)
}

/// Fills one text, which is not of a single input.
///
/// # Errors
/// [`BodyError`] names the variable.
pub fn fill_text(template: &str, job: &Job<'_>) -> Result<String, BodyError> {
    job.text(template, None)
}

/// One job of an import, as a kick-off tells of it.
pub struct Job<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// The inputs of this job.
    pub inputs: &'a [Input],
    /// Which job of the import it is.
    pub index: u32,
    /// How often a person had it started anew.
    pub anew: u32,
}

impl Job<'_> {
    fn value(&self, template: &Value, input: Option<&Input>) -> Result<Value, BodyError> {
        match template {
            Value::String(text) => self.text(text, input).map(Value::String),
            Value::Array(items) => self.array(items, input),
            Value::Object(members) => self.object(members, input),
            other => Ok(other.clone()),
        }
    }

    fn array(&self, items: &[Value], input: Option<&Input>) -> Result<Value, BodyError> {
        let mut filled = Vec::with_capacity(items.len());
        for item in items {
            if item.get(EACH).is_some() {
                for each in self.inputs {
                    filled.push(self.value(item, Some(each))?);
                }
            } else {
                filled.push(self.value(item, input)?);
            }
        }
        Ok(Value::Array(filled))
    }

    fn object(&self, members: &Map<String, Value>, input: Option<&Input>) -> Result<Value, BodyError> {
        let mut filled = Map::new();
        for (name, member) in members.iter().filter(|(name, _)| *name != EACH) {
            filled.insert(name.clone(), self.value(member, input)?);
        }
        Ok(Value::Object(filled))
    }

    fn text(&self, template: &str, input: Option<&Input>) -> Result<String, BodyError> {
        let mut filled = String::with_capacity(template.len());
        let mut rest = template;
        while let Some((head, tail)) = rest.split_once("${") {
            let Some((name, after)) = tail.split_once('}') else { break };
            filled.push_str(head);
            filled.push_str(&self.variable(name, input)?);
            rest = after;
        }
        filled.push_str(rest);
        Ok(filled)
    }

    fn variable(&self, name: &str, input: Option<&Input>) -> Result<String, BodyError> {
        if let Some(setting) = name.strip_prefix("set.") {
            let value = self.plan.settings.get(setting);
            return value.cloned().ok_or_else(|| BodyError::MissingSetting(setting.to_owned()));
        }
        match (name, input) {
            ("input.type", Some(input)) => Ok(input.resource_type.clone()),
            ("input.url", Some(input)) => Ok(input.url.clone()),
            ("input.etag", Some(input)) => Ok(input.etag.clone().unwrap_or_default()),
            ("import.id", _) => Ok(self.plan.id.clone()),
            ("import.source", _) => Ok(self.source()),
            ("job.id", _) => Ok(self.id()),
            _ => Err(BodyError::UnknownVariable(name.to_owned())),
        }
    }

    /// The caller's key of the job: 34 to 54 characters of `[0-9a-f-]`.
    fn id(&self) -> String {
        let id = format!("{}-{}", self.plan.id, self.index);
        if self.anew == 0 { id } else { format!("{id}-{}", self.anew) }
    }

    /// Where the data comes from, for tracking: the operator's word, else the folder of the first file.
    #[must_use]
    pub fn source(&self) -> String {
        if let Some(source) = self.plan.settings.get("input-source") {
            return source.clone();
        }
        let first = self.inputs.first().map_or("", |i| i.url.as_str());
        let path = first.split_once('?').map_or(first, |(path, _)| path);
        path.rsplit_once('/').map_or(path, |(folder, _)| folder).to_owned()
    }
}
