//! Why an import cannot be prepared or driven: what happened, where, and what to try.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::{error, fmt, io};

use super::{CheckedFiles, Outcome};
use crate::check::CheckError;
use crate::contract;
use crate::dialect_file::{DialectFileError, did_you_mean};
use crate::drive::{ChangedInput, DriveError};
use crate::files::FilesError;
use crate::importer::CallError;
use crate::journal::{ImportId, JournalError};
use crate::net::{OriginError, TlsRootsError};
use crate::secrets::SecretError;
use crate::serve::ServeError;

/// Why an import cannot be prepared or driven. Unless a variant says otherwise, nothing was sent or stored.
#[derive(Debug)]
#[non_exhaustive]
pub enum RunError {
    /// What was typed as an allowed origin is none.
    AllowOrigin {
        /// As typed.
        typed: String,
        /// What is wrong with it.
        error: OriginError,
    },
    /// The trusted authorities cannot be used.
    Authorities {
        /// Their file.
        path: Option<PathBuf>,
        /// What is wrong with them.
        error: TlsRootsError,
    },
    /// The file of authorities cannot be read.
    AuthoritiesFile {
        /// The file.
        path: PathBuf,
        /// The operating system's words.
        error: io::Error,
    },
    /// The component that reads records died.
    Check(CheckError),
    /// An operator's dialect file cannot be used.
    DialectFile(DialectFileError),
    /// No dialect has the name.
    DialectUnknown {
        /// As typed.
        name: String,
        /// The names there are.
        known: Vec<String>,
    },
    /// The plan wants a document published that no URL or header can name: a bug.
    Document {
        /// Its name.
        name: String,
    },
    /// The import could not be driven; it is where its journal says it is.
    Drive(DriveError),
    /// An input cannot be used.
    Files(FilesError),
    /// The files hold something that a server cannot be expected to store.
    Findings(Box<CheckedFiles>),
    /// An input is not what was checked.
    InputChanged(ChangedInput),
    /// The journal cannot be used.
    Journal(JournalError),
    /// The key belongs to another request.
    KeyTaken {
        /// The key.
        key: String,
        /// The import that has it.
        by: ImportId,
    },
    /// The operating system gave no random bits.
    NoRandomness,
    /// There is no resource in any of the inputs.
    NothingToImport,
    /// Every address is listened on, and nobody said under which one the FHIR server finds us.
    NotAdvertised {
        /// The address that was to be listened on.
        bind: SocketAddr,
    },
    /// Local files, a FHIR server on another machine, and no word on how it gets them.
    NotServed {
        /// The FHIR server.
        server: String,
    },
    /// The host's notes were written by another version.
    Notes,
    /// A file cannot be read to its end.
    Read {
        /// The file.
        path: PathBuf,
        /// The operating system's words.
        error: io::Error,
    },
    /// The address that the FHIR server was told cannot be listened on again.
    Rebind {
        /// The address.
        address: SocketAddr,
        /// Why not.
        error: ServeError,
    },
    /// The transcript cannot be written.
    Record {
        /// Its folder.
        folder: PathBuf,
        /// The operating system's words.
        error: io::Error,
    },
    /// The dialect that was named would not take the inputs or the settings.
    Refused {
        /// How a caller sees it.
        outcome: Outcome,
        /// All that is wrong, and what to try.
        message: String,
    },
    /// A credential, or the query of an input, cannot be kept.
    Secret(SecretError),
    /// The files cannot be served.
    Serve(ServeError),
    /// The text is not a FHIR base URL.
    Server {
        /// What is wrong with it.
        error: OriginError,
    },
    /// Nobody says which type of resource an input holds.
    TypeUnknown {
        /// The input, without its query.
        input: String,
    },
}

impl RunError {
    /// How a caller sees it.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::AllowOrigin { .. }
            | Self::Authorities { .. }
            | Self::AuthoritiesFile { .. }
            | Self::DialectFile(_)
            | Self::DialectUnknown { .. }
            | Self::Files(_)
            | Self::KeyTaken { .. }
            | Self::NotAdvertised { .. }
            | Self::NotServed { .. }
            | Self::Rebind { .. }
            | Self::Record { .. }
            | Self::Secret(_)
            | Self::Serve(_)
            | Self::Server { .. }
            | Self::TypeUnknown { .. } => Outcome::Usage,
            Self::Check(_) | Self::Document { .. } | Self::NoRandomness => Outcome::InternalError,
            Self::Drive(error) => of_drive(error),
            Self::Findings(_) | Self::NothingToImport | Self::Read { .. } => Outcome::InputInvalid,
            Self::InputChanged(_) => Outcome::InputChanged,
            Self::Journal(error) => of_journal(error),
            Self::Notes => Outcome::StateNotSaved,
            Self::Refused { outcome, .. } => *outcome,
        }
    }
}

fn of_drive(error: &DriveError) -> Outcome {
    match error {
        DriveError::Call(CallError::Refused(
            contract::Error::PermanentInvalidRequest(_) | contract::Error::PermanentInvalidCall(_),
        )) => Outcome::Usage,
        DriveError::Call(CallError::Refused(contract::Error::ExecutionFailed) | CallError::Died(_)) => {
            Outcome::InternalError
        }
        DriveError::Call(CallError::Refused(_)) | DriveError::Stored(_) => Outcome::StateNotSaved,
        DriveError::Journal(error) | DriveError::NotSaved(error) => of_journal(error),
    }
}

