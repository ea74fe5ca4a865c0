//! Who we are, toward one origin.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;

use super::error::SecretError;
use super::sigv4::Signer;
use super::{Secret, sensitive};

/// Who we are.
#[derive(Clone)]
#[non_exhaustive]
pub enum Credential {
    /// A key of AWS: each request is signed (Signature Version 4).
    AwsSigV4 {
        /// The name of the key, which is no secret.
        access_key_id: String,
        /// The key.
        secret_access_key: Secret,
        /// What belongs to a temporary key.
        session_token: Option<Secret>,
        /// The region, for example `us-east-1`.
        region: String,
        /// The service, for example `healthlake`.
        service: String,
    },
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

/// What a credential makes of a request.
#[derive(Clone, Debug)]
pub(super) enum Authorization {
    /// The same header each time.
    Header(HeaderValue),
    /// A signature of what is sent.
    Signature(Signer),
}

impl Credential {
    pub(super) fn authorization(&self) -> Result<Authorization, SecretError> {
        let text = match self {
            Self::AwsSigV4 { access_key_id, secret_access_key, session_token, region, service } => {
                let signer = Signer::new(access_key_id, secret_access_key, session_token.as_ref(), region, service);
                return signer.map(Authorization::Signature);
            }
            Self::Basic { user, .. } if user.contains(':') => return Err(SecretError::UserName),
            Self::Basic { user, password } => format!("Basic {}", basic(user, password)),
            Self::Bearer(token) => format!("Bearer {}", token.expose()),
        };
        sensitive(&text).map(Authorization::Header).ok_or(SecretError::Header)
    }

    /// All that must not be seen in an answer.
    pub(super) fn forms(&self) -> Vec<Secret> {
        match self {
            Self::AwsSigV4 { secret_access_key, session_token, .. } => {
                session_token.iter().chain([secret_access_key]).cloned().collect()
            }
            Self::Basic { user, password } => vec![Secret::from(basic(user, password)), password.clone()],
            Self::Bearer(token) => vec![token.clone()],
        }
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::AwsSigV4 { .. } => "AwsSigV4(…)",
            Self::Basic { .. } => "Basic(…)",
            Self::Bearer(_) => "Bearer(…)",
        })
    }
}

fn basic(user: &str, password: &Secret) -> String {
    STANDARD.encode(format!("{user}:{}", password.expose()))
}
