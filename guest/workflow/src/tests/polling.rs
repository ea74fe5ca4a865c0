//! A poll that failed is not a job that failed, and waiting is polite.

use serde_json::json;

use super::answers::{
    accepted, answer, bad_certificate, broken, denied, empty, json_answer, outcome, page, recorded, running,
    unreachable,
};
use super::{BASE, DEADLINE_MS, MINUTE_MS, Play, START_MS, defined, dialect, named};
use crate::exchange::{Answer, KEEP_DOCUMENT};
use crate::outcome::Outcome;
use crate::pace::FLOOR_MS;
use crate::state::Reply;
use crate::status::Phase;
use crate::transition::{Decision, DecisionKind, EventKind, Next, PauseReason, WakeReason};

const POLL: &str = "GET /jobs/1";

fn hapi() -> Play {
    Play::running(named("hapi"))
}

fn asked(wait: &[(&str, &str)]) -> Play {
    let mut play = hapi();
    play.exchange(POLL, answer(202, wait, ""));
    play
}

fn reason(play: &Play) -> WakeReason {
    match &play.next {
        Next::Wait(wake) => wake.reason,
        next => panic!("{next:?}"),
    }
}

/// The same answer, of which only this much was read.
fn cut(reply: Reply) -> Reply {
    reply.map(|answer| Answer { cut: true, ..answer })
}

/// An OperationOutcome whose one error has a code.
fn coded(status: u16, code: &str) -> Reply {
    let issue = json!([{ "severity": "information" }, { "severity": "error", "code": code }]);
    json_answer(status, &json!({ "resourceType": "OperationOutcome", "issue": issue }))
}

#[test]
fn a_recorded_job_runs_and_its_words_are_kept() {
    let mut play = Play::new(named("hapi"));
    let job = "GET /$import-poll-status?_jobId=8718e82f-3f92-4e46-a787-bbf728534b8a";
    play.exchange("POST /$import", recorded!("kick-off-accepted")).exchange(job, recorded!("poll-queued"));
    assert_eq!(play.wait_ms(), 2 * MINUTE_MS);
    play.exchange(job, recorded!("poll-in-progress"));
    let status = play.status();
    assert_eq!((status.percent, status.polls, status.phase), (Some(33.3), 2, Phase::Running));
    assert!(status.progress.unwrap().ends_with("Current completion: 33.3% and ETA is 1260ms"));
    play.exchange(job, recorded!("poll-errored-running"));
    assert_eq!((play.status().phase, reason(&play)), (Phase::Running, WakeReason::Poll));
}

#[test]
fn polls_double_from_a_second_to_a_minute() {
    let mut play = hapi();
    let mut waits = vec![play.wait_ms()];
    waits.extend(play.waits(8, POLL, &running()));
    assert_eq!(waits, [1000, 1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]);
}

#[test]
fn what_the_server_asks_for_is_kept_within_floor_and_longest_wait() {
    // 2026-11-18T11:06:40Z, the request's time; a second passes before the first poll.
    let cases: [(&[&str], u64); 12] = [
        (&["7"], 7_000),
        (&["0"], FLOOR_MS),
        (&["7200"], 10 * MINUTE_MS),
        (&["-1"], FLOOR_MS),
        (&["1000000000000"], FLOOR_MS),
        (&["NaN"], FLOOR_MS),
        (&["1.5"], FLOOR_MS),
        (&[""], FLOOR_MS),
        (&["5", "120"], 120_000),
        (&["Wed, 18 Nov 2026 11:07:41 GMT"], MINUTE_MS),
        (&["Wednesday, 18-Nov-26 11:07:41 GMT"], MINUTE_MS),
        (&["Wed, 18 Nov 2020 11:07:41 GMT"], FLOOR_MS),
    ];
    for (values, wait) in cases {
        let headers: Vec<_> = values.iter().map(|value| ("Retry-After", *value)).collect();
        assert_eq!(asked(&headers).wait_ms(), wait, "{values:?}");
    }
}

#[test]
fn a_limited_wait_is_said() {
    let play = asked(&[("Retry-After", "7200")]);
    assert_eq!(play.told(EventKind::WaitLimited), "the server asks to wait 7200 s; waiting 600 s");
    assert!(matches!(&play.next, Next::Wait(wake) if wake.server_asked_ms == Some(7_200_000)));
}

