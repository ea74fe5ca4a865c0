//! A server that lists its jobs: looked at before the kick-off for the server's time, and searched when the answer to
//! the kick-off was lost.

use serde_json::{Value, json};

use super::answers::{accepted, broken, dated, empty, instant, json_answer, manifest, page, running};
use super::{BASE, DEADLINE_MS, MINUTE_MS, Play, START_MS, defined, dialect, input, path};
use crate::dialect::{Dialect, JobList, RecoveryClass, WithoutJobs};
use crate::outcome::Outcome;
use crate::pace::FLOOR_MS;
use crate::state::Reply;
use crate::status::Phase;
use crate::transition::{Decision, DecisionKind, EventKind, Next, PauseReason, WakeReason};
use crate::url::MAX_URL;

const KICK_OFF: &str = "POST /$import";
const LIST: &str = "GET /import-jobs";
const SETTLE_MS: u64 = 30_000;
const SOURCE: &str = "http://127.0.0.1:18090";

pub fn listed() -> Dialect {
    let mut dialect = dialect("smart-manifest");
    dialect.recovery.class = RecoveryClass::List;
    dialect.recovery.list = Some(JobList {
        url: "import-jobs".to_owned(),
        accept: "application/json".to_owned(),
        jobs: path("jobs"),
        more: None,
        page: None,
        without: WithoutJobs::NoList,
        holds: None,
        handle: path("name"),
        created: path("createTime"),
        import_source: Some(path("source")),
        settle_ms: SETTLE_MS,
    });
    dialect
}

/// A job of ours, created so many milliseconds after the list was read first.
fn job(name: &str, after_ms: i64) -> Value {
    json!({ "name": name, "createTime": instant(START_MS.checked_add_signed(after_ms).unwrap()), "source": SOURCE })
}

fn list(jobs: &[Value]) -> Reply {
    json_answer(200, &json!({ "jobs": jobs }))
}

/// The list was read at the start; then the answer to the kick-off was lost.
pub fn lost() -> Play {
    lost_with(listed())
}

fn lost_with(dialect: Dialect) -> Play {
    let mut play = Play::new(defined(dialect));
    play.exchange(LIST, dated(START_MS, list(&[job("/fhir/jobs/0", -5)])));
    assert_eq!((&play.next, play.status().phase), (&Next::Submit, Phase::ReadyToSubmit));
    play.exchange(KICK_OFF, broken()).recover();
    assert_eq!((play.status().phase, play.wait_ms()), (Phase::Submitting, SETTLE_MS));
    play
}

fn found(jobs: &[Value]) -> Play {
    let mut play = lost();
    play.exchange(LIST, list(jobs));
    play
}

#[test]
fn the_list_is_read_before_the_kick_off() {
    let mut play = Play::new(defined(listed()));
    assert_eq!((&play.next, play.status().phase), (&Next::Step, Phase::ReadyToSubmit));
    assert!(play.status().sentence.contains("before anything is submitted"));
    play.exchange(LIST, dated(START_MS, list(&[])));
    assert_eq!(play.last_header("accept"), Some("application/json"));
    assert!(play.events.is_empty(), "{:?}", play.events);
    play.exchange(KICK_OFF, accepted("/jobs/1"));
    assert_eq!(play.kick_offs(), 1);
}

#[test]
fn only_a_server_that_lists_its_jobs_is_asked_for_a_list() {
    for class in [RecoveryClass::SameBytes, RecoveryClass::CallerKey, RecoveryClass::Unknowable] {
        let mut dialect = listed();
        dialect.kick_off.body["id"] = json!("${job.id}");
        dialect.recovery.class = class;
        assert_eq!(Play::new(defined(dialect)).next, Next::Submit);
    }
}

#[test]
fn without_the_servers_time_the_list_says_nothing_about_a_lost_kick_off() {
    let mut play = Play::new(defined(listed()));
    play.exchange(LIST, dated(START_MS, empty(404)));
    assert!(play.told(EventKind::RequestFailed).contains("does not tell its time"));
    play.exchange(KICK_OFF, broken()).recover();
    let pause = play.paused(PauseReason::SubmitUnknown);
    assert!(pause.message.contains("to tell new jobs from old ones"), "{}", pause.message);
    assert_eq!(pause.decisions, [DecisionKind::Adopt, DecisionKind::Resubmit, DecisionKind::GiveUp]);
}

