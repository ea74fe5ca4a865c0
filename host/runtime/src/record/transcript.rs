//! The file of a transcript.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use url::Url;

use super::scrub::Scrub;
use crate::clock::SharedClock;
use crate::journal::{ImportId, create_private_folder, open_private};

/// What every exchange begins with.
const BEGIN: &str = "### ";

/// `FOLDER/IMPORT/transcript.http`, for its owner only. Cheap to clone.
#[derive(Clone)]
pub struct Transcript(Arc<Inner>);

struct Inner {
    path: PathBuf,
    scrub: Scrub,
    clock: SharedClock,
    began_ms: u64,
    file: Mutex<Written>,
}

struct Written {
    file: File,
    exchanges: usize,
    problem: Option<io::Error>,
}

/// Whose exchanges are written down.
#[derive(Clone, Debug)]
pub struct Subject<'a> {
    /// The import.
    pub import: ImportId,
    /// When it was begun, in Unix milliseconds: times in the transcript count from there.
    pub began_ms: u64,
    /// The FHIR base URL.
    pub server: &'a Url,
    /// URLs of other hosts that it speaks of, in the same order in every process.
    pub known: Vec<String>,
}

impl Transcript {
    /// Opens the transcript of an import; one that another process wrote is gone on with.
    ///
    /// # Errors
    /// When the folder or the file cannot be made or read.
    pub fn open(folder: &Path, subject: &Subject<'_>, clock: SharedClock) -> io::Result<Self> {
        let folder = folder.join(subject.import.short());
        create_private_folder(&folder)?;
        let path = folder.join("transcript.http");
        let file = open_private(&path)?;
        let exchanges =
            fs::read(&path)?.split(|byte| *byte == b'\n').filter(|l| l.starts_with(BEGIN.as_bytes())).count();
        Ok(Self(Arc::new(Inner {
            path,
            scrub: Scrub::new(subject.import, subject.server, &subject.known),
            clock,
            began_ms: subject.began_ms,
            file: Mutex::new(Written { file, exchanges, problem: None }),
        })))
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// Why the transcript is not complete, if it is not. An import never fails for that.
    #[must_use]
    pub fn problem(&self) -> Option<String> {
        self.0.file.lock().unwrap_or_else(PoisonError::into_inner).problem.as_ref().map(ToString::to_string)
    }

    pub(super) fn scrub(&self) -> &Scrub {
        &self.0.scrub
    }

    /// Begins an exchange with its request.
    pub(super) fn begin(&self, request: &str) {
        let after_ms = self.0.clock.now_ms().saturating_sub(self.0.began_ms);
        let mut written = self.0.file.lock().unwrap_or_else(PoisonError::into_inner);
        written.exchanges += 1;
        let number = written.exchanges;
        written.append(&format!("{BEGIN}{number} at +{after_ms} ms\n{request}"));
    }

    /// Writes on.
    pub(super) fn write(&self, text: &str) {
        self.0.file.lock().unwrap_or_else(PoisonError::into_inner).append(text);
    }
}

impl Written {
    fn append(&mut self, text: &str) {
        if let Err(error) = self.file.write_all(text.as_bytes()) {
            self.problem.get_or_insert(error);
        }
    }
}

impl std::fmt::Debug for Transcript {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Transcript").field("path", &self.0.path).finish_non_exhaustive()
    }
}
