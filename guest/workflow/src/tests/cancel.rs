//! A cancel is asked for, and believed when the status says so.

use serde_json::json;

use super::answers::{accepted, answer, broken, empty, manifest, outcome, page, running};
use super::{MINUTE_MS, Play, defined, dialect, input, named};
use crate::dialect::{CancelShape, Handle};
use crate::outcome::Outcome;
use crate::pace::FLOOR_MS;
use crate::state::Reply;
use crate::status::Phase;
use crate::transition::{Decision, EventKind, Next, PauseReason};

const POLL: &str = "GET /jobs/1";
const DELETE: &str = "DELETE /jobs/1";

fn cancelling() -> Play {
    let mut play = Play::running(named("smart-manifest"));
    play.exchange(POLL, running()).resolve(&Decision::Cancel);
    assert_eq!(play.status().phase, Phase::Cancelling);
    play.now_ms += MINUTE_MS;
    play.exchange(POLL, running());
    assert!(play.under_way.is_some(), "after the look the cancel follows in the same call");
    play
}

#[test]
fn a_job_that_is_over_is_not_deleted_with_its_result() {
    let over = [manifest(&json!([]), &json!([])), outcome(422, "failed")];
    for reply in over {
        let mut play = Play::running(named("smart-manifest"));
        play.exchange(POLL, running()).resolve(&Decision::Cancel).exchange(POLL, reply);
        assert_eq!(play.status().phase, Phase::Running, "{:?}", play.events);
        assert_eq!(play.told(EventKind::Cancel), "not cancelled: the job is over");
    }
    let mut play = Play::running(named("smart-manifest"));
    play.exchange(POLL, running()).resolve(&Decision::Cancel).exchange(POLL, empty(410));
    play.ended(Outcome::Cancelled);
}

#[test]
fn where_the_status_is_does_not_say_that_the_job_runs() {
    let mut where_asked = dialect("smart-manifest");
    where_asked.kick_off.handle = Handle::StatusRequest;
    where_asked.kick_off.accepted = vec![200];
    let request = json!({ "url": "$status", "content-type": "a/b", "accept": "a/b", "body": {} });
    where_asked.poll.status_request = Some(serde_json::from_value(request).unwrap());
    let mut play = Play::new(defined(where_asked));
    play.exchange("POST /$import", empty(200)).resolve(&Decision::Cancel);
    play.exchange("POST /$status", accepted("/jobs/1"));
    assert_eq!(play.wait_ms(), 1_000, "nothing is deleted yet");
    let mut over = play.clone();
    over.exchange(POLL, manifest(&json!([]), &json!([])));
    assert_eq!(over.told(EventKind::Cancel), "not cancelled: the job is over");
    play.exchange(POLL, running()).exchange(DELETE, empty(202)).exchange(POLL, empty(404));
    play.ended(Outcome::Cancelled);
}

#[test]
fn a_status_that_says_nothing_is_asked_for_again_before_anything_is_deleted() {
    for reply in [page(502), page(200), broken()] {
        let mut play = Play::running(named("smart-manifest"));
        play.exchange(POLL, running()).resolve(&Decision::Cancel).exchange(POLL, reply.clone());
        play.exchange(POLL, running()).exchange(DELETE, empty(202)).exchange(POLL, empty(404));
        play.ended(Outcome::Cancelled);

        let mut play = Play::running(named("smart-manifest"));
        play.exchange(POLL, running()).resolve(&Decision::Cancel);
        play.exchanges([(POLL, reply.clone()), (POLL, reply.clone()), (POLL, reply)]);
        goes_on(&mut play);
    }
}

#[test]
fn a_job_that_the_server_had_forgotten_before_was_not_cancelled_by_us() {
    let mut play = Play::running(named("smart-manifest"));
    play.exchange(POLL, running()).resolve(&Decision::Cancel).exchange(POLL, outcome(404, "gone"));
    assert_eq!(play.told(EventKind::Cancel), "not cancelled: the server does not know the job");
    play.exchange(POLL, outcome(404, "gone")).exchange(POLL, outcome(404, "gone")).exchange(POLL, outcome(404, "gone"));
    play.paused(PauseReason::JobLost);
}

#[test]
fn a_look_that_wants_credentials_deletes_nothing() {
    let mut play = Play::running(named("smart-manifest"));
    play.exchange(POLL, running()).resolve(&Decision::Cancel).exchange(POLL, empty(401));
    play.paused(PauseReason::Credentials);
    play.now_ms += MINUTE_MS;
    play.resolve(&Decision::Continue);
    play.exchange(POLL, running()).exchange(DELETE, empty(202)).exchange(POLL, empty(404));
    play.ended(Outcome::Cancelled);
}

