//! The loop: the same for the command line and for any embedder. What is durable before what: `journal`.

use std::fmt;
use std::time::Duration;

use crate::budget::Budget;
use crate::clock::Clock;
use crate::contract::{Decision, Event, Next, Outcome, Pause, Report, Request, Started, Transition};
use crate::decisions::Decisions;
use crate::files::Change;
use crate::importer::{Call, CallError};
use crate::journal::{
    ImportId, Journal, JournalError, Lease, NewImport, NextKind, SameInputs, StoredEvent, StoredImport,
    StoredTransition,
};
use crate::net::NetError;
use crate::stop::Stop;

/// How a drive ended.
#[derive(Debug, Clone, PartialEq)]
pub enum End {
    /// It is over.
    Done(Box<Report>),
    /// A person, or a credential, is needed.
    Paused(Pause),
    /// It was asked to stop; everything is stored.
    Detached,
    /// An input is not what was checked; nothing was sent.
    InputChanged(ChangedInput),
}

/// An input that is not what was checked.
#[derive(Debug, Clone, PartialEq)]
pub struct ChangedInput {
    /// The file.
    pub path: String,
    /// How it changed.
    pub change: Change,
}

/// Why a drive could not go on. The import itself is where its journal says it is.
#[derive(Debug)]
pub enum DriveError {
    /// A call was refused or died.
    Call(CallError),
    /// The journal could not be read or locked.
    Journal(JournalError),
    /// What happened could not be stored.
    NotSaved(JournalError),
    /// The journal holds something that this version did not write.
    Stored(serde_json::Error),
}

impl fmt::Display for DriveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Call(_) => f.write_str("the decisions could not be asked"),
            Self::Journal(_) => f.write_str("the journal cannot be used"),
            Self::NotSaved(_) => f.write_str("what happened could not be stored"),
            Self::Stored(_) => f.write_str("the journal holds a transition of another version"),
        }
    }
}

impl std::error::Error for DriveError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Call(error) => Some(error),
            Self::Journal(error) | Self::NotSaved(error) => Some(error),
            Self::Stored(error) => Some(error),
        }
    }
}

impl From<CallError> for DriveError {
    fn from(error: CallError) -> Self {
        Self::Call(error)
    }
}

/// Who looks on.
pub trait Watch: Send {
    /// Something happened. Told before it is stored, so that an accepted job is seen even when storing fails.
    fn happened(&mut self, event: &Event);

    /// An exchange failed on the network, in the host's words.
    fn failed(&mut self, error: &NetError) {
        let _ = error;
    }

    /// What comes next; told after it is stored.
    fn next(&mut self, next: &Next) {
        let _ = next;
    }

    /// Whether an input changed since it was checked; asked before every kick-off.
    fn changed_input(&mut self) -> Option<ChangedInput> {
        None
    }
}

impl<F: FnMut(&Event) + Send> Watch for F {
    fn happened(&mut self, event: &Event) {
        self(event);
    }
}

/// What `begin` stores.
#[derive(Debug)]
pub struct Begin<'a> {
    /// The request.
    pub request: &'a Request,
    /// The caller's name for it.
    pub key: Option<String>,
    /// Same files, same server: the same digest.
    pub inputs_digest: String,
    /// The server, for people.
    pub server: String,
    /// What the host needs to go on, as JSON without secrets.
    pub host: String,
    /// Whether it may stand beside an unfinished import of the same files to the same server.
    pub same_inputs: SameInputs,
}

/// Makes a plan and stores it. Sends nothing.
///
/// A request with a `documents-url` is begun in two steps: `start`, and [`begin_started`] with the documents in
/// [`Begin::host`], so that they can be published again by another process.
///
/// # Errors
/// [`DriveError::Call`] when the request cannot be used, or wants documents to be published; [`DriveError::NotSaved`]
/// when the journal cannot be written.
pub async fn begin(
    decisions: &impl Decisions,
    journal: &dyn Journal,
    begin: Begin<'_>,
) -> Result<ImportId, DriveError> {
    let started = decisions.start(begin.request).await?;
    // Without a place for them they are what other servers would want.
    if begin.request.documents_url.is_some() && !started.documents.is_empty() {
        return Err(refused("documents-url: nobody publishes the documents of this plan"));
    }
    begin_started(decisions.clock().as_ref(), journal, begin, started)
}