fn of_journal(error: &JournalError) -> Outcome {
    match error {
        JournalError::Ambiguous { .. } | JournalError::KeyTaken { .. } | JournalError::NotFound { .. } => {
            Outcome::Usage
        }
        JournalError::Unfinished { .. } => Outcome::StillRunning,
        _ => Outcome::StateNotSaved,
    }
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AllowOrigin { typed, .. } => write!(f, "{typed} cannot be allowed"),
            Self::Authorities { path: Some(path), .. } => write!(f, "{} cannot be used", path.display()),
            Self::Authorities { path: None, .. } => f.write_str("TLS cannot be used"),
            Self::AuthoritiesFile { path, .. } | Self::Read { path, .. } => {
                write!(f, "{} cannot be read", path.display())
            }
            Self::DialectFile(error) => error.fmt(f),
            Self::DialectUnknown { name, known } => {
                // `hapi.tml` is more like `hapi` without its ending.
                let stem = name.split('.').next().unwrap_or(name);
                let hint = did_you_mean(stem, &known.iter().map(String::as_str).collect::<Vec<_>>());
                write!(f, "no dialect is called {name}{hint}; there are {}, or name a .toml file", known.join(", "))
            }
            Self::Document { name } => write!(f, "a document cannot be published as {name}"),
            Self::Drive(DriveError::Call(refused @ CallError::Refused(_))) => refused.fmt(f),
            Self::Findings(files) => write!(
                f,
                "the files have {} errors; nothing was sent. Mend them, or leave the check out",
                files.checked.summary.errors
            ),
            Self::InputChanged(ChangedInput { path, change }) => {
                write!(
                    f,
                    "{path} {change} since it was checked; put it back, or start another import with what is there"
                )
            }
            Self::KeyTaken { key, by } => write!(
                f,
                "the key {key} belongs to import {}, of other files or another server; use another key",
                by.short()
            ),
            Self::NoRandomness => f.write_str("the operating system gives no random numbers"),
            Self::NothingToImport => f.write_str("there is no resource in any of the files; nothing was sent"),
            Self::NotAdvertised { bind } => fmt_not_advertised(f, *bind),
            Self::NotServed { server } => fmt_not_served(f, server),
            Self::Notes => f.write_str("another version of fhir-import wrote this import; go on with that one"),
            Self::Rebind { address, .. } => write!(
                f,
                "the FHIR server was told to fetch the files from {address}, and this address cannot be listened on now: \
                 end what uses it, then go on"
            ),
            Self::Record { folder, .. } => write!(f, "no transcript can be written to {}", folder.display()),
            Self::Refused { message, .. } => f.write_str(message),
            Self::Server { .. } => f.write_str("the FHIR base URL cannot be used"),
            Self::TypeUnknown { input } => fmt_type_unknown(f, input),
            Self::Check(error) => error.fmt(f),
            Self::Drive(error) => error.fmt(f),
            Self::Files(error) => error.fmt(f),
            Self::Journal(error) => error.fmt(f),
            Self::Secret(error) => error.fmt(f),
            Self::Serve(error) => error.fmt(f),
        }
    }
}

fn fmt_not_advertised(f: &mut fmt::Formatter<'_>, bind: SocketAddr) -> fmt::Result {
    let port = bind.port();
    write!(
        f,
        "{bind} is where to listen, not where to connect to: name this machine as the FHIR server sees it, --advertise \
         http://THIS-MACHINE:{port}"
    )
}

fn fmt_not_served(f: &mut fmt::Formatter<'_>, server: &str) -> fmt::Result {
    write!(
        f,
        "a FHIR server imports from URLs that it fetches; it cannot read files of this machine. Serve them while the \
         import runs, at an address that {server} can reach: --serve 0.0.0.0:8765 --advertise http://THIS-MACHINE:8765 \
         (for a server on this machine: --serve 127.0.0.1:0), or name URLs that it can fetch. A server that takes files in requests needs \
         none of it: name its dialect, --dialect NAME"
    )
}

fn fmt_type_unknown(f: &mut fmt::Formatter<'_>, input: &str) -> fmt::Result {
    write!(
        f,
        "nobody says which one type of resource {input} holds, and a server must be told: write Type=…, for example \
         Patient={input}; a file of several types must be split"
    )
}

impl error::Error for RunError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::AllowOrigin { error, .. } | Self::Server { error } => Some(error),
            Self::Authorities { error, .. } => Some(error),
            Self::AuthoritiesFile { error, .. } | Self::Read { error, .. } | Self::Record { error, .. } => Some(error),
            Self::Rebind { error, .. } => Some(error),
            Self::Check(error) => error.source(),
            // Its own words are the whole message already.
            Self::Drive(DriveError::Call(CallError::Refused(_))) => None,
            Self::Drive(error) => error.source(),
            Self::Files(error) => error.source(),
            Self::Journal(error) => error.source(),
            Self::Serve(error) => error.source(),
            _ => None,
        }
    }
}
