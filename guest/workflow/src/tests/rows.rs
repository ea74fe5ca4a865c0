//! What counts in a row and what does not: failed polls, answers without sense, the wait that a healthy job was given.

use serde_json::json;

use super::answers::{answer, broken, empty, json_answer, outcome, page, running};
use super::{MINUTE_MS, Play, named};
use crate::state::Reply;
use crate::status::Phase;
use crate::transition::{Decision, Next, PauseReason, WakeReason};

const POLL: &str = "GET /jobs/1";

fn started() -> Play {
    Play::running(named("smart-manifest"))
}

fn asks(seconds: &str) -> Reply {
    answer(202, &[("Retry-After", seconds)], "")
}

fn times(play: &mut Play, times: usize, reply: &Reply) {
    for _ in 0..times {
        play.exchange(POLL, reply.clone());
    }
}

/// The answers after which a failed poll is the first one again.
fn breaks() -> [Reply; 2] {
    [running(), outcome(404, "gone for a moment")]
}

#[test]
fn each_failed_poll_waits_longer_than_the_one_before() {
    let mut play = started();
    let waits = play.waits(4, POLL, &broken());
    assert!((2_000..=3_000).contains(&waits[0]) && waits.windows(2).all(|pair| pair[0] < pair[1]), "{waits:?}");
}

#[test]
fn failed_polls_count_in_a_row_only() {
    for reply in breaks() {
        let mut play = started();
        times(&mut play, 6, &broken());
        assert!(play.wait_ms() >= MINUTE_MS);
        play.exchange(POLL, reply).exchange(POLL, broken());
        assert!(play.wait_ms() <= 3_000, "{}", play.wait_ms());
    }
}

#[test]
fn answers_without_sense_count_in_a_row_only() {
    for reply in breaks() {
        let mut play = started();
        times(&mut play, 4, &page(200));
        play.exchange(POLL, reply);
        times(&mut play, 4, &page(200));
        assert_eq!(play.status().phase, Phase::Running);
        play.exchange(POLL, page(200));
        play.paused(PauseReason::AnswerNotUnderstood);
        play.resolve(&Decision::Continue);
        times(&mut play, 4, &page(200));
        assert_eq!(play.status().phase, Phase::Running, "they are counted from the start");
    }
}

#[test]
fn a_job_that_is_doubted_is_not_a_request_that_failed() {
    let mut play = started();
    play.exchange(POLL, broken()).exchange(POLL, outcome(404, "gone"));
    assert!(matches!(&play.next, Next::Wait(wake) if wake.reason == WakeReason::Poll), "{:?}", play.next);
    assert_eq!(play.status().sentence, "The job was accepted; waiting for it to end.");
}

#[test]
fn a_failed_poll_is_not_made_again_sooner_than_a_healthy_one() {
    for failed in [broken(), page(502), empty(429), outcome(404, "gone"), page(200)] {
        let mut play = started();
        play.exchange(POLL, asks("120")).exchange(POLL, failed.clone());
        assert_eq!(play.wait_ms(), 120_000, "{failed:?}");
        play.exchange(POLL, asks("1")).exchange(POLL, failed);
        assert!(play.wait_ms() <= 3_000, "the job is asked for more often now");
    }
}

#[test]
fn what_the_kick_off_asked_for_holds_for_failed_polls_too() {
    let mut play = Play::new(named("smart-manifest"));
    let headers = [("Content-Location", "/fhir/jobs/1"), ("Retry-After", "120")];
    play.exchange("POST /$import", answer(202, &headers, "")).exchange(POLL, broken());
    assert_eq!(play.wait_ms(), 120_000);
}

#[test]
fn every_poll_is_counted() {
    let mut play = started();
    play.exchange(POLL, running()).exchange(POLL, broken()).exchange(POLL, page(200));
    play.exchange(POLL, json_answer(200, &json!({ "output": [] })));
    assert_eq!(play.report().polls, 4);
}
