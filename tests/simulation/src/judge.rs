//! The judge: what the server saw, and a model of imports that is as naive as can be.
//!
//! It knows nothing of states, checkpoints or retries. It looks at the server's books and says which final words are
//! true.

use std::collections::{BTreeMap, BTreeSet};

use fhir_import::contract::{Next, Outcome, Verdict};
use fhir_import_sandbox::{Endpoint, Fate, JobRecord};
use fhir_import_workflow::checkpoint::{Checkpoint, MAX_BYTES};
use fhir_import_workflow::pace::FLOOR_MS;
use fhir_import_workflow::plan::Plan;

use crate::answer;
use crate::kinds::{Jobs, Kind, Tells};
use crate::wire::Sent;
use crate::world::{Ended, POLL_MAX_MS};

/// How long a request may be on its way.
const ON_THE_WAY_MS: u64 = 25_000;

/// A promise that was not kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// Which, as named in docs/reliability.md.
    pub promise: &'static str,
    /// How.
    pub how: String,
}

type Check = fn(&Ended) -> Result<(), String>;

const PROMISES: [(&str, Check); 9] = [
    ("I1 one intent is one job", one_job),
    ("I2 every import ends", it_ends),
    ("I3 the final word is true", the_word_is_true),
    ("I4 polls keep their distance", polls_keep_their_distance),
    ("I5, I6 only the operator's server is talked to", only_the_server),
    ("I7 checkpoints are small", checkpoints_are_small),
    ("I8 counts are the server's", counts_are_the_servers),
    ("I9 what is stored says the same when read again", stored_is_replayed),
    ("I10 nothing is cancelled that nobody asked to cancel", cancels_are_asked_for),
];

/// Judges what came of an import.
///
/// # Errors
/// The first promise that was not kept.
pub fn judge(ended: &Ended) -> Result<(), Broken> {
    PROMISES.iter().try_for_each(|(promise, check)| check(ended).map_err(|how| Broken { promise, how }))
}

fn one_job(ended: &Ended) -> Result<(), String> {
    let there: Vec<_> = ended.jobs.iter().filter(|job| job.fate != Fate::Lost).collect();
    let there = match ended.scenario.kind.jobs {
        // A file that is sent again is the same resources in another version.
        Jobs::Uploads => there.iter().map(|job| &job.kick_off).collect::<BTreeSet<_>>().len(),
        Jobs::One | Jobs::OneByOne => there.len(),
    };
    // A server that forgot its jobs gives another one for the same bytes or key, also to a kick-off that comes late.
    let script = &ended.scenario.script;
    let expire = script.forget_jobs_after_polls.is_some() || script.forget_after_end.is_some();
    let forgets = ended.forgets as usize + usize::from(expire);
    if there > ended.scenario.jobs() + forgets { Err(format!("{there} jobs: {:?}", fates(ended))) } else { Ok(()) }
}

fn it_ends(ended: &Ended) -> Result<(), String> {
    match &ended.report {
        Some(_) => Ok(()),
        None => Err(format!("after {} lives it is not over", ended.lives)),
    }
}

fn the_word_is_true(ended: &Ended) -> Result<(), String> {
    let Some(report) = &ended.report else { return Ok(()) };
    if ended.scenario.jobs() > 1 {
        return no_better_than_the_truth(ended, report.outcome);
    }
    // Several only on a server that forgot one and had a kick-off come late: the word is of the one that was followed.
    let there: Vec<_> = ended.jobs.iter().filter(|job| job.fate != Fate::Lost).collect();
    let is_true = |job| true_words(ended, job).contains(&report.outcome);
    if there.is_empty() && is_true(None) || there.into_iter().any(|job| is_true(Some(job))) {
        return Ok(());
    }
    let (acts, sentence) = (ended.acts, &report.sentence);
    Err(format!("{:?} ({sentence}), while the jobs are {:?}; the operator: {acts:?}", report.outcome, fates(ended)))
}

/// Of several jobs, each may have its own end: what counts is that a success is one.
fn no_better_than_the_truth(ended: &Ended, outcome: Outcome) -> Result<(), String> {
    let done = ended.jobs.iter().filter(|job| job.fate == Fate::Ended && job.refused == 0).count();
    let whole = done >= ended.scenario.jobs() && ended.stored == ended.scenario.resources();
    match outcome {
        Outcome::Succeeded if !(whole || done >= ended.scenario.jobs() && unread(ended)) => {
            Err(format!("success, and {:?}", fates(ended)))
        }
        Outcome::Unreachable | Outcome::Refused | Outcome::Unsupported if !ended.jobs.is_empty() => {
            Err(format!("{outcome:?} says that nothing was imported, and {:?}", fates(ended)))
        }
        _ => Ok(()),
    }
}

