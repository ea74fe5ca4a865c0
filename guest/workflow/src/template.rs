//! What a dialect sends, from its templates.
//!
//! A template is JSON or a text. In its texts, variables such as `${input.url}` stand for values, see [`VARIABLES`]. An
//! object that has `"$each": "input"` is repeated for each input in the array that it is in; one that has
//! `"$if": "VARIABLE"` is left out when there is no such value, and stands for its `"$value"` if it has one. That is all: what differs between servers is the template.

use serde_json::{Map, Value};

use crate::dialect::Dialect;
use crate::instant;
use crate::plan::Plan;
use crate::request::Input;
use crate::url;

/// Why a template cannot be filled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TemplateError {
    /// The dialect needs a setting that was not given.
    MissingSetting(String),
    /// There is no such variable, or no value for it.
    UnknownVariable(String),
    /// The inputs have no folder of their own.
    NoFolder,
    /// The host publishes no documents.
    NoDocument,
}

/// The variables, beside `base.up1`, `base.up2` and so on, and `set.NAME` for each setting.
pub const VARIABLES: [&str; 15] = [
    "input.type",
    "input.url",
    "input.etag",
    "inputs.folder",
    "inputs.files",
    "import.id",
    "import.source",
    "import.time",
    "import.deadline",
    "job.id",
    "job.handle",
    "job.upload",
    "document.url",
    "base",
    "base.origin",
];

const EACH: &str = "$each";
const IF: &str = "$if";
const VALUE: &str = "$value";

/// One job of an import, as its templates tell of it.
#[derive(Clone, Copy)]
pub struct Job<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// The dialect.
    pub dialect: &'a Dialect,
    /// Which job of the import it is.
    pub index: u32,
    /// How often a person had it started anew.
    pub anew: u32,
    /// How the server names it.
    pub handle: Option<&'a str>,
    /// How much of the input was uploaded before.
    pub uploaded: u64,
}

