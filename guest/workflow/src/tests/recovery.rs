//! The answer to a kick-off was lost, and the server tells the same job by itself: by the same bytes, or by a key of
//! ours. What follows where it lists its jobs is in `listed.rs`.

use serde_json::{Value, json};

use super::answers::{
    accepted, answer, broken, dated, empty, instant, json_answer, manifest, outcome, page, running, unreachable,
};
use super::{BASE, DEADLINE_MS, MINUTE_MS, Play, START_MS, defined, dialect, input, named, path};
use crate::dialect::{Dialect, Duplicate, Handle, RecoveryClass, Setting};
use crate::exchange::Answer;
use crate::outcome::Outcome;
use crate::pace::FLOOR_MS;
use crate::request::Request;
use crate::state::Reply;
use crate::status::Phase;
use crate::transition::{Decision, DecisionKind, EventKind, Next, PauseReason};

const KICK_OFF: &str = "POST /$import";
/// What the server is asked for its time with.
const LOOK: &str = "GET /metadata";
const POLL: &str = "GET /jobs/1";
const KEY: &str = "00112233445566778899aabbccddeeff-0";

fn same_bytes() -> Dialect {
    let mut dialect = dialect("smart-manifest");
    dialect.result.created = Some(path("transactionTime"));
    dialect.recovery.class = RecoveryClass::SameBytes;
    dialect
}

fn caller_key() -> Dialect {
    let mut dialect = dialect("smart-manifest");
    dialect.kick_off.body["id"] = json!("${job.id}");
    dialect.recovery.class = RecoveryClass::CallerKey;
    let (texts, handle) = (vec!["duplicate".to_owned()], Some("import-jobs/${job.id}".to_owned()));
    dialect.recovery.duplicate = Some(Duplicate { statuses: vec![409], texts, handle });
    dialect
}

/// Three files, one a job.
fn one_by_one(mut dialect: Dialect) -> Request {
    dialect.inputs.per_job = Some(1);
    let mut request = defined(dialect);
    request.inputs = vec![input("Patient", "a"), input("Patient", "b"), input("Patient", "c")];
    request
}

/// The job ended, and was created at a time.
fn created(ms: u64) -> Reply {
    json_answer(200, &json!({ "transactionTime": instant(ms), "output": [], "error": [] }))
}

/// The server said before the first kick-off what its time is.
fn looked_at(server_ms: u64) -> Play {
    let mut play = Play::new(defined(same_bytes()));
    play.exchange(LOOK, dated(server_ms, empty(200)));
    assert_eq!((&play.next, play.status().phase), (&Next::Submit, Phase::ReadyToSubmit));
    play
}

/// The answer to the first kick-off was lost; the second one, a minute later, is accepted.
fn accepted_twice() -> Play {
    accepted_twice_at(START_MS)
}

fn accepted_twice_at(server_ms: u64) -> Play {
    let mut play = looked_at(server_ms);
    play.exchange(KICK_OFF, broken()).recover();
    play.now_ms += MINUTE_MS;
    play.exchange(KICK_OFF, accepted("/jobs/1"));
    assert_eq!((play.status().phase, play.kick_offs()), (Phase::Running, 2));
    play
}

fn body(play: &Play, nth: usize) -> Value {
    let posts: Vec<_> = play.sent.iter().filter_map(|(_, sent)| sent.body.as_deref()).collect();
    serde_json::from_str(posts[nth]).unwrap()
}