#[test]
fn each_failed_look_waits_longer_than_the_one_before() {
    let mut play = Play::new(defined(listed()));
    play.exchange(LIST, broken());
    let first = play.wait_ms();
    play.exchange(LIST, broken());
    assert!((2_000..=3_000).contains(&first) && play.wait_ms() > first, "{first}, {}", play.wait_ms());
    play.exchange(LIST, dated(START_MS, list(&[])));
    assert_eq!(play.next, Next::Submit);
    assert!(play.events.is_empty(), "{:?}", play.events);
}

#[test]
fn a_list_that_does_not_say_when_it_was_made_helps_nobody() {
    let mut play = Play::new(defined(listed()));
    play.exchange(LIST, list(&[]));
    assert!(play.told(EventKind::RequestFailed).contains("does not tell its time"));
    play.exchange(KICK_OFF, broken()).recover();
    play.paused(PauseReason::SubmitUnknown);
}

#[test]
fn before_the_kick_off_a_cancel_is_the_end() {
    let mut play = Play::new(defined(listed()));
    play.resolve(&Decision::Cancel);
    assert_eq!(play.ended(Outcome::Cancelled).sentence, "Cancelled before a job was started.");
}

#[test]
fn a_job_that_is_not_listed_twice_is_not_there() {
    let mut play = lost();
    assert!(matches!(&play.next, Next::Wait(wake) if wake.reason == WakeReason::Settle));
    assert!(play.status().sentence.contains("looking for its job"));
    play.exchange(LIST, list(&[]));
    assert_eq!((play.status().phase, play.wait_ms()), (Phase::Submitting, SETTLE_MS));
    play.exchange(LIST, list(&[]));
    assert!(play.told(EventKind::NotAccepted).contains("has no job of this import"), "{:?}", play.events);
    assert!(play.wait_ms() >= 2_000, "the answer was lost once");
    play.exchange(KICK_OFF, accepted("/jobs/1")).exchange("GET /jobs/1", manifest(&json!([]), &json!([])));
    play.ended(Outcome::Succeeded);
    assert_eq!(play.kick_offs(), 2);
}

#[test]
fn a_server_that_neither_answers_nor_lists_the_job_is_left_to_a_person_at_the_deadline() {
    let mut play = lost();
    play.now_ms = START_MS + DEADLINE_MS - 10 * MINUTE_MS;
    for _ in 0..100 {
        play.exchange(LIST, list(&[])).exchange(LIST, list(&[]));
        if matches!(play.next, Next::Paused(_)) {
            break;
        }
        play.exchange(KICK_OFF, page(502)).recover();
    }
    let pause = play.paused(PauseReason::SubmitUnknown);
    assert!(pause.message.contains("deadline"), "{}", pause.message);
    let first_ms = START_MS + DEADLINE_MS;
    assert!((first_ms..first_ms + 5 * MINUTE_MS).contains(&play.now_ms), "{}", play.now_ms - START_MS);
    assert!(play.sent.iter().all(|(at_ms, sent)| sent.body.is_none() || *at_ms < first_ms + 3 * MINUTE_MS));
}

#[test]
fn the_one_job_that_is_listed_is_taken_but_not_for_certain() {
    for after_ms in [0, 1, 3_600_000] {
        let mut play = found(&[job("/fhir/jobs/7", after_ms)]);
        assert_eq!(play.status().job_url, Some(format!("{BASE}/jobs/7")), "{after_ms}");
        assert_eq!(play.status().accepted_ms, Some(play.now_ms));
        assert!(play.told(EventKind::Accepted).ends_with("its status is at /fhir/jobs/7"), "{:?}", play.events);
        play.exchange("GET /jobs/7", running()).resolve(&Decision::Cancel);
        assert_eq!(play.status().phase, Phase::Running, "perhaps somebody else started it");
        assert!(play.told(EventKind::CancelNeedsForce).contains("force it"), "{:?}", play.events);
        play.resolve(&Decision::ForceCancel);
        play.exchange("GET /jobs/7", running()).exchange("DELETE /jobs/7", empty(202));
        play.exchange("GET /jobs/7", empty(404));
        play.ended(Outcome::Cancelled);
    }
}

