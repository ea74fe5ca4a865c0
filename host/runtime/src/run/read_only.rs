//! Imports that only read: what a server is, and whether what was imported is there.

use super::access::Recorded;
use super::inputs::InputSecrets;
use super::notes::{DialectNote, HostNotes};
use super::resume::merged;
use super::session::{Run, Setup};
use super::{Access, RunError, Server, random};
use crate::contract::{Policy, Purpose, Request};
use crate::drive::{Begin, begin};
use crate::importer::Importer;
use crate::journal::{Holder, ImportId, SameInputs};

/// How long to find out what a server is, in milliseconds.
const DETECT_MS: u64 = 5 * 60 * 1000;

/// Prepares to find out what a server is. Never sends a POST.
///
/// # Errors
/// As [`prepare`](super::prepare).
pub async fn detect(setup: &Setup, server: &Server, access: &Access) -> Result<Run, RunError> {
    let policy = Policy { poll_max_ms: DETECT_MS, deadline_ms: DETECT_MS, max_errors: 0 };
    let mut notes = HostNotes::new(server.base(), DialectNote::Detect, policy);
    notes.allow.clone_from(&access.allow);
    notes.ca.clone_from(&access.ca);
    start(setup, server, access, notes, Purpose::Detect, "detect".to_owned()).await
}

/// Prepares to read the samples of an import back once more.
///
/// # Errors
/// As [`resume`](super::resume).
pub async fn verify(setup: &Setup, job: ImportId, access: &Access) -> Result<Run, RunError> {
    let import = setup.journal.load(&job).map_err(RunError::Journal)?;
    let before = HostNotes::decode(&import.host)?;
    let server = Server::parse(&before.server)?;
    let (notes, access) = merged(before.without_files(), access);
    start(setup, &server, &access, notes, Purpose::Verify, format!("verify {job}")).await
}

async fn start(
    setup: &Setup,
    server: &Server,
    access: &Access,
    notes: HostNotes,
    purpose: Purpose,
    inputs_digest: String,
) -> Result<Run, RunError> {
    let request = Request {
        id: random::id()?,
        time_ms: setup.clock.now_ms(),
        purpose,
        base_url: notes.server.clone(),
        dialect: notes.dialect.clone().into(),
        inputs: Vec::new(),
        samples: notes.samples.clone(),
        expected: notes.expected.clone(),
        settings: Vec::new(),
        documents_url: None,
        policy: notes.policy,
    };
    let import = request.id.parse().expect("an id of ours is one");
    let clock = setup.clock.clone();
    let of = Recorded { import, began_ms: request.time_ms, server, notes: &notes, clock: clock.clone() };
    let mut network = access.network(server, &InputSecrets::default())?;
    let transcript = access.recorded(&mut network, of)?;
    let importer = Importer::new(setup.engine.clone(), clock, network);
    let begin_with = Begin {
        request: &request,
        key: None,
        inputs_digest,
        server: server.shown(),
        host: notes.encode(),
        same_inputs: SameInputs::Allow,
    };
    let journal = setup.journal.as_ref();
    let id = begin(&importer, journal, begin_with).await.map_err(RunError::Drive)?;
    let lease = journal.lease(&id, &Holder::this_process(setup.clock.now_ms())).map_err(RunError::Journal)?;
    let budget = setup.budgets.of(server.url());
    Ok(Run {
        setup: setup.clone(),
        importer,
        lease,
        budget,
        notes,
        inputs: Vec::new(),
        server: None,
        left_out: Vec::new(),
        transcript,
    })
}
