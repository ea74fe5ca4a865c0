//! A submission: its manifests, what became of them, and whether more may come.

use super::Flavour;
use crate::export::Unusable;
use crate::intake::Tally;
use crate::job::Ending;
use crate::ledger::Worked;
use crate::loading::{BadLine, Input, Loaded, Manner, load};
use crate::script::Script;
use crate::server::Server;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

/// Who submits.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Submitter {
    pub(super) system: Option<String>,
    pub(super) value: String,
}

/// What the client said last.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Stage {
    /// More may come.
    Open,
    /// That was all.
    Completed,
    /// It shall not be.
    Stopped,
}

/// Where a client wants to read how a job stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Shown {
    /// In the status code of the answer.
    InTheStatus,
    /// In a header of its own; the status code says how the poll went.
    Separately,
}

/// A submission as the server keeps it.
pub(super) struct Submission {
    pub(super) submitter: Submitter,
    pub(super) id: String,
    /// Its name in URLs.
    pub(super) token: String,
    pub(super) opened: SystemTime,
    state: Mutex<State>,
}

struct State {
    stage: Stage,
    shown: Shown,
    manifests: Vec<Arc<Manifest>>,
}

/// One manifest of a submission.
pub(super) struct Manifest {
    pub(super) url: String,
    /// What references in its resources are relative to.
    pub(super) base: String,
    end: Mutex<Option<Arc<Worth>>>,
}

/// What became of a manifest.
pub(super) enum Worth {
    Loaded(Loaded),
    /// The manifest itself could not be used.
    Nothing(String),
}

/// The end of a job is in its submission.
pub(super) struct End(pub(super) Arc<Submission>);

impl Ending for End {
    fn worked(&self) -> Worked {
        self.0.worked()
    }
}

impl Submission {
    pub(super) fn new(submitter: Submitter, id: String, token: String, opened: SystemTime) -> Self {
        let state = State { stage: Stage::Open, shown: Shown::InTheStatus, manifests: Vec::new() };
        Self { submitter, id, token, opened, state: Mutex::new(state) }
    }

    pub(super) fn stage(&self) -> Stage {
        self.lock().stage
    }

    pub(super) fn set_stage(&self, stage: Stage) {
        self.lock().stage = stage;
    }

    pub(super) fn shown(&self) -> Shown {
        self.lock().shown
    }

    pub(super) fn show(&self, shown: Shown) {
        self.lock().shown = shown;
    }

    pub(super) fn manifests(&self) -> Vec<Arc<Manifest>> {
        self.lock().manifests.clone()
    }

    pub(super) fn has(&self, url: &str) -> bool {
        self.lock().manifests.iter().any(|known| known.url == url)
    }

    pub(super) fn add(&self, url: String, base: String) -> Arc<Manifest> {
        let manifest = Arc::new(Manifest { url, base, end: Mutex::default() });
        self.lock().manifests.push(Arc::clone(&manifest));
        manifest
    }

    /// Takes a manifest out again, and with it what came of it. Whether there was one.
    pub(super) fn withdraw(&self, url: &str, server: &Server) -> bool {
        let gone: Vec<_> = self.lock().manifests.extract_if(.., |known| known.url == url).collect();
        gone.iter().for_each(|manifest| manifest.undo(server));
        !gone.is_empty()
    }

    /// Takes out everything that came of it.
    pub(super) fn roll_back(&self, server: &Server) {
        let gone = std::mem::take(&mut self.lock().manifests);
        gone.iter().for_each(|manifest| manifest.undo(server));
    }

    /// Whether nothing more will come of it.
    pub(super) fn is_over(&self) -> bool {
        match self.stage() {
            Stage::Open => false,
            Stage::Completed => self.manifests().iter().all(|manifest| manifest.end().is_some()),
            Stage::Stopped => true,
        }
    }

    /// Whether not one of its manifests could be used.
    pub(super) fn failed(&self) -> Option<String> {
        let ends: Vec<_> = self.manifests().iter().filter_map(|manifest| manifest.end()).collect();
        let reason = |end: &Arc<Worth>| match &**end {
            Worth::Nothing(reason) => Some(reason.clone()),
            Worth::Loaded(_) => None,
        };
        let reasons: Option<Vec<_>> = ends.iter().map(reason).collect();
        reasons?.into_iter().next()
    }

    /// What the books say.
    pub(super) fn worked(&self) -> Worked {
        let mut tally = Tally::default();
        for manifest in self.manifests() {
            if let Some(Worth::Loaded(loaded)) = manifest.end().as_deref() {
                tally.stored += loaded.tally.stored;
                tally.refused += loaded.tally.refused;
            }
        }
        match (self.is_over(), self.failed()) {
            (false, _) => Worked::Open(tally),
            (true, Some(_)) => Worked::Failed(tally),
            (true, None) => Worked::Done(tally),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Manifest {
    pub(super) fn end(&self) -> Option<Arc<Worth>> {
        self.end.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Loads its files, which the draft's servers stop reading at the first bad line.
    pub(super) async fn work(
        &self,
        server: &Server,
        script: &Script,
        flavour: Flavour,
        files: Result<Vec<Input>, Unusable>,
    ) {
        let bad_line = match flavour {
            Flavour::Stu4 => BadLine::IsSkipped,
            Flavour::Argonaut => BadLine::EndsItsFile,
        };
        let worth = match files {
            Ok(files) => Worth::Loaded(load(server, script, Manner { bad_line, ..Manner::USUAL }, files).await),
            Err(unusable) => Worth::Nothing(format!("{} could not be used: {unusable}", self.url)),
        };
        *self.end.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(worth));
    }

    fn undo(&self, server: &Server) {
        if let Some(Worth::Loaded(loaded)) = self.end().as_deref() {
            loaded.undo(&server.store);
        }
    }
}