#[test]
fn a_job_that_is_listed_late_is_found_at_the_second_look() {
    let mut play = found(&[job("/fhir/jobs/0", -5)]);
    play.exchange(LIST, list(&[job("/fhir/jobs/0", -5), job("/fhir/jobs/7", 20)])).exchange("GET /jobs/7", running());
    assert_eq!(play.kick_offs(), 1);
}

#[test]
fn older_jobs_and_those_of_other_sources_are_not_ours() {
    let mut other = job("/fhir/jobs/2", 10);
    other["source"] = json!("http://elsewhere.example");
    let mut nobody = job("/fhir/jobs/3", 10);
    nobody.as_object_mut().unwrap().remove("source");
    let play = found(&[job("/fhir/jobs/1", -1), other, nobody, job("/fhir/jobs/7", 10)]);
    assert_eq!(play.status().job_url, Some(format!("{BASE}/jobs/7")));
}

#[test]
fn a_job_that_does_not_say_how_old_it_is_is_asked_about() {
    let unknown = json!({ "name": "/fhir/jobs/8", "source": SOURCE });
    found(std::slice::from_ref(&unknown)).paused(PauseReason::SubmitUnknown);
    found(&[unknown, job("/fhir/jobs/7", 10)]).paused(PauseReason::SubmitUnknown);
}

#[test]
fn without_a_source_in_the_list_every_new_job_can_be_ours() {
    let mut dialect = listed();
    dialect.recovery.list.as_mut().unwrap().import_source = None;
    let mut other = job("/fhir/jobs/2", 10);
    other["source"] = json!("http://elsewhere.example");
    let mut play = lost_with(dialect);
    play.exchange(LIST, list(&[job("/fhir/jobs/1", -1), other])).exchange("GET /jobs/2", running());
}

#[test]
fn of_several_jobs_a_person_says_which_it_is() {
    let jobs: Vec<Value> = (1..=4).map(|n| job(&format!("/fhir/jobs/{n}"), n)).collect();
    let pause = found(&jobs[..2]).paused(PauseReason::SubmitUnknown);
    assert!(pause.message.contains("2 jobs that can be this one's: /fhir/jobs/1, /fhir/jobs/2."), "{}", pause.message);
    assert_eq!(pause.decisions, [DecisionKind::Adopt, DecisionKind::Resubmit, DecisionKind::GiveUp]);
    let mut play = found(&jobs);
    let message = play.paused(PauseReason::SubmitUnknown).message;
    assert!(
        message.contains("more than 2 jobs") && message.contains("jobs/2, …") && !message.contains("jobs/3"),
        "{message}"
    );
    play.resolve(&Decision::Adopt("/fhir/jobs/4".to_owned())).exchange("GET /jobs/4", running());
}

#[test]
fn a_list_that_makes_no_sense_is_asked_for_until_the_deadline() {
    let long = format!("/{}", "x".repeat(MAX_URL));
    let replies = [
        broken(),
        page(200),
        page(503),
        empty(404),
        json_answer(200, &json!({ "jobs": "none" })),
        json_answer(200, &json!([])),
        json_answer(404, &json!({ "jobs": [] })),
        list(&[json!({ "createTime": instant(START_MS), "source": SOURCE })]),
        list(&[job("/fhir/jobs/7", 1), job(&long, 2)]),
    ];
    for reply in replies {
        let mut play = lost();
        play.exchange(LIST, reply.clone());
        assert!(matches!(&play.next, Next::Wait(wake) if wake.reason == WakeReason::BackOff), "{reply:?}");
        assert!(!play.told(EventKind::RequestFailed).is_empty());
        let mut mended = play.clone();
        mended.exchange(LIST, list(&[job("/fhir/jobs/7", 10)])).exchange("GET /jobs/7", running());
        play.now_ms = START_MS + DEADLINE_MS - 1;
        play.exchange(LIST, reply.clone()).exchange(LIST, reply);
        assert!((START_MS + DEADLINE_MS..START_MS + DEADLINE_MS + 2 * MINUTE_MS).contains(&play.now_ms));
        let pause = play.paused(PauseReason::SubmitUnknown);
        assert!(pause.message.contains("until the deadline"), "{}", pause.message);
        assert_eq!(play.kick_offs(), 1);
    }
}