/// Stores a plan that was made, and whose documents will be published. Sends nothing.
///
/// # Errors
/// [`DriveError::NotSaved`] when the journal cannot be written.
pub fn begin_started(
    clock: &dyn Clock,
    journal: &dyn Journal,
    begin: Begin<'_>,
    started: Started,
) -> Result<ImportId, DriveError> {
    let id = begin.request.id.parse().map_err(|_| refused("id: must be 32 lower-case hex digits"))?;
    let first = stored(&started.transition, &[], clock)?;
    let new = NewImport {
        id,
        key: begin.key,
        inputs_digest: begin.inputs_digest,
        server: begin.server,
        created_ms: begin.request.time_ms,
        plan: started.plan,
        host: begin.host,
        first,
        same_inputs: begin.same_inputs,
    };
    journal.create(&new).map_err(DriveError::NotSaved)?;
    Ok(id)
}

/// Drives an import until it is over, paused, or asked to stop.
///
/// Asked to stop, it leaves at once: a step that is under way is dropped, since it can be repeated. Only a kick-off under
/// way is given [`LAST_WORDS`] to be answered; after that it is a kick-off whose answer was lost.
///
/// Before a request is made again, the server's `budget` is waited for, which all imports at this server share.
///
/// # Errors
/// [`DriveError`]; the import is where its journal says it is, and can be driven again.
pub async fn drive<D: Decisions>(
    decisions: &D,
    journal: &dyn Journal,
    lease: &Lease,
    budget: &Budget,
    stop: &Stop,
    watch: &mut dyn Watch,
) -> Result<End, DriveError> {
    let mut drive = Drive::open(decisions, journal, lease)?;
    let mut next = drive.next()?;
    loop {
        watch.next(&next);
        let call = match next {
            Next::Done(report) => return Ok(End::Done(Box::new(report))),
            Next::Paused(pause) => return Ok(End::Paused(pause)),
            Next::Wait(wake) => {
                let due = async {
                    decisions.clock().sleep_until(wake.at_ms).await;
                    budget.turn(&wake).await;
                };
                if stop.unless(due).await {
                    return Ok(End::Detached);
                }
                Call::Step
            }
            Next::Step => Call::Step,
            Next::Recover => Call::Recover,
            Next::Submit if drive.import.intent.is_some() => Call::Recover,
            Next::Submit => match watch.changed_input() {
                Some(changed) => return Ok(End::InputChanged(changed)),
                None => Call::Submit,
            },
        };
        if stop.requested() {
            return Ok(End::Detached);
        }
        if let Called::Left = drive.call(call, stop, watch).await? {
            return Ok(End::Detached);
        }
        next = drive.next()?;
        budget.note(&next);
    }
}

/// How long a kick-off may still take to be answered when the drive is asked to stop.
pub const LAST_WORDS: Duration = Duration::from_secs(3);

/// Takes a person's decision. Sends no kick-off. One that may have been sent before a crash is recovered first, so that
/// nothing is decided as if it had not been.
///
/// # Errors
/// [`DriveError::Call`] when it cannot be taken now.
pub async fn resolve<D: Decisions>(
    decisions: &D,
    journal: &dyn Journal,
    lease: &Lease,
    decision: &Decision,
    watch: &mut dyn Watch,
) -> Result<Next, DriveError> {
    let mut drive = Drive::open(decisions, journal, lease)?;
    if drive.import.intent.is_some() || drive.next()? == Next::Recover {
        drive.call(Call::Recover, &Stop::default(), watch).await?;
    }
    let transition = decisions.resolve(&drive.import.plan, &drive.import.latest.checkpoint, decision).await?;
    drive.store(&transition, &[], watch)?;
    Ok(transition.next)
}

/// What became of a call.
enum Called {
    /// What it decided is stored.
    Stored,
    /// It was dropped, because the drive is to stop.
    Left,
}

struct Drive<'a, D> {
    decisions: &'a D,
    journal: &'a dyn Journal,
    lease: &'a Lease,
    import: StoredImport,
}