/// Every final word that is true. What a person gave up on, or cancelled in time, may also say so.
fn true_words(ended: &Ended, job: Option<&JobRecord>) -> Vec<Outcome> {
    let mut words = match job {
        None => vec![Outcome::Unreachable, Outcome::Refused, Outcome::Unsupported, Outcome::AnswerNotUnderstood],
        Some(job) => words_of(ended, job),
    };
    // What is not read may hold errors.
    if job.is_some_and(|job| job.fate == Fate::Ended) && unread_errors(ended) {
        words.push(Outcome::FinishedWithErrors);
        // Without its count, a rejected resource is a missing one.
        words.extend(job.filter(|job| job.refused > 0).map(|_| Outcome::VerificationFailed));
    }
    if ended.acts.gave_up > 0 {
        words.extend([
            Outcome::SubmitUnknown,
            Outcome::JobLost,
            Outcome::StillRunning,
            Outcome::AnswerNotUnderstood,
            Outcome::PausedForCredentials,
        ]);
    }
    if ended.acts.cancels > 0 && job.is_none_or(|job| job.fate == Fate::Cancelled || crossed(ended, job)) {
        words.push(Outcome::Cancelled);
    }
    words
}

/// The job ended while the request to cancel it was on its way, or between the look at it and that request, with the
/// process dead and its clock set: then nobody can know that the look is old.
fn crossed(ended: &Ended, job: &JobRecord) -> bool {
    let length_ms = ended.scenario.script.job_ms.unwrap_or(0);
    let over_ms = job.created_ms.saturating_add_signed(-ended.scenario.server_offset_ms).saturating_add(length_ms);
    let mut deletes = ended.sent.iter().filter(|sent| sent.cancels() == Some(&job.status_url));
    deletes.any(|delete| {
        if ended.scenario.kind.tells == Tells::InFiles && said_to_run(ended, job, delete) {
            return true;
        }
        let late_ms = if ended.clock_sets > 0 && is_after_a_death(ended, delete) { u64::MAX } else { ON_THE_WAY_MS };
        (over_ms..over_ms.saturating_add(late_ms)).contains(&delete.at_ms)
    })
}

/// The server itself said so, when it was asked before this request.
fn said_to_run(ended: &Ended, job: &JobRecord, delete: &Sent) -> bool {
    let mut before = ended.sent.iter().rev().filter(|sent| sent.at_ms < delete.at_ms);
    before.find(|sent| sent.polls(&job.status_url)).is_some_and(|poll| poll.status == Some(202))
}

/// The process died between the request before this one and this one.
fn is_after_a_death(ended: &Ended, sent: &Sent) -> bool {
    let before = ended.sent.iter().rev().find(|other| other.at_ms < sent.at_ms);
    before.is_some_and(|other| other.life < sent.life)
}

fn words_of(ended: &Ended, job: &JobRecord) -> Vec<Outcome> {
    let lies = ended.scenario.script.lie_drop > 0 || ended.scenario.script.lie_count != 0;
    let rejected = job.refused > 0 || ended.scenario.missing_file;
    let Kind { jobs, tells, .. } = ended.scenario.kind;
    match job.fate {
        // A request with nothing but bad lines is answered 400, with a result like any other.
        Fate::Failed if jobs == Jobs::Uploads => vec![Outcome::FinishedWithErrors],
        // That one of its files failed is what this server calls a failure.
        Fate::Failed if tells == Tells::WhichFiles => vec![Outcome::FinishedWithErrors, Outcome::VerificationFailed],
        Fate::Failed => vec![Outcome::Failed],
        // Only what is read back shows that something is not there, or that anything is.
        Fate::Ended if tells == Tells::Nothing && (rejected || unread(ended)) => vec![Outcome::VerificationFailed],
        // A file that the server could not fetch is one rejection to it, and to us as many missing resources.
        Fate::Ended if rejected && (lies || ended.scenario.missing_file || tells == Tells::WhichFiles) => {
            vec![Outcome::FinishedWithErrors, Outcome::VerificationFailed]
        }
        Fate::Ended if rejected => vec![Outcome::FinishedWithErrors],
        // A server that miscounts what it really stored is believed, or not.
        Fate::Ended if lies && (unread(ended) || ended.stored == ended.scenario.resources()) => {
            vec![Outcome::VerificationFailed, Outcome::Succeeded]
        }
        Fate::Ended if lies => vec![Outcome::VerificationFailed],
        Fate::Ended => vec![Outcome::Succeeded],
        Fate::Running | Fate::Cancelled | Fate::Lost => Vec::new(),
    }
}

/// Nothing could be read back, and the report says so.
fn unread(ended: &Ended) -> bool {
    ended.report.as_ref().is_some_and(|report| report.verdict == Verdict::NotVerified)
}

/// The file that alone tells of errors was not got whole, or not surely.
fn unread_errors(ended: &Ended) -> bool {
    if ended.scenario.kind.tells != Tells::InFiles {
        return false;
    }
    let is_asked = |sent: &Sent| sent.url.ends_with("/import-outcome.ndjson");
    let Some(last) = ended.sent.iter().rposition(is_asked) else { return true };
    let (read, next) = (&ended.sent[last], ended.sent.get(last + 1));
    // A process that dies with what it read asks for it once more, perhaps in vain.
    let kept = next.is_none_or(|next| next.life == read.life);
    let spoilt = ended.scenario.script.faults.iter().any(|fault| fault.on == Endpoint::ErrorFile);
    spoilt || !kept || !read.whole || read.status != Some(200)
}