fn ids(play: &Play) -> Vec<String> {
    (0..play.kick_offs()).map(|nth| body(play, nth)["id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn the_same_bytes_are_sent_until_one_answer_is_not_lost() {
    let mut play = looked_at(START_MS);
    for lost in [broken(), page(502), page(500), empty(200)] {
        play.exchange(KICK_OFF, lost);
        assert_eq!(play.next, Next::Recover);
        play.recover();
    }
    play.exchange(KICK_OFF, accepted("/jobs/1")).exchange(POLL, created(START_MS));
    play.ended(Outcome::Succeeded);
    assert_eq!(play.kick_offs(), 5);
    assert!((1..5).all(|nth| body(&play, nth) == body(&play, 0)));
}

#[test]
fn each_answer_that_is_lost_makes_the_next_kick_off_wait_longer() {
    let mut play = looked_at(START_MS);
    let mut waits = Vec::new();
    for _ in 0..4 {
        play.exchange(KICK_OFF, broken()).recover();
        waits.push(play.wait_ms());
    }
    assert!((2_000..=3_000).contains(&waits[0]) && waits.windows(2).all(|pair| pair[0] < pair[1]), "{waits:?}");
}

#[test]
fn after_a_crash_the_kick_off_is_sent_at_once_and_a_refusal_is_not_the_whole_truth() {
    let mut play = looked_at(START_MS);
    play.recover();
    assert_eq!((&play.next, play.status().sentence.as_str()), (&Next::Submit, "Ready to submit."));
    play.exchange(KICK_OFF, outcome(400, "no"));
    assert!(play.paused(PauseReason::SubmitUnknown).message.contains("may have been accepted"));
}

#[test]
fn a_job_that_a_lost_kick_off_created_is_ours() {
    for at_ms in [START_MS, START_MS + 30_000, START_MS + MINUTE_MS] {
        let mut play = accepted_twice();
        play.exchange(POLL, created(at_ms));
        play.ended(Outcome::Succeeded);
    }
}

#[test]
fn a_job_that_is_older_than_the_first_kick_off_is_not_ours() {
    let mut play = accepted_twice();
    play.exchange(POLL, created(START_MS - 1));
    let pause = play.paused(PauseReason::NotOurJob);
    assert!(pause.message.contains("nothing was imported for this one"), "{}", pause.message);
    assert!(pause.message.contains(&format!("{BASE}/jobs/1")), "{}", pause.message);
    assert_eq!(pause.outcome, Outcome::Refused);
    assert_eq!(pause.decisions, [DecisionKind::Adopt, DecisionKind::ForceCancel, DecisionKind::GiveUp]);
    for decision in [Decision::Resubmit, Decision::Extend(1), Decision::Continue] {
        play.refuses(&decision);
    }
    assert!(play.report_of(&Decision::GiveUp).sentence.starts_with("Given up: The server answered the kick-off with"));
}

#[test]
fn what_became_of_an_older_job_did_not_become_of_this_import() {
    let older = json!({ "resourceType": "OperationOutcome", "transactionTime": instant(START_MS - 1), "issue": [] });
    for status in [410, 422] {
        let mut play = accepted_twice();
        play.exchange(POLL, json_answer(status, &older));
        play.paused(PauseReason::NotOurJob);
    }
    let mut play = accepted_twice();
    play.exchange(POLL, empty(410));
    let message = play.paused(PauseReason::SubmitUnknown).message;
    assert!(message.contains("of this import or of before"), "{message}");
}

#[test]
fn a_failed_job_that_can_be_of_before_is_told_how_to_get_past() {
    let mut play = accepted_twice();
    play.exchange(POLL, outcome(422, "failed"));
    assert!(play.ended(Outcome::Failed).advice.contains("--set input-source"), "{}", play.report().advice);
}

#[test]
fn a_job_that_does_not_say_how_old_it_is_is_asked_about() {
    let bodies = [
        json!({ "output": [], "error": [] }),
        json!({ "transactionTime": "a while ago", "output": [], "error": [] }),
        json!({ "transactionTime": START_MS, "output": [], "error": [] }),
    ];
    for body in bodies {
        let mut play = accepted_twice();
        play.exchange(POLL, json_answer(200, &body));
        play.paused(PauseReason::SubmitUnknown);
    }
}

#[test]
fn how_old_a_job_is_shows_on_the_clock_of_the_server_whatever_becomes_of_ours() {
    let hour = 60 * MINUTE_MS;
    for there in [START_MS + hour, START_MS - hour] {
        for ours in [START_MS - hour, START_MS + hour] {
            let mut play = accepted_twice_at(there);
            play.now_ms = ours;
            play.exchange(POLL, created(there));
            play.ended(Outcome::Succeeded);

            let mut play = accepted_twice_at(there);
            play.now_ms = ours;
            play.exchange(POLL, created(there - 1));
            play.paused(PauseReason::NotOurJob);
        }
    }
}

#[test]
fn a_server_that_does_not_tell_its_time_leaves_whose_job_it_is_to_a_person() {
    for reply in [empty(200), dated(START_MS, empty(404)), empty(301)] {
        let mut play = Play::new(defined(same_bytes()));
        play.exchange(LOOK, reply.clone());
        assert!(play.told(EventKind::RequestFailed).contains("does not tell its time"), "{:?}", play.events);
        play.exchange(KICK_OFF, accepted("/jobs/1")).exchange(POLL, dated(START_MS, created(START_MS)));
        let pause = play.paused(PauseReason::SubmitUnknown);
        assert!(pause.message.contains("of this import or of before"), "{}", pause.message);
    }
}

#[test]
fn a_server_that_cannot_be_asked_for_its_time_is_not_sent_a_kick_off() {
    for reply in [broken(), page(503), empty(429), unreachable()] {
        let mut play = Play::new(defined(same_bytes()));
        for _ in 0..3 {
            play.exchange(LOOK, reply.clone());
        }
        let report = play.ended(Outcome::Unreachable);
        assert!(report.sentence.contains("could not be asked for its time"), "{}", report.sentence);
        assert_eq!(play.kick_offs(), 0);
    }
    let mut play = Play::new(defined(same_bytes()));
    play.exchange(LOOK, empty(401)).paused(PauseReason::Credentials);
    play.now_ms += MINUTE_MS;
    play.resolve(&Decision::Continue).exchange(LOOK, dated(START_MS, empty(200)));
    assert_eq!(play.next, Next::Submit);
}

#[test]
fn half_of_an_answer_that_can_say_duplicate_is_no_refusal() {
    let mut half = answer(409, &[], "");
    half.as_mut().unwrap().cut = true;
    let mut play = Play::new(defined(caller_key()));
    play.exchange(KICK_OFF, half.clone());
    assert!(play.told(EventKind::NotAccepted).contains("broke off"), "{:?}", play.events);
    play.exchange(KICK_OFF, outcome(409, "duplicate id")).paused(PauseReason::NotOurJob);
    let mut play = Play::new(defined(caller_key()));
    play.exchange(KICK_OFF, broken()).recover().exchange(KICK_OFF, half);
    assert_eq!(play.next, Next::Recover);
    let mut play = Play::new(defined(caller_key()));
    play.exchange(KICK_OFF, outcome(409, "busy")).ended(Outcome::Refused);
}

#[test]
fn half_of_a_refusal_that_can_be_a_result_is_no_refusal() {
    let mut at_once = dialect("smart-manifest");
    at_once.kick_off.handle = Handle::Answer;
    at_once.kick_off.accepted = vec![200, 400];
    at_once.recovery.class = RecoveryClass::SameBytes;
    let refused = manifest(&json!([]), &json!([{ "count": 2 }])).map(|said| Answer { status: 400, ..said });
    let half = refused.clone().map(|said| Answer { body: said.body[..9].to_vec(), cut: true, ..said });
    let mut play = Play::new(defined(at_once.clone()));
    play.exchange(KICK_OFF, half);
    assert_eq!(play.next, Next::Recover);
    play.recover().exchange(KICK_OFF, refused);
    assert_eq!(play.report().rejected, Some(2), "{:?}", play.next);
    let mut play = Play::new(defined(at_once));
    play.exchange(KICK_OFF, outcome(400, "no such operation")).ended(Outcome::Refused);
}

#[test]
fn the_server_is_asked_for_its_time_before_each_job() {
    let mut play = Play::new(one_by_one(same_bytes()));
    for (nth, at_ms) in [(0, START_MS), (1, START_MS + 60 * MINUTE_MS)] {
        play.exchange(LOOK, dated(at_ms, empty(200)));
        play.exchange(KICK_OFF, accepted("/jobs/1")).exchange(POLL, created(at_ms + nth));
    }
    play.exchange(LOOK, dated(START_MS + 120 * MINUTE_MS, empty(200)));
    play.exchange(KICK_OFF, accepted("/jobs/1")).exchange(POLL, created(START_MS + 60 * MINUTE_MS));
    play.paused(PauseReason::NotOurJob);
}

#[test]
fn an_older_job_that_is_adopted_is_as_good() {
    let mut play = accepted_twice();
    play.exchange(POLL, created(START_MS - 60 * MINUTE_MS));
    play.resolve(&Decision::Adopt("jobs/1".to_owned()));
    assert!(play.wait_ms() >= FLOOR_MS, "it was asked for just now");
    play.exchange(POLL, created(START_MS - 60 * MINUTE_MS));
    play.ended(Outcome::Succeeded);
}

#[test]
fn nothing_of_an_older_job_is_counted_as_imported() {
    let older = json!({
        "transactionTime": instant(START_MS - 1),
        "output": [{ "inputUrl": "http://127.0.0.1:18090/ok-patient.ndjson", "count": 3 }],
        "error": [{ "inputUrl": "http://127.0.0.1:18090/ok-patient.ndjson", "count": 2 }],
    });
    let mut play = accepted_twice();
    play.exchange(POLL, json_answer(200, &older));
    let report = play.report_of(&Decision::GiveUp);
    assert_eq!((report.outcome, report.imported, report.rejected), (Outcome::Refused, None, None));
    assert!(!report.advice.contains("may still be running"), "the job has ended: {}", report.advice);
}

#[test]
fn the_job_of_the_same_bytes_is_cancelled_only_by_force() {
    let mut play = accepted_twice();
    let waiting = play.next.clone();
    play.resolve(&Decision::Cancel);
    assert!(
        play.told(EventKind::CancelNeedsForce).contains("somebody else may have started this job"),
        "{:?}",
        play.events
    );
    assert_eq!((play.status().phase, &play.next), (Phase::Running, &waiting));
    play.resolve(&Decision::ForceCancel);
    assert_eq!(play.status().phase, Phase::Cancelling);
    play.exchanges([(POLL, running()), ("DELETE /jobs/1", empty(202)), (POLL, empty(404))]);
    play.ended(Outcome::Cancelled);
}

#[test]
fn one_key_in_every_kick_off_of_a_job() {
    let mut play = Play::new(defined(caller_key()));
    for _ in 0..3 {
        play.exchange(KICK_OFF, broken()).recover();
    }
    play.exchange(KICK_OFF, accepted("/jobs/1"));
    assert_eq!(ids(&play), [KEY; 4]);
}

#[test]
fn every_job_of_an_import_has_its_own_key() {
    let mut play = Play::new(one_by_one(caller_key()));
    let done = || manifest(&json!([]), &json!([]));
    play.exchange(KICK_OFF, accepted("/jobs/1")).exchange(POLL, done());
    play.exchange(KICK_OFF, broken()).recover().exchange(KICK_OFF, accepted("/jobs/2"));
    play.exchange("GET /jobs/2", done()).exchange(KICK_OFF, accepted("/jobs/3")).exchange("GET /jobs/3", done());
    play.ended(Outcome::Succeeded);
    let keys = ids(&play);
    assert_eq!(keys[0], KEY);
    let key = |n: u32| format!("00112233445566778899aabbccddeeff-{n}");
    assert_eq!(keys, [key(0), key(1), key(1), key(2)]);
    assert_eq!(body(&play, 1)["input"], json!([{ "type": "Patient", "url": "http://127.0.0.1:18090/b.ndjson" }]));
}

#[test]
fn a_job_that_was_lost_and_is_sent_again_has_a_new_key() {
    let mut play = Play::new(one_by_one(caller_key()));
    for n in 1..=3 {
        play.exchange(KICK_OFF, accepted("/jobs/1"));
        for _ in 0..3 {
            play.exchange(POLL, outcome(404, "gone"));
        }
        play.paused(PauseReason::JobLost);
        play.resolve(&Decision::Resubmit);
        assert_eq!(ids(&play).len(), n);
    }
    play.exchange(KICK_OFF, accepted("/jobs/1")).exchange(POLL, manifest(&json!([]), &json!([])));
    play.exchange(KICK_OFF, accepted("/jobs/2"));
    let again = |n: u32| format!("{KEY}-{n}");
    let second = "00112233445566778899aabbccddeeff-1".to_owned();
    assert_eq!(ids(&play), [KEY.to_owned(), again(1), again(2), again(3), second]);
}

#[test]
fn a_kick_off_that_nobody_knows_of_is_sent_again_with_the_same_key() {
    let mut play = Play::new(defined(caller_key()));
    play.exchange(KICK_OFF, empty(202));
    play.paused(PauseReason::SubmitUnknown);
    play.resolve(&Decision::Resubmit);
    play.now_ms += FLOOR_MS;
    play.exchange(KICK_OFF, accepted("/jobs/1"));
    assert_eq!(ids(&play), [KEY, KEY]);
}

#[test]
fn a_key_that_the_server_knows_leads_to_the_job() {
    let mut play = Play::new(defined(caller_key()));
    play.exchange(KICK_OFF, broken()).recover().exchange(KICK_OFF, outcome(409, "duplicate id"));
    let url = format!("{BASE}/import-jobs/{KEY}");
    assert_eq!(play.status().job_url, Some(url));
    assert_eq!(play.status().accepted_ms, Some(play.now_ms));
    assert!(play.told(EventKind::Accepted).contains(&format!("import-jobs/{KEY}")), "{:?}", play.events);
    play.exchange(&format!("GET /import-jobs/{KEY}"), running());
    play.resolve(&Decision::Cancel);
    assert_eq!(play.status().phase, Phase::Cancelling, "the key is ours, so the job is, too");
}

#[test]
fn a_conflict_that_is_none_of_the_key_is_a_refusal() {
    let mut play = Play::new(defined(caller_key()));
    play.exchange(KICK_OFF, outcome(409, "another import runs"));
    play.ended(Outcome::Refused);

    let mut play = Play::new(defined(caller_key()));
    play.exchange(KICK_OFF, outcome(400, "duplicate parameter"));
    play.ended(Outcome::Refused);

    let mut play = Play::new(defined(caller_key()));
    play.exchange(KICK_OFF, broken()).recover().exchange(KICK_OFF, outcome(409, "another import runs"));
    play.paused(PauseReason::SubmitUnknown);
}

#[test]
fn where_the_status_is_enough_the_text_is_not_read() {
    let mut dialect = caller_key();
    dialect.recovery.duplicate.as_mut().unwrap().texts = Vec::new();
    let mut play = Play::new(defined(dialect));
    play.exchange(KICK_OFF, broken()).recover();
    play.exchange(KICK_OFF, empty(409)).exchange(&format!("GET /import-jobs/{KEY}"), running());
}

#[test]
fn a_job_that_was_there_before_the_first_kick_off_is_not_ours() {
    let mut play = Play::new(defined(caller_key()));
    play.exchange(KICK_OFF, outcome(409, "duplicate id"));
    let pause = play.paused(PauseReason::NotOurJob);
    assert_eq!(pause.decisions, [DecisionKind::Adopt, DecisionKind::GiveUp]);
    assert!(pause.message.contains("nothing was imported for this one"), "{}", pause.message);
    assert_eq!(play.report_of(&Decision::GiveUp).outcome, Outcome::Refused);
    assert_eq!(play.report_of(&Decision::Cancel).outcome, Outcome::Cancelled);
    play.resolve(&Decision::Adopt("jobs/1".to_owned())).resolve(&Decision::Cancel);
    play.told(EventKind::CancelNeedsForce);
}

/// The key is ours, unless a setting stands in its place.
fn key_in_a_setting() -> Dialect {
    let mut dialect = caller_key();
    dialect.kick_off.body["id"] = json!("${set.key}");
    *dialect.settings.entry("key") = Setting { default: Some("${job.id}".to_owned()), ..Setting::default() };
    dialect.recovery.duplicate.as_mut().unwrap().texts.push("is there".to_owned());
    dialect
}

#[test]
fn a_job_of_before_under_a_key_of_the_operators_is_never_taken_for_ours() {
    let said = || outcome(409, "it is there");
    let mut request = defined(key_in_a_setting());
    request.settings = vec![("key".to_owned(), "mine".to_owned())];
    let mut play = Play::new(request.clone());
    play.exchange(KICK_OFF, said()).paused(PauseReason::NotOurJob);

    let mut play = Play::new(request);
    play.exchange(KICK_OFF, broken()).recover().exchange(KICK_OFF, said());
    let pause = play.paused(PauseReason::SubmitUnknown);
    assert!(pause.message.contains("The key was set by hand"), "{}", pause.message);

    let mut play = Play::new(defined(key_in_a_setting()));
    play.exchange(KICK_OFF, broken()).recover().exchange(KICK_OFF, said());
    assert_eq!(play.status().phase, Phase::Running, "{:?}", play.events);
    assert_eq!(ids(&play), [KEY, KEY]);
}

#[test]
fn a_busy_server_does_not_forget_that_an_answer_was_lost() {
    let mut play = Play::new(defined(caller_key()));
    play.exchange(KICK_OFF, broken()).recover();
    play.exchange(KICK_OFF, answer(429, &[("Retry-After", "100")], ""));
    assert_eq!(play.wait_ms(), 100_000);
    play.exchange(KICK_OFF, empty(401));
    play.paused(PauseReason::Credentials);
    play.resolve(&Decision::Continue);
    assert_eq!(play.next, Next::Submit, "the wait before is over");
    play.now_ms += FLOOR_MS;
    play.exchange(KICK_OFF, outcome(400, "no"));
    play.paused(PauseReason::SubmitUnknown);
}

#[test]
fn a_server_that_cannot_be_reached_until_the_deadline_leaves_a_question() {
    let mut play = Play::new(defined(caller_key()));
    play.exchange(KICK_OFF, broken()).recover();
    play.now_ms = START_MS + DEADLINE_MS - 1;
    play.exchange(KICK_OFF, unreachable()).exchange(KICK_OFF, unreachable());
    let pause = play.paused(PauseReason::SubmitUnknown);
    assert!(pause.message.starts_with("The server could not be reached: no connection."), "{}", pause.message);
}

#[test]
fn what_only_this_import_started_needs_no_force() {
    let mut play = Play::running(named("smart-manifest"));
    play.resolve(&Decision::Cancel);
    assert_eq!(play.status().phase, Phase::Cancelling);

    let mut play = Play::running(named("smart-manifest"));
    for _ in 0..3 {
        play.exchange(POLL, outcome(404, "gone"));
    }
    play.resolve(&Decision::Adopt("/fhir/jobs/2".to_owned())).exchange("GET /jobs/2", empty(401));
    let pause = play.paused(PauseReason::Credentials);
    assert_eq!(pause.decisions, [DecisionKind::Continue, DecisionKind::ForceCancel, DecisionKind::GiveUp]);
    play.resolve(&Decision::Cancel);
    assert_eq!(play.paused(PauseReason::Credentials), pause);
    play.resolve(&Decision::ForceCancel);
    assert_eq!(play.status().phase, Phase::Cancelling);
}
