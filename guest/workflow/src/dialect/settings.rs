//! What an operator gives a dialect: `--set NAME=VALUE`.

use serde::{Deserialize, Serialize};

use crate::json::is_default;
use crate::json::read::read_object;

/// A value that an operator may give.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Setting {
    /// What it means, for people.
    pub about: String,
    /// The value when none is given, a template; without it and `required`, what the setting is for is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    /// Nothing is sent without it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub required: bool,
    /// The values it can have; any, when the list is empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub one_of: Vec<String>,
}

read_object!(Setting { about, default, required = false, one_of });
