//! How a dialect is recognised.

use serde::{Deserialize, Serialize};

use crate::json::read::{read_object, read_word};

/// How a dialect is recognised.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Detect {
    /// Where the values come from.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub source: String,
    /// Any of these is enough; the best counts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signatures: Vec<Signature>,
    /// What the server's own OperationDefinition says.
    #[serde(default, skip_serializing_if = "DefinitionRule::is_empty")]
    pub definition: DefinitionRule,
    /// How to tell that import is switched off rather than missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub switched_off: Option<SwitchedOff>,
}

/// One way to recognise a dialect. Every given condition must hold.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Signature {
    /// The host's name in the base URL; one `*` stands for any text. Nothing else is asked then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// `rest.operation.name`, without a leading `$`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// What `rest.operation.definition`, without version, is or begins with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub definition_begins: Option<String>,
    /// What it ends in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub definition_ends: Option<String>,
    /// Another system operation that must be there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sibling: Option<String>,
    /// Part of `software.name`, in any case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub software: Option<String>,
    /// How sure this makes.
    pub confidence: Confidence,
}

/// How sure a detection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Confidence {
    /// Nothing fits.
    #[default]
    None,
    /// It could be.
    Low,
    /// It is likely.
    Medium,
    /// Nothing else answers like this.
    High,
    /// The operator said so.
    Configured,
}

impl Confidence {
    /// The word shown to people.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Configured => "configured",
        }
    }
}

/// What the server's own OperationDefinition of the operation must and must not say.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct DefinitionRule {
    /// Parameters whose presence is further evidence.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub expects: Vec<String>,
    /// Texts of which any, anywhere in it, leaves no doubt.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub says: Vec<String>,
    /// Parameters that prove that this is another operation of the same name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refuses: Vec<String>,
}

impl DefinitionRule {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// How to tell that import is switched off rather than missing.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SwitchedOff {
    /// Part of `software.name` of servers that have the operation when it is switched on.
    pub software: String,
    /// Part of the refusal of a kick-off.
    pub refusal: String,
    /// What to tell the operator.
    pub advice: String,
}

read_object!(Detect { source, signatures, definition = DefinitionRule::default(), switched_off });
read_object!(Signature { host, operation, definition_begins, definition_ends, sibling, software, confidence });
read_word!(Confidence { None = "none", Low = "low", Medium = "medium", High = "high", Configured = "configured" });
read_object!(DefinitionRule { expects, says, refuses });
read_object!(SwitchedOff { software, refusal, advice });