#[test]
fn the_answer_to_the_kick_off_may_ask_for_a_wait_too() {
    let mut play = Play::new(named("hapi"));
    let headers = [("Content-Location", "/fhir/jobs/1"), ("Retry-After", "300")];
    play.exchange("POST /$import", answer(202, &headers, ""));
    assert_eq!(play.wait_ms(), 300_000);
    let mut request = named("hapi");
    request.policy.deadline_ms = MINUTE_MS;
    let mut play = Play::new(request);
    play.exchange("POST /$import", answer(202, &headers, ""));
    assert_eq!(play.wait_ms(), MINUTE_MS, "no first poll after the deadline");
    assert_eq!(play.told(EventKind::WaitLimited), "the server asks to wait 300 s; waiting 60 s");
}

#[test]
fn a_busy_or_broken_poll_backs_off_and_says_nothing_of_the_job() {
    let replies = [
        broken(),
        unreachable(),
        bad_certificate(),
        page(500),
        page(502),
        page(503),
        empty(408),
        empty(425),
        empty(504),
        coded(500, "transient"),
        coded(404, "throttled"),
        coded(400, "timeout"),
        recorded!("poll-without-job"),
    ];
    for reply in replies {
        let mut play = hapi();
        for _ in 0..40 {
            play.exchange(POLL, reply.clone());
            assert_eq!(reason(&play), WakeReason::BackOff);
            assert!((FLOOR_MS..=MINUTE_MS * 3 / 2).contains(&play.wait_ms()), "{}", play.wait_ms());
        }
        assert!(play.status().sentence.contains("the last status request failed"));
        play.exchange(POLL, running());
        assert_eq!(reason(&play), WakeReason::Poll);
    }
}

#[test]
fn a_busy_server_is_left_alone_as_long_as_it_asks() {
    let mut play = hapi();
    play.exchange(POLL, answer(429, &[("Retry-After", "3600")], ""));
    assert_eq!(play.wait_ms(), 3_600_000);
    play.exchange(POLL, answer(503, &[("Retry-After", "999999")], ""));
    assert_eq!(play.now_ms + play.wait_ms(), START_MS + DEADLINE_MS);
}

#[test]
fn an_error_that_is_not_transient_as_a_whole_is_none() {
    let mut play = Play::running(named("smart-manifest"));
    let issue = json!([{ "severity": "error", "code": "transient" }, { "severity": "fatal", "code": "exception" }]);
    let reply = json_answer(500, &json!({ "resourceType": "OperationOutcome", "issue": issue }));
    play.exchange(POLL, reply.clone()).exchange(POLL, reply);
    play.ended(Outcome::Failed);
}

#[test]
fn the_last_poll_is_made_at_the_deadline_and_giving_up_is_not_failing() {
    let mut play = hapi();
    while matches!(play.next, Next::Wait(_)) {
        play.exchange(POLL, answer(202, &[("Retry-After", "590")], ""));
    }
    assert_eq!(play.now_ms, START_MS + DEADLINE_MS);
    let pause = play.paused(PauseReason::Deadline);
    assert_eq!(pause.outcome, Outcome::StillRunning);
    assert_eq!(pause.decisions, [DecisionKind::Extend, DecisionKind::GiveUp]);
    assert!(pause.message.contains("does not mean that it failed"), "{}", pause.message);

    let mut given_up = play.clone();
    given_up.resolve(&Decision::GiveUp);
    let report = given_up.ended(Outcome::StillRunning);
    assert_eq!(report.advice, "The job may still be running on the server.");

    play.resolve(&Decision::Extend(MINUTE_MS)).exchange(POLL, running());
    assert_eq!(play.status().deadline_at_ms, START_MS + DEADLINE_MS + MINUTE_MS);
    play.exchange(POLL, recorded!("poll-ended"));
    play.ended(Outcome::Succeeded);
}

#[test]
fn a_job_that_ended_long_after_the_deadline_is_still_seen() {
    let mut play = hapi();
    play.now_ms = START_MS + 10 * DEADLINE_MS;
    play.exchange(POLL, recorded!("poll-ended"));
    play.ended(Outcome::Succeeded);
}

#[test]
fn credentials_are_waited_for_without_losing_the_job() {
    for status in [401, 403] {
        let mut play = hapi();
        play.exchange(POLL, empty(status));
        let pause = play.paused(PauseReason::Credentials);
        assert_eq!(pause.outcome, Outcome::PausedForCredentials);
        assert_eq!(play.status().job_url, Some(format!("{BASE}/jobs/1")));
        play.resolve(&Decision::Continue).exchange(POLL, recorded!("poll-ended"));
        play.ended(Outcome::Succeeded);
    }
}

