//! The calls of the contract over the states. No I/O: a call that needs an exchange hands it out and takes the reply.

use crate::checkpoint::Checkpoint;
use crate::dialect::Confidence;
use crate::error::Error;
use crate::exchange::Exchange;
use crate::outcome::Outcome;
use crate::plan::{Document, Plan};
use crate::progress::Progress;
use crate::report::Ending;
use crate::request::{Purpose, Request};
use crate::state::{
    Ask, AwaitStatus, CancelJob, Cx, Finished, Paused, ReadCapabilities, Ready, Reply, Starter, State, SubmitLost,
    by_host,
};
use crate::transition::{Decision, DecisionKind, Event, EventKind, Next, PauseReason, Transition};
use crate::url::MAX_URL;

/// Which call of the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// One bounded exchange at most, and the cancel behind its look; safe to repeat.
    Step,
    /// The kick-off.
    Submit,
    /// Nobody knows whether the kick-off ran.
    Recover,
}

/// What `start` answers.
#[derive(Debug, Clone, PartialEq)]
pub struct Started {
    /// The encoded plan.
    pub plan: String,
    /// What to publish before anything else.
    pub documents: Vec<Document>,
    /// The first transition.
    pub transition: Transition,
}

/// What a call needs.
pub enum Turn {
    /// Nothing more.
    Done(Transition),
    /// An exchange; its reply goes to [`Waiting::answered`].
    Send(Exchange, Box<Waiting>),
}

/// A plan and a checkpoint, decoded.
#[derive(Debug, Clone)]
pub struct Session {
    plan: Plan,
    progress: Progress,
    state: State,
}

/// A call that waits for the reply to its exchange.
#[derive(Debug, Clone)]
pub struct Waiting {
    session: Session,
    call: Call,
    events: Vec<Event>,
}

/// Makes a plan. Sends nothing.
///
/// # Errors
/// [`Error::InvalidRequest`] names the field that cannot be used.
pub fn start(request: Request, builtin: &[String]) -> Result<Started, Error> {
    let plan = Plan::new(request, builtin)?;
    let (text, documents) = (plan.encode(), plan.documents());
    let now_ms = plan.time_ms;
    let progress = Progress::new(&plan);
    let session = Session { plan, progress, state: State::ReadCapabilities(ReadCapabilities::default()) };
    let transition = session.change(now_ms, Vec::new(), |cx, first| {
        cx.tell(EventKind::Started, "the plan is made");
        if cx.plan.configured && cx.plan.purpose != Purpose::Detect {
            return configured(cx);
        }
        by_host(cx).unwrap_or(first)
    });
    Ok(Started { plan: text, documents, transition })
}

/// The operator named the dialect: the server is not asked what it is.
fn configured(cx: &mut Cx<'_>) -> State {
    cx.progress.chosen = Some(0);
    let detection = &mut cx.progress.detection;
    detection.dialect = cx.plan.dialect(0).map(|d| d.name.clone());
    detection.confidence = Confidence::Configured;
    detection.evidence = vec!["The operator named the dialect.".to_owned()];
    Ready::enter(cx)
}

impl Session {
    /// Reads plan and checkpoint.
    ///
    /// # Errors
    /// [`Error::InvalidPlan`], [`Error::InvalidCheckpoint`].
    pub fn open(plan: &str, checkpoint: &str) -> Result<Self, Error> {
        let (text, mut plan) = (plan, Plan::decode_head(plan)?);
        let Checkpoint { progress, state, .. } = Checkpoint::decode(checkpoint, &plan)?;
        let looking = matches!(state, State::ReadCapabilities(_) | State::ReadDefinition(_));
        plan.decode_dialects(text, progress.chosen.filter(|_| !looking))?;
        Ok(Self { plan, progress, state })
    }

    /// Begins a call.
    ///
    /// # Errors
    /// [`Error::InvalidCall`] when it makes no sense in this state.
    pub fn call(self, call: Call, now_ms: u64) -> Result<Turn, Error> {
        match call {
            Call::Step => Ok(self.step(now_ms, Vec::new())),
            Call::Submit => self.submit(now_ms),
            Call::Recover => self.recover(now_ms).map(Turn::Done),
        }
    }

    fn step(mut self, now_ms: u64, mut events: Vec<Event>) -> Turn {
        let ask = {
            let mut cx = Cx { plan: &self.plan, now_ms, progress: &mut self.progress, events: &mut events };
            self.state.ask(&mut cx)
        };
        match ask {
            Ask::Send(exchange) => Turn::Send(exchange, Box::new(Waiting { session: self, call: Call::Step, events })),
            Ask::Stay => Turn::Done(self.transition(events)),
            Ask::Become(state) => Turn::Done(Self { state, ..self }.transition(events)),
        }
    }

    fn submit(mut self, now_ms: u64) -> Result<Turn, Error> {
        let ready = matches!(&self.state, State::Ready(ready) if ready.due().is_none());
        let mut events = Vec::new();
        let cx = Cx { plan: &self.plan, now_ms, progress: &mut self.progress, events: &mut events };
        let exchange = Ready::kick_off(&cx).filter(|_| ready);
        let phase = self.state.phase();
        let Some(exchange) = exchange else {
            return Err(Error::InvalidCall(format!("submit, while the import is {phase}")));
        };
        Ok(Turn::Send(exchange, Box::new(Waiting { session: self, call: Call::Submit, events })))
    }

