//! Going on with an import that is stored.

use std::sync::Arc;

use super::access::Recorded;
use super::host::needs_files;
use super::inputs::{InputSecrets, digest};
use super::notes::{FileNote, HostNotes, InputNote, ServeNote};
use super::publish;
use super::session::{Run, Setup};
use super::{Access, RunError, Server};
use crate::clock::not_before;
use crate::contract::{Phase, Status};
use crate::drive::ChangedInput;
use crate::files::{Change, FilesError, OpenInput};
use crate::importer::Importer;
use crate::journal::{Holder, ImportId};
use crate::serve::{FileServer, Listening, ServedDocument, ServedFile};
use crate::uploads::Uploads;

/// Whether the local files and documents of an import are served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Files {
    /// As long as the FHIR server may need them.
    Serve,
    /// Not at all: for decisions, which need nobody to wait.
    Leave,
}

/// Goes on with an import: takes the right to drive it, opens its files again and serves them where they were, unless
/// the FHIR server needs them no more.
///
/// # Errors
/// [`RunError::InputChanged`] when a file is not what was checked and something is still to be submitted,
/// [`RunError::Rebind`] when the port is taken, else as [`prepare`](super::prepare).
pub async fn resume(setup: &Setup, id: ImportId, access: &Access, secrets: InputSecrets) -> Result<Run, RunError> {
    resume_with(setup, id, access, secrets, Files::Serve).await
}

/// As [`resume`], with or without the files.
///
/// # Errors
/// As [`resume`].
pub async fn resume_with(
    setup: &Setup,
    id: ImportId,
    access: &Access,
    secrets: InputSecrets,
    files: Files,
) -> Result<Run, RunError> {
    let journal = setup.journal.as_ref();
    let lease = journal.lease(&id, &Holder::this_process(setup.clock.now_ms())).map_err(RunError::Journal)?;
    let (import, status) = setup.status(id).await?;
    let before = HostNotes::decode(&import.host)?;
    let (notes, access) = merged(before.clone(), access);
    let fhir = Server::parse(&notes.server)?;
    let mut network = access.network(&fhir, &secrets)?;
    if (&notes.allow, &notes.ca) != (&before.allow, &before.ca) {
        journal.append_host(&lease, &notes.encode()).map_err(RunError::Journal)?;
    }
    let (reopened, documents) = match files {
        Files::Serve if needs_files(&status) => (reopen(&notes, last_was_sent(&status))?, publish::served(&notes)?),
        Files::Serve | Files::Leave => (Reopened::default(), Vec::new()),
    };
    network.uploads = Uploads::new(fhir.origin().clone(), reopened.inputs);
    let inputs = reopened.served.iter().map(|file| Arc::clone(&file.input)).collect();
    let server = match &notes.serve {
        Some(at) if !(reopened.served.is_empty() && documents.is_empty()) => {
            Some(Arc::new(serve_again(at, reopened.served, documents)?))
        }
        _ => None,
    };
    // For an import, time never runs backwards, whatever was done to the machine's clock since its last transition.
    let clock = not_before(&setup.clock, import.latest.at_ms);
    let of = Recorded { import: id, began_ms: import.created_ms, server: &fhir, notes: &notes, clock: clock.clone() };
    let transcript = access.recorded(&mut network, of)?;
    let importer = Importer::new(setup.engine.clone(), clock, network);
    let budget = setup.budgets.of(fhir.url());
    let left_out = reopened.left_out;
    Ok(Run { setup: setup.clone(), importer, lease, budget, notes, inputs, server, left_out, transcript })
}

/// What was allowed stays allowed; what is named now is added.
pub(super) fn merged(mut notes: HostNotes, access: &Access) -> (HostNotes, Access) {
    let added = access.allow.iter().filter(|origin| !notes.allow.contains(origin)).cloned().collect::<Vec<_>>();
    notes.allow.extend(added);
    notes.ca = access.ca.clone().or(notes.ca);
    let access = Access { allow: notes.allow.clone(), ca: notes.ca.clone(), ..access.clone() };
    (notes, access)
}

/// Whether nothing remains to be submitted: the last job is in flight, or may be.
fn last_was_sent(status: &Status) -> bool {
    let in_flight = status.job_url.is_some() || status.phase == Phase::Submitting;
    in_flight && status.jobs_done + 1 >= status.jobs
}

/// Files that are what was checked, and those that are not.
#[derive(Default)]
struct Reopened {
    served: Vec<ServedFile>,
    /// By their places among the inputs.
    inputs: Vec<Option<Arc<OpenInput>>>,
    left_out: Vec<ChangedInput>,
}

/// Nothing is submitted with changed files. But a job that was accepted is waited for: what changed is not served any
/// more, which the FHIR server will tell if it still comes for it.
fn reopen(notes: &HostNotes, last_was_sent: bool) -> Result<Reopened, RunError> {
    let mut reopened = Reopened::default();
    for note in &notes.inputs {
        let InputNote::Local(note) = note else {
            reopened.inputs.push(None);
            continue;
        };
        match same_file(note) {
            Ok(input) => {
                let input = Arc::new(input);
                reopened.served.push(ServedFile { path: note.served.clone(), input: Arc::clone(&input) });
                reopened.inputs.push(Some(input));
            }
            Err(RunError::InputChanged(changed)) if last_was_sent => {
                reopened.left_out.push(changed);
                reopened.inputs.push(None);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(reopened)
}

/// A file whose identity differs may still have the same content: devices are numbered anew at each boot.
fn same_file(note: &FileNote) -> Result<OpenInput, RunError> {
    let changed = |change| RunError::InputChanged(ChangedInput { path: note.path.display().to_string(), change });
    let input = OpenInput::open(&note.path).map_err(|error| match error {
        FilesError::NotFound { .. } => changed(Change::Vanished),
        other => RunError::Files(other),
    })?;
    match note.identity.change_to(&input.identity()) {
        Some(change) if digest(&input)? != note.digest => Err(changed(change)),
        _ => Ok(input),
    }
}

fn serve_again(at: &ServeNote, files: Vec<ServedFile>, documents: Vec<ServedDocument>) -> Result<FileServer, RunError> {
    let failed = |error| RunError::Rebind { address: at.bound, error };
    let listening = Listening::bind(at.bound, Some(at.advertise.clone())).map_err(failed)?;
    listening.serve(files, documents).map_err(failed)
}
