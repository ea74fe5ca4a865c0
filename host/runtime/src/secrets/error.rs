//! Secrets that cannot be kept, and placeholders that cannot be filled.

use std::fmt;

use crate::net::Origin;

/// Why a secret cannot be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SecretError {
    /// Not the name of an AWS key, or no key.
    AccessKey,
    /// A character that no header can hold, for example a line end.
    Header,
    /// Not a name of a secret.
    Name(String),
    /// Not the name of an AWS region or service.
    Region,
    /// A user name with a colon, which Basic authentication cannot express (RFC 7617 §2).
    UserName,
}

impl fmt::Display for SecretError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AccessKey => out.write_str("the AWS access key is empty, or its id has a character that no id has"),
            Self::Header => out.write_str("the credential has a character that no header can hold, perhaps a line end"),
            Self::Name(name) => {
                write!(out, "`{name}` cannot name a secret: use 1 to 64 of A-Z a-z 0-9 _ . - but not `authorization`")
            }
            Self::Region => out.write_str("an AWS region is written like us-east-1, with a service us-east-1/SERVICE"),
            Self::UserName => out.write_str("the user name has a colon, which Basic authentication cannot express"),
        }
    }
}

impl std::error::Error for SecretError {}

/// A placeholder that cannot be filled, so that the request must not leave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingSecret {
    /// The name in the placeholder.
    pub name: String,
    /// Why.
    pub why: Missing,
}

/// Why a placeholder cannot be filled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Missing {
    /// It is a part of a header value, not the whole.
    NotASlot,
    /// The secret is not for this origin.
    OtherOrigin(Origin),
    /// There is no secret of this name.
    Unknown,
    /// The value has a character that this place cannot hold.
    Unusable,
}

impl MissingSecret {
    pub(super) fn new(name: &str, why: Missing) -> Self {
        Self { name: name.to_owned(), why }
    }
}

impl fmt::Display for MissingSecret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.name;
        match &self.why {
            Missing::NotASlot => write!(out, "secret `{name}` must be the whole value of its header"),
            Missing::OtherOrigin(origin) => write!(out, "secret `{name}` is not meant for {origin}"),
            Missing::Unknown => write!(out, "secret `{name}` is not known: give it again to go on"),
            Missing::Unusable => write!(out, "secret `{name}` has a character that cannot be sent where it is used"),
        }
    }
}

impl std::error::Error for MissingSecret {}