impl<'a> Job<'a> {
    /// The inputs of this job. Few templates name them, and there may be many.
    fn inputs(&self) -> Vec<&'a Input> {
        self.plan.batch(self.dialect, self.index)
    }

    /// Fills a template.
    ///
    /// # Errors
    /// [`TemplateError`] names what is missing.
    pub fn fill(&self, template: &Value) -> Result<Value, TemplateError> {
        self.value(template, None)
    }

    /// Fills a template as the body of a request.
    ///
    /// # Errors
    /// [`TemplateError`] names what is missing.
    pub fn body(&self, template: &Value) -> Result<String, TemplateError> {
        Ok(match self.fill(template)? {
            Value::String(text) => text,
            value => value.to_string(),
        })
    }

    /// Fills a text.
    ///
    /// # Errors
    /// [`TemplateError`] names what is missing.
    pub fn text(&self, template: &str) -> Result<String, TemplateError> {
        self.filled(template, None)
    }

    /// Fills a URL; one that does not begin with a variable is below the base URL.
    ///
    /// # Errors
    /// [`TemplateError`] names what is missing.
    pub fn url(&self, template: &str) -> Result<String, TemplateError> {
        let filled = self.text(template)?;
        Ok(if template.starts_with("${") { filled } else { self.plan.base().join(&filled) })
    }

    /// What a request of this job cannot be made without, from the kick-off to the last poll: better known before it.
    #[must_use]
    pub fn lacks(&self) -> Option<TemplateError> {
        let (job, dialect) = (Self { handle: Some("job"), ..*self }, self.dialect);
        let (status, list) = (dialect.poll.status_request.as_ref(), dialect.recovery.list.as_ref());
        let duplicate = dialect.recovery.duplicate.as_ref();
        let values = [
            dialect.document.as_ref().map(|document| &document.content),
            Some(&dialect.kick_off.body),
            dialect.poll.body.as_ref(),
            status.map(|request| &request.body),
            dialect.cancel.body.as_ref(),
        ];
        let texts = [
            Some(&dialect.kick_off.url),
            dialect.poll.url.as_ref(),
            status.map(|request| &request.url),
            dialect.result.url.as_ref(),
            dialect.cancel.url.as_ref(),
            list.map(|list| &list.url),
            duplicate.and_then(|duplicate| duplicate.handle.as_ref()),
        ];
        let in_values = values.into_iter().flatten().find_map(|value| job.fill(value).err());
        in_values.or_else(|| texts.into_iter().flatten().find_map(|text| job.text(text).err()))
    }

    fn value(&self, template: &Value, input: Option<&Input>) -> Result<Value, TemplateError> {
        match template {
            Value::String(text) => self.filled(text, input).map(Value::String),
            Value::Array(items) => self.array(items, input),
            Value::Object(members) => match members.get(VALUE) {
                Some(value) => self.value(value, input),
                None => self.object(members, input),
            },
            other => Ok(other.clone()),
        }
    }

    fn array(&self, items: &[Value], input: Option<&Input>) -> Result<Value, TemplateError> {
        let mut filled = Vec::with_capacity(items.len());
        for item in items {
            if item.get(EACH).is_some() {
                for each in self.inputs().into_iter().filter(|each| self.is_wanted(item, Some(each))) {
                    filled.push(self.value(item, Some(each))?);
                }
            } else if self.is_wanted(item, input) {
                filled.push(self.value(item, input)?);
            }
        }
        Ok(Value::Array(filled))
    }

    fn object(&self, members: &Map<String, Value>, input: Option<&Input>) -> Result<Value, TemplateError> {
        let mut filled = Map::new();
        for (name, member) in members {
            if *name != EACH && *name != IF && self.is_wanted(member, input) {
                filled.insert(name.clone(), self.value(member, input)?);
            }
        }
        Ok(Value::Object(filled))
    }

    fn is_wanted(&self, template: &Value, input: Option<&Input>) -> bool {
        let Some(name) = template.get(IF).and_then(Value::as_str) else { return true };
        self.variable(name, input).is_ok_and(|value| !value.is_empty())
    }

    fn filled(&self, template: &str, input: Option<&Input>) -> Result<String, TemplateError> {
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

    fn variable(&self, name: &str, input: Option<&Input>) -> Result<String, TemplateError> {
        if let Some(setting) = name.strip_prefix("set.") {
            return self.setting(setting, input);
        }
        let unknown = || TemplateError::UnknownVariable(name.to_owned());
        let (scope, what) = name.split_once('.').unwrap_or((name, ""));
        match (scope, what, input) {
            ("input", "type", Some(input)) => Ok(input.resource_type.clone()),
            ("input", "url", Some(input)) => Ok(input.url.clone()),
            ("input", "etag", Some(input)) => Ok(input.etag.clone().unwrap_or_default()),
            ("inputs", "folder", _) => self.folder(""),
            ("inputs", "files", _) => self.folder("*.ndjson"),
            ("import", "id", _) => Ok(self.plan.id.clone()),
            ("import", "source", _) => Ok(self.source()),
            ("import", "time", _) => Ok(instant::format(self.plan.time_ms)),
            ("import", "deadline", _) => Ok(instant::format(self.plan.deadline_at_ms())),
            ("job", "id", _) => Ok(self.id()),
            ("job", "handle", _) => self.handle.map(str::to_owned).ok_or_else(unknown),
            ("job", "upload", _) => Ok(self.upload()),
            ("document", "url", _) => self.document_url(),
            ("base", levels, _) => url::up(&self.plan.base_url, levels).ok_or_else(unknown),
            _ => Err(unknown()),
        }
    }

    /// The operator's value, else the dialect's; an empty one is none.
    fn setting(&self, name: &str, input: Option<&Input>) -> Result<String, TemplateError> {
        if let Some(value) = self.plan.settings.get(name).filter(|value| !value.is_empty()) {
            return Ok(value.clone());
        }
        match self.dialect.settings.get(name).and_then(|setting| setting.default.as_ref()) {
            // A default that names a setting would have no end.
            Some(default) if !default.contains("${set.") => self.filled(default, input),
            _ => Err(TemplateError::MissingSetting(name.to_owned())),
        }
    }

    /// The caller's key of the job: 34 to 54 characters of `[0-9a-f-]`.
    #[must_use]
    pub fn id(&self) -> String {
        let id = format!("{}-{}", self.plan.id, self.index);
        if self.anew == 0 { id } else { format!("{id}-{}", self.anew) }
    }

    /// Where the data comes from, for tracking: the operator's word, else the folder of the first file.
    #[must_use]
    pub fn source(&self) -> String {
        if let Some(source) = self.plan.settings.get("input-source") {
            return source.clone();
        }
        let first = self.inputs().first().map_or("", |input| input.url.as_str());
        let path = first.split_once('?').map_or(first, |(path, _)| path);
        path.rsplit_once('/').map_or(path, |(folder, _)| folder).to_owned()
    }

    /// The one input, or the folder that all inputs are in, with `files` behind it.
    fn folder(&self, files: &str) -> Result<String, TemplateError> {
        let folder = |input: &Input| input.url.rsplit_once('/').map(|(folder, _)| folder.to_owned());
        match &self.inputs()[..] {
            [one] => Ok(one.url.clone()),
            several => {
                let mut folders = several.iter().map(|input| folder(input));
                let first = folders.next().flatten().ok_or(TemplateError::NoFolder)?;
                let same = folders.all(|other| other.as_deref() == Some(first.as_str()));
                if same { Ok(format!("{first}/{files}")) } else { Err(TemplateError::NoFolder) }
            }
        }
    }

    /// What a host replaces with the bytes of a file, see `wit/importer.wit`.
    fn upload(&self) -> String {
        let place = self.index;
        format!("{{{{input:{place}:{}:{}}}}}", self.uploaded, self.dialect.inputs.upload_bytes())
    }

    fn document_url(&self) -> Result<String, TemplateError> {
        let name = self.dialect.document.as_ref().map_or("", |document| document.name.as_str());
        let folder = self.plan.documents_url.as_deref().ok_or(TemplateError::NoDocument)?;
        Ok(format!("{}/{name}", folder.trim_end_matches('/')))
    }
}