#[test]
fn a_status_url_that_is_not_allowed_stands_still_and_goes_on_when_it_is() {
    let mut play = Play::new(named("hapi"));
    let poll = "GET https://elsewhere.example/jobs/1?token=s3cr3t";
    play.exchange("POST /$import", accepted(poll.strip_prefix("GET ").unwrap()));
    play.exchange(poll, denied());
    let pause = play.paused(PauseReason::UntrustedStatusUrl);
    assert!(pause.message.contains("https://elsewhere.example/jobs/1?…"), "{}", pause.message);
    let mut adopted = play.clone();
    adopted.resolve(&Decision::Adopt("jobs/1".to_owned())).exchange(POLL, running());
    play.resolve(&Decision::Continue).exchange(poll, running());
}

#[test]
fn an_unknown_job_is_asked_for_three_times_and_then_is_a_question() {
    let mut play = hapi();
    play.exchanges([(POLL, recorded!("poll-unknown")), (POLL, recorded!("poll-unknown"))]);
    assert_eq!(play.status().phase, Phase::Running);
    play.exchange(POLL, recorded!("poll-unknown"));
    let pause = play.paused(PauseReason::JobLost);
    assert_eq!(pause.outcome, Outcome::JobLost);
    let offered = [DecisionKind::Continue, DecisionKind::Adopt, DecisionKind::Resubmit, DecisionKind::GiveUp];
    assert_eq!(pause.decisions, offered);
    play.resolve(&Decision::Continue).exchange(POLL, recorded!("poll-ended"));
    play.ended(Outcome::Succeeded);
}

#[test]
fn a_job_that_is_forgotten_for_a_moment_is_not_lost() {
    let mut play = hapi();
    for _ in 0..10 {
        play.exchanges([(POLL, recorded!("poll-unknown")), (POLL, recorded!("poll-unknown")), (POLL, running())]);
    }
    assert_eq!(play.status().phase, Phase::Running);
}

#[test]
fn a_cancelled_job_is_cancelled() {
    let mut play = hapi();
    play.exchange(POLL, recorded!("poll-cancelled"));
    play.ended(Outcome::Cancelled);
    let mut play = Play::running(named("smart-manifest"));
    play.exchange(POLL, empty(410));
    play.ended(Outcome::Cancelled);
}

#[test]
fn older_versions_that_say_errored_are_asked_more_often() {
    let errored = || outcome(500, "Job is in ERRORED state with 123 error count. Last error: It failed.");
    let mut play = hapi();
    for _ in 0..3 {
        play.exchange(POLL, errored());
        assert_eq!(play.status().phase, Phase::Running);
    }
    let mut passed = play.clone();
    passed.exchange(POLL, running()).exchange(POLL, errored());
    assert_eq!(passed.status().phase, Phase::Running);
    play.exchange(POLL, errored());
    play.ended(Outcome::Failed);
}

#[test]
fn each_rule_of_the_manifest_dialect_is_played() {
    let failed = || outcome(500, "it broke");
    let cases: [(&[Reply], Option<Outcome>); 7] = [
        (&[failed()], None),
        (&[failed(), failed()], Some(Outcome::Failed)),
        (&[failed(), running(), failed()], None),
        (&[outcome(400, "bad"), outcome(400, "bad")], Some(Outcome::Failed)),
        (&[outcome(422, "bad")], Some(Outcome::Failed)),
        (&[empty(410)], Some(Outcome::Cancelled)),
        (&[json_answer(200, &json!({ "output": [] }))], Some(Outcome::Succeeded)),
    ];
    for (replies, ended) in cases {
        let mut play = Play::running(named("smart-manifest"));
        for reply in replies {
            play.exchange(POLL, reply.clone());
        }
        match ended {
            Some(outcome) => assert_eq!(play.report().outcome, outcome),
            None => assert_eq!(play.status().phase, Phase::Running, "{replies:?}"),
        }
    }
}