fn goes_on(play: &mut Play) {
    assert_eq!(play.status().phase, Phase::Running, "{:?}", play.events);
    assert!(play.told(EventKind::Cancel).starts_with("not cancelled: "), "{:?}", play.events);
    play.exchange(POLL, manifest(&json!([]), &json!([])));
    play.ended(Outcome::Succeeded);
}

#[test]
fn a_cancel_is_confirmed_by_the_status() {
    let confirmations: [Reply; 4] = [outcome(404, "gone"), empty(404), page(404), empty(410)];
    for accepted in [200, 202, 204] {
        for reply in &confirmations {
            let mut play = cancelling();
            play.exchange(DELETE, empty(accepted)).exchange(POLL, running()).exchange(POLL, reply.clone());
            let report = play.ended(Outcome::Cancelled);
            assert!(report.sentence.starts_with("Cancelled, as asked;"), "{}", report.sentence);
        }
    }
}

#[test]
fn who_says_that_it_was_cancelled_is_named() {
    for (reply, who) in [(empty(410), "the server says so"), (empty(404), "the server does not know the job any more")]
    {
        let mut play = cancelling();
        play.exchange(DELETE, empty(202)).exchange(POLL, reply);
        assert_eq!(play.ended(Outcome::Cancelled).sentence, format!("Cancelled, as asked; {who}."));
    }
}

#[test]
fn an_accepted_cancel_is_waited_for_as_long_after_a_bad_start() {
    let mut play = cancelling();
    for _ in 0..2 {
        play.exchange(DELETE, broken()).exchange(POLL, running());
    }
    play.exchange(DELETE, empty(202));
    for _ in 0..4 {
        play.exchange(POLL, running());
    }
    assert_eq!(play.status().phase, Phase::Cancelling);
    play.exchange(POLL, empty(404));
    play.ended(Outcome::Cancelled);
}

#[test]
fn a_cancel_that_the_server_does_not_know_changes_nothing() {
    for status in [400, 404, 405, 501] {
        let mut play = cancelling();
        let refused = if status == 501 { 3 } else { 1 };
        play.exchange(DELETE, empty(status));
        for _ in 1..refused {
            play.exchange(POLL, running()).exchange(DELETE, empty(status));
        }
        goes_on(&mut play);
    }
}

#[test]
fn a_job_that_has_ended_already_is_not_cancelled() {
    let mut play = cancelling();
    play.exchange(DELETE, outcome(409, "finished"));
    goes_on(&mut play);
    let mut play = cancelling();
    play.exchange(DELETE, empty(202)).exchange(POLL, manifest(&json!([]), &json!([])));
    goes_on(&mut play);
}

#[test]
fn a_cancel_that_is_never_confirmed_is_not_believed() {
    for reply in [running(), page(502), broken(), page(200)] {
        let mut play = cancelling();
        play.exchange(DELETE, empty(202));
        for _ in 0..5 {
            assert_eq!(play.status().phase, Phase::Cancelling);
            play.exchange(POLL, reply.clone());
        }
        goes_on(&mut play);
    }
    let mut play = cancelling();
    play.exchange(DELETE, empty(202));
    for _ in 0..5 {
        play.exchange(POLL, running());
    }
    assert_eq!(play.told(EventKind::Cancel), "not cancelled: gave up cancelling: the job still runs");
}

#[test]
fn a_cancel_may_be_repeated_when_its_answer_was_lost() {
    let mut play = cancelling();
    play.exchange(DELETE, broken()).exchange(POLL, running());
    play.exchange(DELETE, empty(202)).exchange(POLL, outcome(404, "gone"));
    play.ended(Outcome::Cancelled);
    let unknown = || outcome(404, "gone");
    let mut play = cancelling();
    play.exchange(DELETE, broken()).exchange(POLL, unknown());
    assert_eq!(play.told(EventKind::Cancel), "not cancelled: the server does not know the job");
    play.exchanges([(POLL, unknown()), (POLL, unknown()), (POLL, unknown())]);
    play.paused(PauseReason::JobLost);
    let mut play = cancelling();
    play.exchange(DELETE, broken()).exchange(POLL, running()).exchange(DELETE, page(503));
    play.exchange(POLL, running()).exchange(DELETE, broken());
    goes_on(&mut play);
}