#[test]
fn a_url_of_the_longest_kind_is_taken() {
    let path = format!("/fhir/{}", "x".repeat(MAX_URL - 6));
    assert_eq!(found(&[job(&path, 1)]).status().phase, Phase::Running);
}

#[test]
fn a_list_that_fails_between_counts_neither_for_nor_against() {
    let mut play = lost();
    play.exchange(LIST, broken()).exchange(LIST, broken()).exchange(LIST, broken());
    assert!(play.wait_ms() > 4_000, "each failure waits longer");
    play.exchange(LIST, list(&[])).exchange(LIST, broken());
    assert!(play.wait_ms() <= 3_000, "they count in a row only");
    assert_eq!(play.kick_offs(), 1);
    play.exchange(LIST, list(&[])).exchange(KICK_OFF, accepted("/jobs/1"));
    assert_eq!(play.kick_offs(), 2);
}

#[test]
fn a_search_that_begins_late_still_looks_before_it_asks() {
    let mut play = lost();
    play.now_ms = START_MS + DEADLINE_MS;
    play.exchange(LIST, list(&[job("/fhir/jobs/7", 1)])).exchange("GET /jobs/7", manifest(&json!([]), &json!([])));
    play.ended(Outcome::Succeeded);
}

#[test]
fn credentials_for_the_list_are_waited_for() {
    for status in [401, 403] {
        let mut play = found(&[]);
        play.exchange(LIST, empty(status));
        let pause = play.paused(PauseReason::Credentials);
        assert!(pause.message.contains("list of jobs"), "{}", pause.message);
        assert_eq!(
            pause.decisions,
            [DecisionKind::Continue, DecisionKind::Adopt, DecisionKind::GiveUp],
            "there is no job to cancel"
        );
        play.now_ms += MINUTE_MS;
        play.resolve(&Decision::Continue).exchange(LIST, list(&[job("/fhir/jobs/7", 1)]));
        assert_eq!(play.status().phase, Phase::Running);
    }
}

#[test]
fn a_search_cannot_be_cancelled_and_goes_on() {
    let mut play = lost();
    let waiting = play.next.clone();
    play.resolve(&Decision::Cancel);
    assert_eq!(play.told(EventKind::Cancel), "not cancelled: there is no job in flight to cancel");
    assert_eq!(play.next, waiting);
}

#[test]
fn the_jobs_of_this_import_that_ended_are_older_than_the_next_one() {
    let mut dialect = listed();
    dialect.inputs.per_job = Some(1);
    let mut request = defined(dialect);
    request.inputs = vec![input("Patient", "a"), input("Patient", "b")];
    let mut play = Play::new(request);
    play.exchange(LIST, dated(START_MS, list(&[]))).exchange(KICK_OFF, accepted("/jobs/1"));
    play.exchange("GET /jobs/1", manifest(&json!([]), &json!([])));
    let first = job("/fhir/jobs/1", 10);
    play.exchange(LIST, dated(START_MS + 5_000, list(std::slice::from_ref(&first))));
    play.exchange(KICK_OFF, broken()).recover();
    play.exchange(LIST, list(&[first, job("/fhir/jobs/2", 6_000)])).exchange("GET /jobs/2", running());
}

#[test]
fn a_settle_of_nothing_is_still_a_wait() {
    let mut dialect = listed();
    dialect.recovery.list.as_mut().unwrap().settle_ms = 0;
    let mut play = Play::new(defined(dialect));
    play.exchange(LIST, dated(START_MS, list(&[]))).exchange(KICK_OFF, broken()).recover();
    assert_eq!(play.wait_ms(), 1_000);
}

/// A server whose list goes on elsewhere.
fn paged() -> Dialect {
    let mut dialect = listed();
    let list = dialect.recovery.list.as_mut().unwrap();
    (list.more, list.page) = (Some(path("next")), Some("page".to_owned()));
    dialect
}

fn page_of(jobs: &[Value], next: &str) -> Reply {
    json_answer(200, &json!({ "jobs": jobs, "next": next }))
}

