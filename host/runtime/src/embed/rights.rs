//! What a worker may reach, and who it is there. An import gets the rights to its own server only.

use std::path::PathBuf;
use std::sync::Arc;
use std::{env, error, fmt, fs, io};

use serde::Deserialize;

use crate::clock::{SharedClock, SystemClock};
use crate::engine::Engine;
use crate::importer::Importer;
use crate::run::{Access, InputSecrets, RunError, Server};
use crate::secrets::{Credential, Secret};

/// What a worker may reach. It is written by whoever runs the worker, never by who asks for an import.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Rights {
    /// The FHIR servers that imports may be sent to.
    pub servers: Vec<Right>,
    /// Origins, and patterns such as `https://*.example.org`, that every import may reach beside its server.
    #[serde(default)]
    pub allow: Vec<String>,
    /// A PEM file of authorities that are trusted beside the system's.
    #[serde(default)]
    pub ca: Option<PathBuf>,
}

/// A FHIR server that imports may be sent to.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Right {
    /// Its base URL.
    pub url: String,
    /// Who we are there.
    #[serde(default)]
    pub credential: Option<CredentialFrom>,
}

/// Where a credential is. It is read when an importer is made, and never stored.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CredentialFrom {
    /// An access token in a variable of the environment.
    BearerEnv(String),
    /// An access token in a file.
    BearerFile(PathBuf),
    /// `user:password` in a variable of the environment.
    BasicEnv(String),
    /// `user:password` in a file.
    BasicFile(PathBuf),
}

/// Why there is no importer.
#[derive(Debug)]
pub enum RightsError {
    /// These are no rights.
    Unreadable(serde_json::Error),
    /// The worker may not import to this server.
    Server {
        /// The server, as asked for.
        asked: String,
    },
    /// A credential cannot be read, or is none.
    Credential {
        /// Where it should be.
        place: String,
        /// The operating system's words; none when it was read and is not `user:password`.
        error: Option<io::Error>,
    },
    /// The server, an origin, or an authority cannot be used.
    Access(RunError),
}

impl fmt::Display for RightsError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(_) => out.write_str("the rights of this worker cannot be read"),
            Self::Server { asked } => {
                let shown =
                    Server::parse(asked).map_or_else(|_| "what is asked for".to_owned(), |server| server.shown());
                write!(out, "{shown} is not among the servers of this worker: who runs it can add it to `servers`")
            }
            Self::Credential { place, error: Some(_) } => write!(out, "the credential in {place} cannot be read"),
            Self::Credential { place, error: None } => write!(out, "{place} must hold user:password"),
            Self::Access(_) => out.write_str("the rights of this worker cannot be used"),
        }
    }
}

impl error::Error for RightsError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Unreadable(error) => Some(error),
            Self::Credential { error, .. } => error.as_ref().map(|error| error as _),
            Self::Access(error) => Some(error),
            Self::Server { .. } => None,
        }
    }
}

impl Rights {
    /// Reads rights, for example
    /// `{"servers": [{"url": "https://fhir.example.org/fhir", "credential": {"bearer-env": "FHIR_TOKEN"}}]}`.
    ///
    /// # Errors
    /// [`RightsError::Unreadable`] names the place.
    pub fn from_json(text: &str) -> Result<Self, RightsError> {
        serde_json::from_str(text).map_err(RightsError::Unreadable)
    }

    /// An importer by the machine's clock that can reach this server, and no other one of the worker's.
    ///
    /// # Errors
    /// [`RightsError::Server`] when the worker may not import to it.
    pub fn importer(&self, engine: &Engine, base_url: &str) -> Result<Importer, RightsError> {
        let refused = || RightsError::Server { asked: base_url.to_owned() };
        let asked = Server::parse(base_url).map_err(|_| refused())?;
        let is_asked = |right: &&Right| Server::parse(&right.url).is_ok_and(|server| server.base() == asked.base());
        let right = self.servers.iter().find(is_asked).ok_or_else(refused)?;
        let credential = right.credential.as_ref().map(CredentialFrom::read).transpose()?;
        let access = Access { allow: self.allow.clone(), ca: self.ca.clone(), credential, record: None };
        let network = access.network(&asked, &InputSecrets::default()).map_err(RightsError::Access)?;
        let clock: SharedClock = Arc::new(SystemClock::new());
        Ok(Importer::new(engine.clone(), clock, network))
    }
}

