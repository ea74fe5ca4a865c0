//! What can go wrong with a journal, and the way out.

use std::error::Error;
use std::fmt;
use std::path::{Path, PathBuf};

use super::ImportId;
use super::lease::{Holder, utc};
use super::types::{Intent, NextKind};

/// The result of a journal.
pub type Result<T, E = JournalError> = std::result::Result<T, E>;

/// Why a journal did not do what was asked. Unless the variant says otherwise, nothing was changed.
#[derive(Debug)]
#[non_exhaustive]
pub enum JournalError {
    /// This generation has an intent: `submit` may have run. Call `recover`.
    AlreadyIntended {
        /// The import.
        import: ImportId,
        /// The intent that is there.
        intent: Intent,
    },
    /// More than one import starts with these digits. Ask for more of them.
    Ambiguous {
        /// What was asked for.
        prefix: String,
        /// Those that fit.
        found: Vec<ImportId>,
    },
    /// Other processes kept the store from being written. Try again.
    Busy {
        /// The store.
        path: PathBuf,
    },
    /// The import went on meanwhile. Load it again.
    Conflict {
        /// The import.
        import: ImportId,
        /// The generation the caller built on.
        expected: u64,
        /// The generation that is stored.
        found: u64,
    },
    /// A record is not what was written. The store is left as it is.
    Damaged {
        /// The store.
        path: PathBuf,
        /// Which record, or what the store's own checks say.
        what: String,
    },
    /// There is an import with this id.
    Exists {
        /// The import.
        import: ImportId,
    },
    /// A newer lease was given out; this runner stops and sends nothing more.
    Fenced {
        /// The import.
        import: ImportId,
        /// The lease that was shown.
        ours: u64,
        /// The newest lease.
        newest: u64,
    },
    /// The file is something else than a journal.
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// Another import has this key. Go on with that one.
    KeyTaken {
        /// The key.
        key: String,
        /// The import that has it.
        by: ImportId,
    },
    /// Another process drives this import.
    Locked {
        /// The import.
        import: ImportId,
        /// Who; none when it is not written down yet.
        holder: Option<Holder>,
    },
    /// A newer version wrote the store.
    Newer {
        /// The store.
        path: PathBuf,
        /// Its format.
        found: i64,
        /// The newest format that is known here.
        known: i64,
    },
    /// No import fits.
    NotFound {
        /// The id, or its first digits.
        wanted: String,
    },
    /// The latest transition does not ask for `submit`: a wrong call.
    NotSubmitting {
        /// The import.
        import: ImportId,
        /// What comes next instead.
        next: NextKind,
    },
    /// The store does not know the last lease, or intent, that the lock file knows: an older copy was put back, or the
    /// end of its log was lost.
    OlderCopy {
        /// The store.
        path: PathBuf,
        /// The lock file that knows more.
        lock: PathBuf,
    },
    /// The disk, or the store, failed. Whether the record is stored shows when the import is loaded again.
    Store {
        /// The file or folder.
        path: PathBuf,
        /// What was tried, for example `store a transition`.
        doing: &'static str,
        /// The cause.
        source: Box<dyn Error + Send + Sync>,
    },
    /// An import of the same files to the same server is not over. Go on with that one.
    Unfinished {
        /// That import.
        by: ImportId,
    },
}

impl JournalError {
    pub(super) fn store(
        path: impl Into<PathBuf>,
        doing: &'static str,
        source: impl Error + Send + Sync + 'static,
    ) -> Self {
        Self::Store { path: path.into(), doing, source: Box::new(source) }
    }
}

impl fmt::Display for JournalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AlreadyIntended { import, intent } => write!(
                f,
                "import {} was about to be submitted at {} and may have been; recover it instead of submitting it again",
                import.short(),
                utc(intent.at_ms)
            ),
            Self::Ambiguous { prefix, found } => fmt_ambiguous(f, prefix, found),
            Self::Busy { path } => write!(
                f,
                "{} is being written by other processes; try again, or use another state folder",
                path.display()
            ),
            Self::Conflict { import, expected, found } => write!(
                f,
                "import {} is at generation {found}, not {expected}; load it again and go on from there",
                import.short()
            ),
            Self::Damaged { path, what } => fmt_damaged(f, path, what),
            Self::Exists { import } => write!(f, "import {import} exists; go on with it, or draw another id"),
            Self::Fenced { import, ours, newest } => write!(
                f,
                "another process took import {} over (lease {newest}, ours was {ours}); stop here and leave it to that one",
                import.short()
            ),
            Self::Foreign { path } => write!(
                f,
                "{} is not a journal of fhir-import, or its first bytes are damaged; it was left as it is: move it aside, \
                 or use another state folder",
                path.display()
            ),
            Self::KeyTaken { key, by } => {
                write!(f, "import {} has the key {key}; go on with it, or use another key", by.short())
            }
            Self::Locked { import, holder } => fmt_locked(f, *import, holder.as_ref()),
            Self::Newer { path, found, known } => write!(
                f,
                "{} has format {found} of a newer fhir-import, and this one knows {known}; it was left as it is: use the \
                 newer version, or another state folder",
                path.display()
            ),
            Self::NotFound { wanted } => write!(f, "no import {wanted} in this state folder; list those there are"),
            Self::NotSubmitting { import, next } => {
                write!(f, "import {} is not to be submitted now: {} comes next", import.short(), next.word())
            }
            Self::OlderCopy { path, lock } => fmt_older_copy(f, path, lock),
            Self::Store { path, doing, .. } => write!(
                f,
                "could not {doing} in {}; mend the disk or its permissions, then go on with the same import",
                path.display()
            ),
            Self::Unfinished { by } => {
                write!(f, "import {} of the same files to the same server is not over; go on with it", by.short())
            }
        }
    }
}

fn fmt_ambiguous(f: &mut fmt::Formatter<'_>, prefix: &str, found: &[ImportId]) -> fmt::Result {
    let found: Vec<String> = found.iter().map(ToString::to_string).collect();
    write!(f, "more than one import starts with {prefix}; give more digits of one of: {}", found.join(", "))
}

fn fmt_older_copy(f: &mut fmt::Formatter<'_>, path: &Path, lock: &Path) -> fmt::Result {
    write!(
        f,
        "{} is older than the last run of this import: a copy was put back, or its end was lost, and a job that it does \
         not know of may be on the server; look for the job there first, then delete {} to go on with what is there",
        path.display(),
        lock.display()
    )
}

fn fmt_damaged(f: &mut fmt::Formatter<'_>, path: &Path, what: &str) -> fmt::Result {
    write!(
        f,
        "{} is damaged ({what}); it was left as it is: move it aside together with the files of the same name ending in \
         -wal and -shm, and put a copy back if there is one. Without a copy, look for the job on the server before running \
         again, because a new run sends a second one: its status URL is in the output of the run that was accepted, and in \
         the server's log or list of jobs",
        path.display()
    )
}

fn fmt_locked(f: &mut fmt::Formatter<'_>, import: ImportId, holder: Option<&Holder>) -> fmt::Result {
    write!(f, "import {} is driven by ", import.short())?;
    match holder {
        Some(holder) => write!(f, "process {} on {} since {}", holder.pid, holder.host, utc(holder.since_ms))?,
        None => f.write_str("another process")?,
    }
    f.write_str("; look at it from here, wait for that process, or stop it to go on here")
}

impl Error for JournalError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Store { source, .. } => Some(source.as_ref()),
            _ => None,
        }
    }
}
