//! A result that is not in the last status, or goes on on further pages.

use serde_json::json;

use super::answers::{broken, empty, json_answer};
use super::{BASE, DEADLINE_MS, Play, START_MS, defined, dialect, outcome_files};
use crate::outcome::Outcome;
use crate::pace::FLOOR_MS;
use crate::state::Reply;
use crate::status::Phase;
use crate::transition::{Decision, Next, PauseReason};
use crate::url::MAX_URL;

const POLL: &str = "GET /jobs/1";
const RESULT: &str = "GET /jobs/1/result";

/// A job that ended, and whose result is elsewhere.
fn apart() -> Play {
    let mut apart = dialect("smart-manifest");
    apart.result.url = Some("${job.handle}/result".to_owned());
    let mut play = Play::running(defined(apart));
    play.exchange(POLL, json_answer(200, &json!({})));
    assert_eq!(play.status().job_url, Some(format!("{BASE}/jobs/1")));
    play
}

/// A page without rows of a result on pages, which is a list of files of outcomes.
fn page(next: Option<&str>) -> Reply {
    outcome_files::page(&json!([]), next)
}

fn at_once(play: &mut Play) {
    play.now_ms += FLOOR_MS;
    play.resolve(&Decision::Continue);
}

#[test]
fn a_result_that_is_gone_is_lost_and_may_come_back() {
    for status in [404, 410] {
        let mut play = apart();
        play.exchange(RESULT, broken()).exchange(RESULT, empty(status));
        let pause = play.paused(PauseReason::JobLost);
        assert_eq!(pause.outcome, Outcome::JobLost);
        at_once(&mut play);
        assert_eq!(play.next, Next::Step, "it is asked for at once");
        play.exchange(RESULT, json_answer(200, &json!({ "output": [] })));
        play.ended(Outcome::Succeeded);
    }
}

#[test]
fn each_failed_request_for_a_result_waits_longer_and_a_pause_begins_anew() {
    let mut play = apart();
    let waits = play.waits(3, RESULT, &broken());
    assert!(waits[0] >= FLOOR_MS && waits.windows(2).all(|pair| pair[0] < pair[1]), "{waits:?}");
    play.exchange(RESULT, empty(401)).paused(PauseReason::Credentials);
    at_once(&mut play);
    play.exchange(RESULT, broken());
    assert!(play.wait_ms() < waits[1], "{} after {waits:?}", play.wait_ms());
}

#[test]
fn a_result_that_cannot_be_read_is_asked_for_until_the_deadline() {
    let mut play = apart();
    play.now_ms = START_MS + DEADLINE_MS;
    play.exchange(RESULT, broken());
    let message = play.paused(PauseReason::Deadline).message;
    assert!(message.contains("its result could not be read"), "{message}");
}

#[test]
fn every_page_of_a_result_is_read_once() {
    let mut play = outcome_files::running();
    play.exchange(POLL, page(Some("/fhir/result/2"))).exchange("GET /result/2", broken());
    let waited = play.wait_ms();
    play.exchange("GET /result/2", page(Some("/fhir/result/3")));
    assert_eq!(play.status().phase, Phase::ReadingResult);
    play.exchange("GET /result/3", broken());
    assert!(play.wait_ms() <= waited, "a page that was read is no failure");
    play.exchange("GET /result/3", page(None));
    play.ended(Outcome::Succeeded);
}

#[test]
fn a_result_without_an_end_is_for_a_person() {
    let mut play = outcome_files::running();
    play.exchange(POLL, page(Some("/fhir/result/0")));
    for n in 0..1_000 {
        assert_eq!(play.status().phase, Phase::ReadingResult, "{n}");
        play.exchange(&format!("GET /result/{n}"), page(Some(&format!("/fhir/result/{}", n + 1))));
    }
    assert!(play.paused(PauseReason::AnswerNotUnderstood).message.contains("more than 1000 pages"));
}

#[test]
fn the_longest_url_of_a_page_is_kept_and_a_longer_one_is_for_a_person() {
    let longest = format!("{BASE}/{}", "x".repeat(MAX_URL - BASE.len() - 1));
    let mut play = outcome_files::running();
    play.exchange(POLL, page(Some(&longest)));
    assert_eq!(play.status().phase, Phase::ReadingResult);
    let mut play = outcome_files::running();
    play.exchange(POLL, page(Some(&(longest + "x"))));
    assert!(play.paused(PauseReason::AnswerNotUnderstood).message.contains("too long to be kept"));
}