#[test]
fn what_makes_no_sense_is_never_success_and_in_the_end_a_question() {
    let ended = || recorded!("poll-ended");
    let replies: [(&str, Reply); 13] = [
        ("hapi", page(200)),
        ("hapi", empty(200)),
        ("hapi", json_answer(200, &json!({ "resourceType": "Patient" }))),
        ("hapi", json_answer(200, &json!({ "output": [] }))),
        ("hapi", cut(answer(200, &[], vec![b'{'; KEEP_DOCUMENT]))),
        ("hapi", page(404)),
        ("hapi", empty(204)),
        ("smart-manifest", ended()),
        ("smart-manifest", json_answer(200, &json!({ "status": "ok" }))),
        ("smart-manifest", json_answer(200, &json!({ "output": [{ "count": -1 }] }))),
        ("smart-manifest", json_answer(200, &json!({ "output": [{ "count": "5" }] }))),
        ("smart-manifest", json_answer(200, &json!([{ "output": [] }]))),
        ("smart-manifest", empty(303)),
    ];
    for (dialect, reply) in replies {
        let mut play = Play::running(named(dialect));
        for _ in 0..5 {
            assert_eq!(play.status().phase, Phase::Running);
            play.exchange(POLL, reply.clone());
        }
        let pause = play.paused(PauseReason::AnswerNotUnderstood);
        assert!(pause.message.contains("may still be running"), "{}", pause.message);
        play.resolve(&Decision::Continue).exchange(POLL, running());
    }
}

#[test]
fn half_of_a_success_is_asked_for_again_as_late_as_it_wanted_and_never_ends_a_job() {
    let ended =
        || recorded!("poll-ended").map(|said| Answer { body: said.body[..said.body.len() / 2].to_vec(), ..said });
    let mut play = hapi();
    for _ in 0..10 {
        play.exchange(POLL, cut(ended()));
        assert_eq!((play.status().phase, reason(&play)), (Phase::Running, WakeReason::BackOff));
    }
    play.exchange(POLL, cut(answer(200, &[("Retry-After", "120")], "{\"resourceType\"")));
    assert_eq!(play.wait_ms(), 2 * MINUTE_MS);
    assert!(play.told(EventKind::RequestFailed).contains("200, and broke off"), "{:?}", play.events);
    play.exchange(POLL, recorded!("poll-ended")).ended(Outcome::Succeeded);
}

#[test]
fn a_job_that_runs_says_so_in_the_head_of_an_answer_that_broke_off() {
    let mut apart = dialect("smart-manifest");
    apart.poll.status_header = Some("x-export-status".to_owned());
    let mut play = Play::running(defined(apart));
    let said = |status, headers: &[(&'static str, &'static str)]| {
        cut(answer(200, &[&[("X-Export-Status", status)], headers].concat(), "{\"outp"))
    };
    play.exchange(POLL, said("202", &[("Retry-After", "120"), ("X-Progress", "3%")]));
    assert_eq!((play.wait_ms(), reason(&play)), (2 * MINUTE_MS, WakeReason::Poll));
    assert_eq!(play.status().percent, Some(3.0));
    for status in ["200", "410", "422", "404"] {
        for _ in 0..6 {
            play.exchange(POLL, said(status, &[]));
            assert_eq!((play.status().phase, reason(&play)), (Phase::Running, WakeReason::BackOff), "{status}");
        }
    }
}

#[test]
fn senseless_answers_count_in_a_row_only() {
    let mut play = hapi();
    for _ in 0..10 {
        for _ in 0..4 {
            play.exchange(POLL, page(200));
        }
        play.exchange(POLL, empty(503));
    }
    assert_eq!(play.status().phase, Phase::Running);
}

#[test]
fn a_status_in_the_older_encoding_that_it_names_is_read() {
    let failed = |charset: &str| {
        let text = r#"{"resourceType":"OperationOutcome","issue":[{"severity":"error","diagnostics":"Job is in FAILED state. Last error: #"}]}"#;
        let mut body = text.as_bytes().to_vec();
        let at = body.iter().position(|byte| *byte == b'#').unwrap();
        body[at] = 0xfc;
        answer(500, &[("Content-Type", &format!("application/json+fhir;{charset}"))], body)
    };
    let mut play = hapi();
    play.exchange(POLL, failed("charset=utf-8"));
    assert_eq!(play.status().phase, Phase::Running, "a body that is no JSON says nothing of the job");
    play.exchange(POLL, failed("charset=ISO-8859-1"));
    assert!(play.ended(Outcome::Failed).errors[0].text.contains('ü'));
}

#[test]
fn words_of_progress_are_cut_and_stay_in_one_line() {
    let words = "é\u{7}%".repeat(5000);
    let play = asked(&[("X-Progress", &words)]);
    let kept = play.status().progress.unwrap();
    assert!(kept.len() <= 303 && !kept.contains('\u{7}'), "{kept}");
    assert_eq!(asked(&[("X-Progress", "NaN%")]).status().percent, None);
    assert_eq!(asked(&[("X-Progress", "100% complete")]).status().phase, Phase::Running);
}

