//! An import that can be driven.

use std::path::Path;
use std::sync::Arc;

use super::RunError;
use super::notes::HostNotes;
use crate::budget::{Budget, Budgets};
use crate::clock::{SharedClock, SystemClock};
use crate::contract::{Decision, Event, Next, Phase, Status};
use crate::drive::{ChangedInput, End, Watch, drive, resolve};
use crate::engine::Engine;
use crate::files::OpenInput;
use crate::importer::{Importer, inspect};
use crate::journal::{ImportId, Journal, Lease, MemoryJournal, SqliteJournal, StoredImport};
use crate::net::NetError;
use crate::record::Transcript;
use crate::serve::FileServer;
use crate::stop::Stop;

/// What all imports of a program share. Cheap to clone.
#[derive(Clone)]
pub struct Setup {
    /// The compiled components.
    pub engine: Engine,
    /// The clock.
    pub clock: SharedClock,
    /// Where imports are kept.
    pub journal: Arc<dyn Journal>,
    /// How often all of them together may retry at a server.
    pub budgets: Budgets,
}

impl Setup {
    /// The machine's clock, and a journal in a folder.
    ///
    /// # Errors
    /// [`RunError::Journal`] when the journal cannot be opened.
    pub fn in_folder(engine: Engine, folder: &Path) -> Result<Self, RunError> {
        let journal = SqliteJournal::open(folder).map_err(RunError::Journal)?;
        Ok(Self::with(engine, Arc::new(journal)))
    }

    /// The machine's clock, and a journal that ends with the process.
    #[must_use]
    pub fn in_memory(engine: Engine) -> Self {
        Self::with(engine, Arc::new(MemoryJournal::default()))
    }

    fn with(engine: Engine, journal: Arc<dyn Journal>) -> Self {
        let clock: SharedClock = Arc::new(SystemClock::new());
        Self { engine, budgets: Budgets::new(clock.clone()), clock, journal }
    }

    /// Where an import stands. Sends nothing.
    ///
    /// # Errors
    /// [`RunError::Journal`], or [`RunError::Drive`] when another version wrote the import.
    pub async fn status(&self, id: ImportId) -> Result<(StoredImport, Status), RunError> {
        let import = self.journal.load(&id).map_err(RunError::Journal)?;
        let status = inspect(&self.engine, &self.clock, &import.plan, &import.latest.checkpoint).await;
        let mut status = status.map_err(|error| RunError::Drive(error.into()))?;
        if import.intent.is_some() {
            status.phase = Phase::Submitting;
            "A kick-off was about to be sent, and may have been.".clone_into(&mut status.sentence);
        }
        Ok((import, status))
    }
}

/// An import that this process has the right to drive, with everything it needs to go on.
pub struct Run {
    pub(super) setup: Setup,
    pub(super) importer: Importer,
    pub(super) lease: Lease,
    pub(super) budget: Budget,
    pub(super) notes: HostNotes,
    pub(super) inputs: Vec<Arc<OpenInput>>,
    pub(super) server: Option<Arc<FileServer>>,
    pub(super) left_out: Vec<ChangedInput>,
    pub(super) transcript: Option<Transcript>,
}

impl Run {
    /// Its id.
    #[must_use]
    pub fn id(&self) -> ImportId {
        self.lease.import()
    }

    /// What the host wrote down.
    #[must_use]
    pub fn notes(&self) -> &HostNotes {
        &self.notes
    }

    /// The running file server; none when no local file is needed any more.
    #[must_use]
    pub fn file_server(&self) -> Option<&Arc<FileServer>> {
        self.server.as_ref()
    }

    /// Files that changed after their job was accepted: they are not served any more.
    #[must_use]
    pub fn left_out(&self) -> &[ChangedInput] {
        &self.left_out
    }

    /// Where its exchanges are written down, if that was wanted.
    #[must_use]
    pub fn transcript(&self) -> Option<&Transcript> {
        self.transcript.as_ref()
    }

    /// Drives the import until it is over, paused, or asked to stop.
    ///
    /// # Errors
    /// [`RunError::Drive`]; the import is where its journal says it is.
    pub async fn drive(&self, stop: &Stop, watch: &mut dyn Watch) -> Result<End, RunError> {
        let mut guard = Guard { watch, inputs: &self.inputs, left_out: &self.left_out };
        let journal = self.setup.journal.as_ref();
        drive(&self.importer, journal, &self.lease, &self.budget, stop, &mut guard).await.map_err(RunError::Drive)
    }

    /// Takes a person's decision. Sends nothing.
    ///
    /// # Errors
    /// [`RunError::Drive`] when it cannot be taken now.
    pub async fn resolve(&self, decision: &Decision, watch: &mut dyn Watch) -> Result<Next, RunError> {
        let journal = self.setup.journal.as_ref();
        resolve(&self.importer, journal, &self.lease, decision, watch).await.map_err(RunError::Drive)
    }
}

/// Looks at the files before each kick-off, and passes everything else on.
struct Guard<'a> {
    watch: &'a mut dyn Watch,
    inputs: &'a [Arc<OpenInput>],
    left_out: &'a [ChangedInput],
}

impl Watch for Guard<'_> {
    fn happened(&mut self, event: &Event) {
        self.watch.happened(event);
    }

    fn failed(&mut self, error: &NetError) {
        self.watch.failed(error);
    }

    fn next(&mut self, next: &Next) {
        self.watch.next(next);
    }

    /// What was left out when the import was gone on with can be waited for, but not submitted.
    fn changed_input(&mut self) -> Option<ChangedInput> {
        if let Some(left_out) = self.left_out.first() {
            return Some(left_out.clone());
        }
        let changed = self.inputs.iter().find_map(|input| {
            input.changed().map(|change| ChangedInput { path: input.path().display().to_string(), change })
        });
        changed.or_else(|| self.watch.changed_input())
    }
}
