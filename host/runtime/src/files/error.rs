//! What can be wrong with the inputs somebody named.

use std::path::PathBuf;
use std::{error, fmt, io};

use super::InputSource;

/// An input that cannot be used. The text names the path and says what to do.
#[derive(Debug)]
#[non_exhaustive]
pub enum FilesError {
    /// The folder holds no NDJSON file.
    EmptyFolder {
        /// The folder.
        folder: PathBuf,
        /// How many other things it holds.
        others: usize,
    },
    /// The text is neither a path nor a usable URL.
    InvalidUrl {
        /// What was typed before the first `?`, without credentials.
        text: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Nothing was named.
    NoInput,
    /// There is nothing at the path.
    NotFound {
        /// The path.
        path: PathBuf,
    },
    /// By its name the file is not NDJSON.
    NotNdjson {
        /// The path.
        path: PathBuf,
    },
    /// A folder, device, pipe or socket where a file is needed.
    NotRegular {
        /// The path.
        path: PathBuf,
        /// What it is instead, with its article.
        found: &'static str,
    },
    /// We may not read it.
    PermissionDenied {
        /// The path.
        path: PathBuf,
    },
    /// The path is a symbolic link.
    SymbolicLink {
        /// The path.
        path: PathBuf,
    },
    /// The same input was named twice.
    Twice {
        /// The input.
        source: InputSource,
    },
    /// The operating system refused in some other way.
    Unreadable {
        /// The path.
        path: PathBuf,
        /// Its words.
        error: io::Error,
    },
}

impl FilesError {
    pub(super) fn from_io(path: PathBuf, error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Self::NotFound { path },
            io::ErrorKind::PermissionDenied => Self::PermissionDenied { path },
            _ => Self::Unreadable { path, error },
        }
    }
}

impl fmt::Display for FilesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EmptyFolder { folder, others: 0 } => {
                write!(f, "{} is an empty folder; name one that holds .ndjson files", folder.display())
            }
            Self::EmptyFolder { folder, others } => write!(
                f,
                "{} holds {others} other entries but no .ndjson file; name the folder that holds them (folders inside it \
                 are not searched, compressed files are not unpacked)",
                folder.display()
            ),
            Self::InvalidUrl { text, reason } => write!(f, "{text} cannot be used as an input URL: {reason}"),
            Self::NoInput => f.write_str("no input; name files, folders, Type=path or URLs"),
            Self::NotFound { path } => write!(f, "{} does not exist; check the spelling", path.display()),
            Self::NotNdjson { path } => write!(
                f,
                "{} is not an .ndjson file; wanted is NDJSON, one FHIR resource a line, not compressed. If it is NDJSON \
                 under another name, say which resource type it holds: Patient={}",
                path.display(),
                path.display()
            ),
            Self::NotRegular { path, found } => {
                write!(f, "{} is {found}; only regular files can be imported", path.display())
            }
            Self::PermissionDenied { path } => write!(
                f,
                "{} may not be read by this user; change its permissions (and those of its folder), or run as its owner",
                path.display()
            ),
            Self::SymbolicLink { path } => write!(
                f,
                "{} is a symbolic link, which could point elsewhere tomorrow; name the file that it points to",
                path.display()
            ),
            Self::Twice { source } => write!(f, "{source} is named twice; it would be imported twice"),
            Self::Unreadable { path, .. } => write!(f, "{} cannot be read", path.display()),
        }
    }
}

impl error::Error for FilesError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Unreadable { error, .. } => Some(error),
            _ => None,
        }
    }
}