#[test]
fn a_job_that_was_seen_to_end_and_is_then_forgotten_has_lost_its_result() {
    let mut careful = dialect("smart-manifest");
    careful.poll.rules.iter_mut().for_each(|rule| rule.confirm = 1);
    let over = [outcome(500, "it broke"), json_answer(200, &json!({ "output": [] }))];
    for seen in over {
        let mut play = Play::running(defined(careful.clone()));
        play.exchange(POLL, seen.clone()).exchange(POLL, outcome(404, "gone")).exchange(POLL, outcome(404, "gone"));
        let pause = play.paused(PauseReason::JobLost);
        assert!(pause.message.contains("its result is lost"), "{}", pause.message);

        let mut play = Play::running(defined(careful.clone()));
        play.exchanges([(POLL, seen), (POLL, running())]);
        play.exchanges([(POLL, outcome(404, "gone")), (POLL, outcome(404, "gone"))]);
        let pause = play.paused(PauseReason::JobLost);
        assert!(pause.message.contains("was not seen to end"), "{}", pause.message);
    }
}

#[test]
fn the_words_of_one_job_are_not_those_of_the_next() {
    let mut split = dialect("smart-manifest");
    split.inputs.per_job = Some(1);
    let mut play = Play::running(defined(split));
    play.exchange(POLL, answer(202, &[("X-Progress", "40% done")], "")).exchange(POLL, running());
    assert_eq!((play.status().percent, play.status().progress), (Some(40.0), Some("40% done".to_owned())));
    play.exchange(POLL, json_answer(200, &json!({ "output": [] })));
    play.exchange("POST /$import", accepted("/jobs/2"));
    assert_eq!((play.status().percent, play.status().progress), (None, None));
}

#[test]
fn a_server_that_sends_on_is_followed_but_not_in_a_circle() {
    let sends_to = |place: &str| answer(303, &[("Location", place)], "");
    let mut play = Play::running(named("smart-manifest"));
    play.exchange(POLL, sends_to(&format!("{BASE}/results/1"))).exchange("GET /results/1", running());
    play.exchange("GET /results/1", json_answer(200, &json!({ "output": [] })));
    play.ended(Outcome::Succeeded);
    let mut circle = Play::running(named("smart-manifest"));
    for _ in 0..5 {
        circle.exchange(POLL, sends_to("/fhir/jobs/1"));
    }
    circle.paused(PauseReason::AnswerNotUnderstood);
    let mut foreign = Play::running(named("smart-manifest"));
    foreign.exchange(POLL, sends_to("http://evil.example/1")).exchange("GET http://evil.example/1", denied());
    foreign.paused(PauseReason::UntrustedStatusUrl);
}

#[test]
fn what_makes_no_sense_is_shown_with_its_request_and_without_patients() {
    let mut play = Play::running(named("smart-manifest"));
    for _ in 0..5 {
        play.exchange(POLL, json_answer(200, &json!({ "resourceType": "Patient", "name": "CANARY" })));
    }
    let message = play.paused(PauseReason::AnswerNotUnderstood).message;
    let shown = format!("GET {BASE}/jobs/1, with 200 application/fhir+json: a Patient.");
    assert!(message.contains(&shown) && !message.contains("CANARY"), "{message}");
}

#[test]
fn a_result_that_is_refused_is_for_a_person_and_one_that_is_late_is_asked_for_again() {
    let mut apart = dialect("smart-manifest");
    apart.result.url = Some("${job.handle}/result".to_owned());
    let mut play = Play::running(defined(apart));
    play.exchange(POLL, json_answer(200, &json!({})));
    for status in [408, 425, 429, 503] {
        play.exchange("GET /jobs/1/result", empty(status));
        assert_eq!(play.status().phase, Phase::ReadingResult, "{status}");
    }
    play.exchange("GET /jobs/1/result", outcome(400, "the job was cancelled"));
    let pause = play.paused(PauseReason::AnswerNotUnderstood);
    assert!(pause.message.contains("400 application/fhir+json: the job was cancelled"), "{}", pause.message);
    play.now_ms += FLOOR_MS;
    play.resolve(&Decision::Continue).exchange("GET /jobs/1/result", json_answer(200, &json!({ "output": [] })));
    play.ended(Outcome::Succeeded);
}