    /// A crash between the intent and the transition leaves `Ready` behind; a lost answer leaves `SubmitLost`.
    fn recover(self, now_ms: u64) -> Result<Transition, Error> {
        if !matches!(self.state, State::Ready(_) | State::SubmitLost(_)) {
            return Err(Error::InvalidCall(format!("recover, while the import is {}", self.state.phase())));
        }
        Ok(self.change(now_ms, Vec::new(), |cx, state| match state {
            State::SubmitLost(lost) => lost.recover(cx),
            _ => SubmitLost::default().recover(cx),
        }))
    }

    /// What a person decided. Sends nothing.
    ///
    /// # Errors
    /// [`Error::InvalidCall`] when the decision cannot be taken in this state.
    pub fn resolve(self, decision: &Decision, now_ms: u64) -> Result<Transition, Error> {
        if !self.decisions().contains(&decision.kind()) {
            let (kind, phase) = (decision.kind(), self.state.phase());
            return Err(Error::InvalidCall(format!("{kind} cannot be decided while the import is {phase}")));
        }
        if matches!(decision, Decision::Adopt(url) if !(1..=MAX_URL).contains(&url.len())) {
            return Err(Error::InvalidCall(format!("a status URL has 1 to {MAX_URL} bytes")));
        }
        Ok(self.change(now_ms, Vec::new(), |cx, state| resolved(cx, state, decision)))
    }

    /// What can be decided now: what a pause offers, and a cancel at any time before the end.
    #[must_use]
    pub fn decisions(&self) -> Vec<DecisionKind> {
        match &self.state {
            State::Paused(paused) => {
                let mut kinds = paused.decisions();
                let both = [DecisionKind::Cancel, DecisionKind::ForceCancel];
                let more = both.into_iter().filter(|kind| !kinds.contains(kind)).collect::<Vec<_>>();
                kinds.extend(more);
                kinds
            }
            State::Finished(_) => Vec::new(),
            state if state.is_in_doubt() => {
                vec![DecisionKind::Adopt, DecisionKind::GiveUp, DecisionKind::Cancel, DecisionKind::ForceCancel]
            }
            _ => vec![DecisionKind::Cancel, DecisionKind::ForceCancel, DecisionKind::Continue],
        }
    }