fn fates(ended: &Ended) -> Vec<(Fate, u64, u64)> {
    ended.jobs.iter().map(|job| (job.fate, job.stored, job.refused)).collect()
}

fn polls_keep_their_distance(ended: &Ended) -> Result<(), String> {
    let mut last: BTreeMap<&str, &Sent> = BTreeMap::new();
    let polled = |sent: &Sent| ended.jobs.iter().map(|job| job.status_url.as_str()).find(|url| sent.polls(url));
    for (url, poll) in ended.sent.iter().filter_map(|sent| Some((polled(sent)?, sent))) {
        // A process that died may come back too early, once.
        if let Some(before) = last.insert(url, poll)
            && before.life == poll.life
        {
            // A person who cancels is not kept waiting for what the server asked of polls.
            let asked = if ended.acts.cancels > 0 { 0 } else { asked_ms(before) };
            let gap = poll.at_ms - before.at_ms;
            if gap < FLOOR_MS.max(asked) {
                return Err(format!("{gap} ms after a poll that asked for {asked}: {before:?}"));
            }
        }
    }
    Ok(())
}

/// What an answer asked for, in whole seconds, and as far as these imports honour it.
fn asked_ms(sent: &Sent) -> u64 {
    let seconds = sent.retry_after.iter().filter_map(|value| value.parse::<u64>().ok()).max().unwrap_or(0);
    let most = if sent.status == Some(202) { POLL_MAX_MS } else { u64::MAX };
    // More than ten years is as good as nothing said.
    if seconds > 315_360_000 { 0 } else { (seconds * 1000).min(most) }
}

fn only_the_server(ended: &Ended) -> Result<(), String> {
    // Some servers have what belongs to a job beside their FHIR base.
    let host = ended.base.splitn(4, '/').take(3).collect::<Vec<_>>().join("/") + "/";
    match ended.sent.iter().find(|sent| !sent.url.starts_with(&host)) {
        Some(sent) => Err(format!("{} {} (authorization: {})", sent.method, sent.url, sent.authorization.is_some())),
        None => Ok(()),
    }
}

fn checkpoints_are_small(ended: &Ended) -> Result<(), String> {
    match ended.history.iter().map(|stored| stored.checkpoint.len()).max() {
        Some(longest) if longest > MAX_BYTES => Err(format!("{longest} bytes")),
        _ => Ok(()),
    }
}

fn counts_are_the_servers(ended: &Ended) -> Result<(), String> {
    let Some(report) = &ended.report else { return Ok(()) };
    let jobs: Vec<_> = ended.jobs.iter().filter(|job| job.fate == Fate::Ended).collect();
    let script = &ended.scenario.script;
    let one = ended.scenario.jobs() == 1;
    let honest = one
        && ended.scenario.kind.tells != Tells::WhichFiles
        && !unread_errors(ended)
        && script.lie_drop == 0
        && script.lie_count == 0
        && !ended.scenario.missing_file;
    let by_the_server = matches!(report.outcome, Outcome::Succeeded | Outcome::FinishedWithErrors);
    let (imported, rejected) = (report.imported, report.rejected.unwrap_or(0));
    let says = |job: &&JobRecord| imported.is_none_or(|imported| imported == job.stored) && rejected == job.refused;
    if !honest || !by_the_server || jobs.is_empty() || jobs.iter().any(says) {
        return Ok(());
    }
    Err(format!("imported {imported:?}, rejected {rejected}; the jobs are {:?}", fates(ended)))
}

fn stored_is_replayed(ended: &Ended) -> Result<(), String> {
    let plan = Plan::decode(&ended.plan).map_err(|error| format!("the plan: {error:?}"))?;
    for (generation, stored) in ended.history.iter().enumerate() {
        let read = Checkpoint::decode(&stored.checkpoint, &plan).map_err(|e| format!("{generation}: {e:?}"))?;
        let next: Next = answer::next(read.state.next(&plan, &read.progress));
        let text = serde_json::to_string(&next).map_err(|e| e.to_string())?;
        if text != stored.next {
            return Err(format!("generation {generation} is followed by {text}, and was by {}", stored.next));
        }
    }
    Ok(())
}

fn cancels_are_asked_for(ended: &Ended) -> Result<(), String> {
    let deletes: Vec<&str> = ended.sent.iter().filter_map(Sent::cancels).collect();
    let stray = deletes.iter().find(|url| !ended.jobs.iter().any(|job| job.status_url == **url));
    match (stray, deletes.len()) {
        (Some(url), _) => Err(format!("{url} is not our job")),
        (None, 1..) if ended.acts.cancels == 0 => Err("nobody asked".to_owned()),
        _ => Ok(()),
    }
}