#[test]
fn a_list_is_read_to_its_last_page_before_a_job_is_not_there() {
    let mut play = lost_with(paged());
    play.exchange(LIST, page_of(&[job("/fhir/jobs/0", -5)], "a b/+"));
    assert_eq!(play.wait_ms(), FLOOR_MS);
    play.exchange("GET /import-jobs?page=a%20b%2F%2B", page_of(&[], "c"));
    play.exchange("GET /import-jobs?page=c", broken());
    play.exchange("GET /import-jobs?page=c", page_of(&[job("/fhir/jobs/1", 5)], ""));
    play.exchange("GET /jobs/1", manifest(&json!([]), &json!([])));
    play.ended(Outcome::Succeeded);

    let mut play = lost_with(paged());
    for _ in 0..2 {
        play.exchange(LIST, page_of(&[], "a")).exchange("GET /import-jobs?page=a", page_of(&[], ""));
    }
    assert!(play.told(EventKind::NotAccepted).contains("has no job of this import"), "{:?}", play.events);
}

#[test]
fn a_page_that_was_read_ends_a_row_of_failures() {
    let mut play = lost_with(paged());
    play.exchange(LIST, broken()).exchange(LIST, broken());
    let waited = play.wait_ms();
    play.exchange(LIST, page_of(&[], "a")).exchange("GET /import-jobs?page=a", broken());
    assert!(play.wait_ms() < waited, "{} after {waited}", play.wait_ms());
}

#[test]
fn a_name_with_odd_characters_is_not_kept() {
    for odd in ["/fhir/jobs/\"", "/fhir/jobs/\\", "/fhir/jobs/ 1", "/fhir/jobs/\u{e4}"] {
        let mut play = lost();
        play.exchange(LIST, list(&[job(odd, 5)]));
        assert!(play.told(EventKind::RequestFailed).contains("list of jobs was answered 200"), "{odd}");
    }
    let mut named = listed();
    named.poll.url = Some("jobs/${job.handle}".to_owned());
    let mut play = lost_with(named.clone());
    play.exchange(LIST, list(&[job("a+b", 5)]));
    assert_eq!(play.status().phase, Phase::Submitting);
    let mut play = lost_with(named);
    play.exchange(LIST, list(&[job("a-b", 5)])).exchange("GET /jobs/a-b", running());
}

#[test]
fn only_where_that_means_that_there_are_none_a_list_may_be_left_out() {
    let without = || json_answer(200, &json!({}));
    let mut none = listed();
    none.recovery.list.as_mut().unwrap().without = WithoutJobs::NoJobs;
    let mut play = lost_with(none.clone());
    play.exchange(LIST, without()).exchange(LIST, without());
    assert!(play.told(EventKind::NotAccepted).contains("has no job of this import"), "{:?}", play.events);
    let mut odd = lost_with(none);
    odd.exchange(LIST, json_answer(200, &json!([])));
    assert!(odd.told(EventKind::RequestFailed).contains("answered 200"), "{:?}", odd.events);
    let mut play = lost();
    play.exchange(LIST, without());
    assert!(play.told(EventKind::RequestFailed).contains("answered 200"), "{:?}", play.events);
}

#[test]
fn two_jobs_on_two_pages_are_two() {
    let mut play = lost_with(paged());
    play.exchange(LIST, page_of(&[job("/fhir/jobs/1", 5)], "a"));
    play.exchange("GET /import-jobs?page=a", page_of(&[job("/fhir/jobs/2", 5)], ""));
    let message = play.paused(PauseReason::SubmitUnknown).message;
    assert!(message.contains("/fhir/jobs/1, /fhir/jobs/2. Look"), "{message}");
}

#[test]
fn a_list_without_an_end_is_left_to_a_person() {
    let mut play = lost_with(paged());
    play.exchange(LIST, page_of(&[], "a"));
    for _ in 1..100 {
        play.exchange("GET /import-jobs?page=a", page_of(&[], "a"));
    }
    assert!(play.paused(PauseReason::SubmitUnknown).message.contains("longer than can be read"));

    let mut dialect = paged();
    dialect.recovery.list.as_mut().unwrap().page = None;
    let mut play = lost_with(dialect);
    play.exchange(LIST, page_of(&[job("/fhir/jobs/1", 5)], "a"));
    assert!(play.paused(PauseReason::SubmitUnknown).message.contains("longer than can be read"));
}