    fn change(self, now_ms: u64, events: Vec<Event>, how: impl FnOnce(&mut Cx<'_>, State) -> State) -> Transition {
        let (changed, events) = self.changed(now_ms, events, how);
        changed.transition(events)
    }

    fn changed(
        mut self,
        now_ms: u64,
        mut events: Vec<Event>,
        how: impl FnOnce(&mut Cx<'_>, State) -> State,
    ) -> (Self, Vec<Event>) {
        let state = {
            let mut cx = Cx { plan: &self.plan, now_ms, progress: &mut self.progress, events: &mut events };
            how(&mut cx, self.state)
        };
        (Self { state, ..self }, events)
    }

    fn transition(self, events: Vec<Event>) -> Transition {
        let mut checkpoint = Checkpoint::new(&self.plan, self.progress, self.state);
        let text = checkpoint.encode();
        let next = checkpoint.state.next(&self.plan, &checkpoint.progress);
        Transition { checkpoint: text, next, events }
    }

    /// What the owner of the loop does next.
    #[must_use]
    pub fn next(&self) -> Next {
        self.state.next(&self.plan, &self.progress)
    }

    /// The plan.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// What is known so far.
    #[must_use]
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// Where it stands.
    #[must_use]
    pub fn state(&self) -> &State {
        &self.state
    }
}

impl Waiting {
    /// Goes on with the reply.
    #[must_use]
    pub fn answered(self, now_ms: u64, reply: Reply) -> Turn {
        let call = self.call;
        let (session, events) = self.session.changed(now_ms, self.events, |cx, state| match (call, state) {
            (Call::Submit, State::Ready(ready)) => ready.submitted(cx, reply),
            (_, state) => state.answered(cx, reply),
        });
        if session.state.goes_on_in_its_call() {
            return session.step(now_ms, events);
        }
        Turn::Done(session.transition(events))
    }
}

impl Decision {
    /// Its kind.
    #[must_use]
    pub fn kind(&self) -> DecisionKind {
        match self {
            Self::Adopt(_) => DecisionKind::Adopt,
            Self::Resubmit => DecisionKind::Resubmit,
            Self::Extend(_) => DecisionKind::Extend,
            Self::Cancel => DecisionKind::Cancel,
            Self::ForceCancel => DecisionKind::ForceCancel,
            Self::GiveUp => DecisionKind::GiveUp,
            Self::Continue => DecisionKind::Continue,
        }
    }
}

fn resolved(cx: &mut Cx<'_>, state: State, decision: &Decision) -> State {
    cx.tell(EventKind::Resolved, format!("decided: {}", decision.kind()));
    match (decision, state) {
        (Decision::Adopt(url), _) => AwaitStatus::adopt(cx, url),
        (Decision::Resubmit, state) => {
            // There was a job: another one is wanted, which the key of the first would not give.
            cx.progress.anew = cx.progress.anew.saturating_add(u32::from(state.job().is_some()));
            State::Ready(Ready::once_more(cx, 0))
        }
        (Decision::Cancel, state) => cancel(cx, state, Force::No),
        (Decision::ForceCancel, state) => cancel(cx, state, Force::Yes),
        (Decision::Extend(ms), State::Paused(paused)) => {
            cx.progress.deadline_at_ms = cx.progress.deadline_at_ms.max(cx.now_ms).saturating_add(*ms);
            paused.into_back()
        }
        // Time has passed: what is not sent yet is begun anew, so that no job of that time is taken for ours.
        (Decision::Continue, State::Paused(paused)) => match paused.into_back() {
            State::Ready(ready) if ready.is_clean() => Ready::fresh(cx),
            back => back,
        },
        (Decision::GiveUp, State::Paused(paused)) => give_up(cx, &paused),
        (Decision::GiveUp, state) if state.is_in_doubt() => {
            let sentence = "Given up: the kick-off was sent or may have been sent, and its answer is not known.";
            Finished::end(cx, Ending::new(Outcome::SubmitUnknown, sentence, LOOK_FIRST))
        }
        (_, state) => state,
    }
}

const LOOK_FIRST: &str = "Before another run, look at the server for a job of this import.";

fn give_up(cx: &mut Cx<'_>, paused: &Paused) -> State {
    let pause = paused.pause();
    let advice = match (paused.reason(), paused.back().job_url(), cx.progress.nothing_stored()) {
        (PauseReason::SubmitUnknown, ..) => LOOK_FIRST,
        (PauseReason::NotOurJob, ..) => "To have the files imported once more, change what is sent, then run again.",
        (_, Some(_), _) => "The job may still be running on the server.",
        (_, None, true) => "No import was started.",
        (_, None, false) => "What was imported before stays on the server.",
    };
    Finished::end(cx, Ending::new(pause.outcome, format!("Given up: {}", pause.message), advice))
}

/// Whether a job that this import may not have started is cancelled, too.
#[derive(Clone, Copy, PartialEq)]
enum Force {
    No,
    Yes,
}

fn cancel(cx: &mut Cx<'_>, state: State, force: Force) -> State {
    let place = match &state {
        State::Paused(paused) => paused.back(),
        other => other,
    };
    match place {
        State::AwaitStatus(job) if force == Force::No && job.starter() != Starter::Us => {
            cx.tell(EventKind::CancelNeedsForce, NOT_STARTED_BY_US);
            state
        }
        State::AwaitStatus(job) => match delete(cx, job) {
            Some(cancelling) => cancelling,
            None => state,
        },
        State::CancelJob(job) => State::CancelJob(job.clone()),
        State::ReadCapabilities(_) | State::ReadDefinition(_) | State::LookBefore(_) => no_more_jobs(cx),
        State::Ready(ready) if ready.is_clean() => no_more_jobs(cx),
        State::ReadResult(_) | State::ReadErrors(_) if cx.jobs_left() > 1 => {
            cx.progress.jobs_done = cx.progress.jobs_done.saturating_add(1);
            no_more_jobs(cx)
        }
        _ => {
            cx.tell(EventKind::Cancel, "not cancelled: there is no job in flight to cancel");
            state
        }
    }
}

const NOT_STARTED_BY_US: &str = "not cancelled: somebody else may have started this job (this server gives the same job \
                                 to everybody who sends the same, or the job was adopted or found in a list); to cancel it \
                                 all the same, force it";

/// Ends an import that has no job in flight.
fn no_more_jobs(cx: &mut Cx<'_>) -> State {
    let (done, uploaded) = (cx.jobs_of_all(), cx.progress.uploaded);
    let (sentence, advice) = match (cx.progress.nothing_stored(), uploaded) {
        (true, _) => ("Cancelled before a job was started.".to_owned(), ""),
        (false, 0) => (
            format!("Cancelled; {done} jobs had ended, and no other one was started."),
            "What those imported stays on the server.",
        ),
        (false, bytes) => (
            format!("Cancelled; {done} jobs had ended, and {bytes} bytes of the next file had been uploaded."),
            "What was imported stays on the server.",
        ),
    };
    Finished::end(cx, Ending::new(Outcome::Cancelled, sentence, advice))
}

/// Cancels a job where the dialect knows how.
fn delete(cx: &mut Cx<'_>, job: &AwaitStatus) -> Option<State> {
    if AwaitStatus::can_be_cancelled(cx) {
        return Some(State::CancelJob(CancelJob::new(job.clone(), cx.now_ms)));
    }
    let advice = cx.dialect().and_then(|d| d.cancel.advice.clone()).unwrap_or_default();
    cx.tell(EventKind::Cancel, format!("not cancelled: this server offers no way to cancel a job. {advice}"));
    None
}
