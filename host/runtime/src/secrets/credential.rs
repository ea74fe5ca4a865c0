//! Who we are, toward one origin.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;

use super::error::SecretError;
use super::{Secret, sensitive};

/// What is sent as `Authorization`.
#[derive(Clone)]
#[non_exhaustive]
pub enum Credential {
    /// User name and password (RFC 7617, in UTF-8).
    Basic {
        /// The user name, without `:`.
        user: String,
        /// The password.
        password: Secret,
    },
    /// An access token (RFC 6750 §2.1).
    Bearer(Secret),
}

impl Credential {
    pub(super) fn header(&self) -> Result<HeaderValue, SecretError> {
        let text = match self {
            Self::Basic { user, .. } if user.contains(':') => return Err(SecretError::UserName),
            Self::Basic { user, password } => format!("Basic {}", basic(user, password)),
            Self::Bearer(token) => format!("Bearer {}", token.expose()),
        };
        sensitive(&text).ok_or(SecretError::Header)
    }

    /// All that must not be seen in an answer.
    pub(super) fn forms(&self) -> Vec<Secret> {
        match self {
            Self::Basic { user, password } => vec![Secret::from(basic(user, password)), password.clone()],
            Self::Bearer(token) => vec![token.clone()],
        }
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Basic { .. } => "Basic(…)",
            Self::Bearer(_) => "Bearer(…)",
        })
    }
}

fn basic(user: &str, password: &Secret) -> String {
    STANDARD.encode(format!("{user}:{}", password.expose()))
}
