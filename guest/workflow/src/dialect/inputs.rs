//! What inputs a server takes.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::json::read::{Problem, Read, read_object, read_word};

/// What inputs a server takes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Inputs {
    /// Where the values come from.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub source: String,
    /// How they get to the server.
    #[serde(default)]
    pub delivery: Delivery,
    /// URL schemes that the server fetches; the empty one stands for names in a store of the server's own.
    pub schemes: Vec<String>,
    /// Most inputs in one job; more are split into several jobs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_job: Option<u32>,
    /// Most inputs of an import that cannot be split.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub most: Option<u32>,
    /// In which order they are named.
    #[serde(default)]
    pub order: Order,
    /// Whether a URL may have a query, which a signed one has.
    #[serde(default)]
    pub query: Permission,
    /// Whether a URL may have a `+`.
    #[serde(default)]
    pub plus: Permission,
    /// Whether the same URL may be named twice.
    #[serde(default)]
    pub repeated: Permission,
    /// Whether an input may come without its entity tag.
    #[serde(default)]
    pub without_etag: Rule,
    /// Whether the server resolves references that are searches (`Patient?identifier=…`); whether there are such is not
    /// known here, so that they cannot be refused.
    #[serde(default)]
    pub conditional_references: Caution,
    /// How often the server fetches each file.
    #[serde(default = "once")]
    pub fetches: u32,
}

fn once() -> u32 {
    1
}

/// How inputs get to a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Delivery {
    /// The kick-off lists their URLs.
    #[default]
    List,
    /// The kick-off, or the document, names the folder that holds them and nothing else.
    Folder,
    /// Their bytes are the body of the kick-off, at most so many at a time, cut at lines.
    Upload(u32),
}

/// In which order inputs are named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// As they were given.
    #[default]
    Given,
    /// Types that others refer to come first: the server looks for targets at once.
    TargetsFirst,
}

/// Whether something may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Permission {
    /// It may.
    #[default]
    Allowed,
    /// It may not: nothing is sent.
    Refused,
}

/// Whether something is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Caution {
    /// There is nothing to tell.
    #[default]
    Allowed,
    /// The operator is told that it does not work.
    Told,
}

/// Whether something may be, with a third way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// It may.
    #[default]
    Allowed,
    /// It may, and is told.
    Told,
    /// It may not: nothing is sent.
    Refused,
}

impl Inputs {
    /// How many bytes of a file are uploaded at a time; 0 when files are not uploaded.
    #[must_use]
    pub fn upload_bytes(&self) -> u32 {
        match self.delivery {
            Delivery::Upload(bytes) => bytes,
            Delivery::List | Delivery::Folder => 0,
        }
    }

    /// Most inputs in one job.
    #[must_use]
    pub fn in_one_job(&self) -> Option<u32> {
        match self.delivery {
            Delivery::Upload(_) => Some(1),
            Delivery::List | Delivery::Folder => self.per_job,
        }
    }
}

read_object!(Inputs {
    source,
    delivery = Delivery::List,
    schemes,
    per_job,
    most,
    order = Order::Given,
    query = Permission::Allowed,
    plus = Permission::Allowed,
    repeated = Permission::Allowed,
    without_etag = Rule::Allowed,
    conditional_references = Caution::Allowed,
    fetches = once(),
});
read_word!(Order { Given = "given", TargetsFirst = "targets-first" });
read_word!(Permission { Allowed = "allowed", Refused = "refused" });
read_word!(Caution { Allowed = "allowed", Told = "told" });
read_word!(Rule { Allowed = "allowed", Told = "told", Refused = "refused" });

impl Read for Delivery {
    fn read(value: &Value, problem: &mut Problem) -> Self {
        match value.as_str() {
            Some("list") => Self::List,
            Some("folder") => Self::Folder,
            _ => Self::Upload(u32::read(&value["upload"], problem)),
        }
    }
}