#[test]
fn credentials_for_a_cancel_are_waited_for() {
    let mut play = cancelling();
    play.exchange(DELETE, empty(401));
    play.paused(PauseReason::Credentials);
    play.now_ms += MINUTE_MS;
    play.resolve(&Decision::Continue);
    play.exchange(POLL, running()).exchange(DELETE, empty(202)).exchange(POLL, empty(404));
    play.ended(Outcome::Cancelled);
}

#[test]
fn a_server_without_a_cancel_is_not_sent_one() {
    let mut play = Play::running(named("hapi"));
    let waiting = play.next.clone();
    play.resolve(&Decision::Cancel);
    assert!(play.told(EventKind::Cancel).contains("only its operator can"), "{:?}", play.events);
    assert_eq!((play.status().phase, &play.next), (Phase::Running, &waiting));
}

#[test]
fn a_cancel_that_cannot_be_made_leaves_a_pause_as_it_is() {
    let mut play = Play::running(named("hapi"));
    play.exchange(POLL, empty(401));
    let pause = play.pause();
    play.resolve(&Decision::Cancel);
    assert_eq!(play.pause(), pause);

    let mut play = Play::new(named("smart-manifest"));
    play.exchange("POST /$import", broken()).recover();
    let pause = play.pause();
    play.resolve(&Decision::Cancel);
    assert_eq!(play.pause(), pause);
    assert_eq!(play.told(EventKind::Cancel), "not cancelled: there is no job in flight to cancel");
}

#[test]
fn a_paused_job_can_be_cancelled() {
    let mut play = Play::running(named("smart-manifest"));
    play.exchange(POLL, empty(401)).resolve(&Decision::Cancel);
    play.now_ms += MINUTE_MS;
    play.exchange(POLL, running()).exchange(DELETE, empty(202)).exchange(POLL, empty(404));
    play.ended(Outcome::Cancelled);
}

#[test]
fn before_a_kick_off_a_cancel_is_the_end() {
    let mut play = Play::new(named("hapi"));
    play.resolve(&Decision::Cancel);
    let report = play.ended(Outcome::Cancelled);
    assert_eq!(report.sentence, "Cancelled before a job was started.");
}

#[test]
fn a_look_at_the_status_is_good_for_the_call_that_looked() {
    let mut play = cancelling();
    play.clone().exchange(DELETE, empty(202));
    play.died().now_ms += FLOOR_MS;
    play.exchange(POLL, manifest(&json!([]), &json!([])));
    assert_eq!(play.told(EventKind::Cancel), "not cancelled: the job is over");
}

#[test]
fn a_job_that_is_not_cancelled_is_asked_for_when_the_server_said() {
    let asks = answer(202, &[("Retry-After", "120")], "");
    let mut play = Play::running(named("smart-manifest"));
    play.exchange(POLL, asks);
    let due_ms = play.now_ms + play.wait_ms();
    play.resolve(&Decision::Cancel).exchange(POLL, running()).exchange(DELETE, empty(405));
    assert_eq!((play.status().phase, play.now_ms + play.wait_ms()), (Phase::Running, due_ms));

    play.now_ms = due_ms + 5;
    play.resolve(&Decision::Cancel).exchange(POLL, running()).exchange(DELETE, empty(405));
    assert_eq!(play.wait_ms(), 1_000, "that time has passed");
}

#[test]
fn a_job_that_is_over_is_asked_for_its_end_at_once() {
    let mut play = Play::running(named("smart-manifest"));
    play.exchange(POLL, answer(202, &[("Retry-After", "120")], "")).resolve(&Decision::Cancel);
    play.exchange(POLL, manifest(&json!([]), &json!([])));
    assert_eq!(play.wait_ms(), 1_000);
}

#[test]
fn each_try_to_cancel_waits_longer_than_the_one_before() {
    let mut play = cancelling();
    play.exchange(DELETE, empty(202));
    assert_eq!(play.wait_ms(), 1_000);
    let waits = play.waits(4, POLL, &running());
    assert!((2_000..=3_000).contains(&waits[0]) && waits.windows(2).all(|pair| pair[0] < pair[1]), "{waits:?}");
}