impl<'a, D: Decisions> Drive<'a, D> {
    fn open(decisions: &'a D, journal: &'a dyn Journal, lease: &'a Lease) -> Result<Self, DriveError> {
        let import = journal.load(&lease.import()).map_err(DriveError::Journal)?;
        Ok(Self { decisions, journal, lease, import })
    }

    fn next(&self) -> Result<Next, DriveError> {
        stored_next(&self.import.latest)
    }

    /// The intent is durable before a submit, and a submit that had its intent is never called again.
    async fn call(&mut self, call: Call, stop: &Stop, watch: &mut dyn Watch) -> Result<Called, DriveError> {
        if call == Call::Submit {
            let now_ms = self.decisions.clock().now_ms();
            let intent = self.journal.intend(self.lease, self.import.generation, now_ms);
            self.import.intent = Some(intent.map_err(DriveError::NotSaved)?);
        }
        let grace = if call == Call::Submit { LAST_WORDS } else { Duration::ZERO };
        let calling = self.decisions.call(call, &self.import.plan, &self.import.latest.checkpoint);
        let Some(moved) = stop.within(grace, calling).await else { return Ok(Called::Left) };
        let moved = moved?;
        self.store(&moved.transition, &moved.failures, watch).map(|()| Called::Stored)
    }

    fn store(
        &mut self,
        transition: &Transition,
        failures: &[NetError],
        watch: &mut dyn Watch,
    ) -> Result<(), DriveError> {
        failures.iter().for_each(|failure| watch.failed(failure));
        transition.events.iter().for_each(|event| watch.happened(event));
        let latest = stored(transition, failures, self.decisions.clock().as_ref())?;
        // What a recovery decides may be what was decided before it: stored all the same, which ends the intent.
        if self.import.intent.is_none() && unchanged(&self.import.latest, &latest) {
            return Ok(());
        }
        let appended = self.journal.append(self.lease, self.import.generation, &latest);
        self.import.generation = appended.map_err(DriveError::NotSaved)?;
        self.import.intent = None;
        self.import.latest = latest;
        Ok(())
    }
}

/// A call that was early changes nothing, and nothing is what is stored.
fn unchanged(before: &StoredTransition, after: &StoredTransition) -> bool {
    after.events.is_empty() && before.checkpoint == after.checkpoint && before.next == after.next
}

/// What a stored transition says comes next.
///
/// # Errors
/// [`DriveError::Stored`] when another version wrote it.
pub fn stored_next(stored: &StoredTransition) -> Result<Next, DriveError> {
    serde_json::from_str(&stored.next).map_err(DriveError::Stored)
}

fn stored(transition: &Transition, failures: &[NetError], clock: &dyn Clock) -> Result<StoredTransition, DriveError> {
    let at_ms = clock.now_ms();
    let network =
        failures.iter().map(|failure| StoredEvent { at_ms, kind: "network".to_owned(), text: failure.to_string() });
    let told = transition.events.iter().map(|event| StoredEvent {
        at_ms: event.at_ms,
        kind: event.kind.clone(),
        text: event.text.clone(),
    });
    Ok(StoredTransition {
        checkpoint: transition.checkpoint.clone(),
        next_kind: kind(&transition.next),
        next: serde_json::to_string(&transition.next).map_err(DriveError::Stored)?,
        outcome: outcome(&transition.next).map(|outcome| outcome as u8),
        events: network.chain(told).collect(),
        at_ms,
    })
}

fn kind(next: &Next) -> NextKind {
    match next {
        Next::Step => NextKind::Step,
        Next::Submit => NextKind::Submit,
        Next::Recover => NextKind::Recover,
        Next::Wait(_) => NextKind::Wait,
        Next::Paused(_) => NextKind::Paused,
        Next::Done(_) => NextKind::Done,
    }
}

fn outcome(next: &Next) -> Option<Outcome> {
    match next {
        Next::Done(report) => Some(report.outcome),
        Next::Paused(pause) => Some(pause.outcome),
        Next::Step | Next::Submit | Next::Recover | Next::Wait(_) => None,
    }
}

fn refused(text: &str) -> DriveError {
    DriveError::Call(CallError::Refused(crate::contract::Error::PermanentInvalidRequest(text.to_owned())))
}