impl CredentialFrom {
    fn read(&self) -> Result<Credential, RightsError> {
        let text = self.text().map_err(|error| RightsError::Credential { place: self.place(), error: Some(error) })?;
        // Editors end files with a line end, which is no part of a secret.
        let text = text.trim_end_matches(['\r', '\n']);
        match self {
            Self::BearerEnv(_) | Self::BearerFile(_) => Ok(Credential::Bearer(Secret::from(text.trim()))),
            Self::BasicEnv(_) | Self::BasicFile(_) => match text.split_once(':') {
                Some((user, password)) => {
                    Ok(Credential::Basic { user: user.to_owned(), password: Secret::from(password) })
                }
                None => Err(RightsError::Credential { place: self.place(), error: None }),
            },
        }
    }

    fn text(&self) -> io::Result<String> {
        match self {
            Self::BearerEnv(name) | Self::BasicEnv(name) => env::var(name).map_err(io::Error::other),
            Self::BearerFile(file) | Self::BasicFile(file) => fs::read_to_string(file),
        }
    }

    fn place(&self) -> String {
        match self {
            Self::BearerEnv(name) | Self::BasicEnv(name) => format!("the variable {name}"),
            Self::BearerFile(file) | Self::BasicFile(file) => file.display().to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error;

    use super::*;

    fn importer(rights: &str, base_url: &str) -> Result<Importer, RightsError> {
        let engine = Engine::new().unwrap();
        Rights::from_json(rights)?.importer(&engine, base_url)
    }

    #[test]
    fn an_import_may_reach_a_server_that_is_named() {
        let rights = r#"{"servers": [{"url": "http://127.0.0.1:1/fhir/"}]}"#;
        assert!(importer(rights, "http://127.0.0.1:1/fhir").is_ok());
        for other in ["http://127.0.0.1:1/other", "http://127.0.0.1:2/fhir", "no url", "http://u:p@127.0.0.1:1/fhir"] {
            let refused = importer(rights, other).err().unwrap();
            assert!(matches!(refused, RightsError::Server { .. }), "{other}: {refused}");
            assert!(!refused.to_string().contains("u:p"), "{refused}");
        }
    }

    #[test]
    fn what_is_no_right_is_named_with_its_place() {
        let refused = importer(r#"{"servers": [{"url": "http://h/", "token": "x"}]}"#, "http://h/").err().unwrap();
        assert!(refused.source().unwrap().to_string().contains("unknown field `token`"), "{refused:?}");
    }

    #[test]
    fn a_credential_that_is_not_there_is_named() {
        let rights = r#"{"servers": [{"url": "http://h/", "credential": {"bearer-env": "NO_SUCH_VARIABLE"}}]}"#;
        let refused = importer(rights, "http://h/").err().unwrap();
        assert_eq!(refused.to_string(), "the credential in the variable NO_SUCH_VARIABLE cannot be read");
    }

    #[test]
    fn a_password_wants_a_user() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "password\n").unwrap();
        let source = CredentialFrom::BasicFile(file.path().to_owned());
        assert!(matches!(source.read(), Err(RightsError::Credential { error: None, .. })));
        fs::write(file.path(), "user:password\n").unwrap();
        let Ok(Credential::Basic { user, password }) = source.read() else { panic!("it is user:password") };
        assert_eq!((user.as_str(), password.expose()), ("user", "password"));
    }
}