#[test]
fn between_two_jobs_a_cancel_starts_no_other_one() {
    let mut dialect = dialect("smart-manifest");
    dialect.inputs.per_job = Some(1);
    let mut request = defined(dialect);
    request.inputs = vec![input("Patient", "a"), input("Patient", "b"), input("Patient", "c")];
    let mut play = Play::new(request);
    play.exchange("POST /$import", accepted("/jobs/1")).exchange(POLL, manifest(&json!([]), &json!([])));
    let mut ready = play.clone();
    ready.resolve(&Decision::Cancel);
    let report = ready.ended(Outcome::Cancelled);
    assert_eq!(report.sentence, "Cancelled; 1 of 3 jobs had ended, and no other one was started.");
    assert_eq!(report.advice, "What those imported stays on the server.");

    let errors = json!([{ "inputUrl": "http://127.0.0.1:18090/b.ndjson", "count": 1, "url": "/err" }]);
    play.exchange("POST /$import", accepted("/jobs/2")).exchange("GET /jobs/2", manifest(&json!([]), &errors));
    assert_eq!(play.status().phase, Phase::ReadingResult);
    let mut reading = play.clone();
    reading.resolve(&Decision::Cancel);
    let sentence = reading.ended(Outcome::Cancelled).sentence;
    assert_eq!(sentence, "Cancelled; 2 of 3 jobs had ended, and no other one was started.");

    play.exchange("GET http://127.0.0.1:18080/err", empty(404)).exchange("POST /$import", accepted("/jobs/3"));
    play.exchange("GET /jobs/3", manifest(&json!([]), &errors)).resolve(&Decision::Cancel);
    assert_eq!(play.told(EventKind::Cancel), "not cancelled: there is no job in flight to cancel");
}

#[test]
fn while_nothing_was_sent_a_cancel_is_the_end_also_in_a_pause() {
    let mut play = Play::new(named("hapi"));
    play.exchange("POST /$import", empty(401)).resolve(&Decision::Cancel);
    assert_eq!(play.ended(Outcome::Cancelled).sentence, "Cancelled before a job was started.");

    let mut play = Play::new(named("hapi"));
    play.exchange("POST /$import", broken()).recover().resolve(&Decision::Resubmit).resolve(&Decision::Cancel);
    assert_eq!(play.told(EventKind::Cancel), "not cancelled: there is no job in flight to cancel");
}

/// A job on a server where asking for the status of a stopped job starts it again, which is seen to run.
fn stopping() -> Play {
    let mut dialect = dialect("smart-manifest");
    dialect.cancel.shape = CancelShape::DeleteUntilGone;
    let mut play = Play::running(defined(dialect));
    play.exchange(POLL, running()).resolve(&Decision::Cancel).exchange(POLL, running());
    play
}

#[test]
fn a_job_that_looking_starts_again_is_not_looked_at_once_a_delete_may_have_arrived() {
    for lost in [broken(), page(502), empty(429), empty(202), outcome(500, "later")] {
        for (gone, who) in [(200, "says so"), (204, "says so"), (404, "does not know"), (410, "does not know")] {
            let mut play = stopping();
            play.exchange(DELETE, lost.clone()).exchange(DELETE, lost.clone()).exchange(DELETE, empty(gone));
            let report = play.ended(Outcome::Cancelled);
            assert!(report.sentence.contains(who), "{}", report.sentence);
        }
    }
    let mut play = stopping();
    play.now_ms += MINUTE_MS;
    play.exchange(DELETE, outcome(404, "gone")).ended(Outcome::Cancelled);
}

#[test]
fn a_cancel_that_looking_would_undo_waits_for_a_person_when_it_is_not_confirmed() {
    for reply in [broken(), page(502), empty(202), outcome(500, "failed")] {
        let mut play = stopping();
        while !matches!(play.next, Next::Paused(_)) {
            play.exchange(DELETE, reply.clone());
        }
        let pause = play.paused(PauseReason::AnswerNotUnderstood);
        assert!(pause.message.contains("starts it again"), "{}", pause.message);
        play.now_ms += MINUTE_MS;
        play.resolve(&Decision::Continue).exchange(DELETE, empty(200)).ended(Outcome::Cancelled);
    }
    let mut play = stopping();
    play.exchange(DELETE, empty(403)).paused(PauseReason::Credentials);
    play.now_ms += MINUTE_MS;
    play.resolve(&Decision::Continue).exchange(DELETE, empty(200)).ended(Outcome::Cancelled);
}

#[test]
fn a_first_delete_that_is_refused_stops_nothing_and_the_job_is_waited_for() {
    for status in [400, 405, 409] {
        let mut play = stopping();
        play.exchange(DELETE, outcome(status, "no"));
        assert_eq!(play.status().phase, Phase::Running, "{status}: {:?}", play.events);
        assert!(play.told(EventKind::Cancel).starts_with("not cancelled: "), "{:?}", play.events);
    }
}
