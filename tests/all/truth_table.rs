//! What each answer means for the job, and what a person can do next (dialects.md §3.1). A poll that failed is not a job
//! that failed, an end that was not ours is not our end, and what the server really did decides.

use fhir_import::End;
use fhir_import::contract::{Decision, DecisionKind, Outcome, Pause, PauseReason, Report, Request};
use fhir_import_sandbox::Personality;
use serde_json::{Value, json};

use crate::harness::person::{PATIENTS, Person, RESOURCES, read};
use crate::harness::rig::{Rig, Seen};
use crate::harness::servers::PLAIN;

const FILES: [(&str, &str); 1] = [("Patient", PATIENTS)];
const DAY_MS: u64 = 86_400_000;

#[track_caller]
fn done(end: End) -> Report {
    match end {
        End::Done(report) => *report,
        other => panic!("not done: {other:?}"),
    }
}

#[track_caller]
fn paused(end: End) -> Pause {
    match end {
        End::Paused(pause) => pause,
        other => panic!("not paused: {other:?}"),
    }
}

async fn rig(personality: Personality, script: Value) -> Rig {
    Rig::of_one_clock(personality, read(script)).await
}

async fn run(rig: &Rig) -> (End, Seen) {
    let id = rig.begin(&rig.request_by_file(&FILES).await).await;
    rig.drive(&id).await
}

/// Polls answered so, from the first on, so many times.
fn polls(status: u16, content_type: &str, body: &str, times: u32) -> Value {
    let answer = json!({ "status": status, "content_type": content_type, "body": body });
    json!({ "on": "poll", "nth": 1, "times": times, "action": { "answer": answer } })
}

fn outcome(severity: &str, code: &str, diagnostics: &str) -> String {
    let issue = json!([{ "severity": severity, "code": code, "diagnostics": diagnostics }]);
    json!({ "resourceType": "OperationOutcome", "issue": issue }).to_string()
}

#[tokio::test]
async fn a_poll_that_failed_is_not_a_job_that_failed() {
    let faults = json!([
        { "on": "poll", "nth": 1, "times": 3, "action": "drop" },
        { "on": "poll", "nth": 4, "action": "accept-then-drop" },
        { "on": "poll", "nth": 5, "action": { "truncate-body": 3 } },
        { "on": "poll", "nth": 6, "action": "garbage-json" },
        { "on": "poll", "nth": 7, "times": 4, "action": { "answer": { "status": 504 } } },
        { "on": "poll", "nth": 11, "times": 4, "action": { "answer": { "status": 429 } } },
    ]);
    for personality in PLAIN {
        let rig = rig(personality, json!({ "polls_until_done": 0, "faults": faults })).await;
        let (end, seen) = run(&rig).await;
        assert_eq!(done(end).outcome, Outcome::Succeeded, "{personality}: {:?}", seen.events);
        assert_eq!((rig.sandbox.jobs(), rig.sandbox.stored()), (1, RESOURCES), "{personality}");
    }
}

/// What the server says with 500, so many times, and what it means.
#[tokio::test]
async fn a_500_ends_a_job_only_where_the_server_means_the_job_and_says_it_again() {
    let fhir = "application/fhir+json";
    let passing = outcome("error", "transient", "try again");
    let error = outcome("error", "exception", "the job broke");
    let hapi_failed = outcome("error", "processing", "Job is in FAILED state with 1 error count.");
    let hapi_errored = outcome("error", "processing", "Job is in ERRORED state with 1 error count.");
    let html = "<html>500</html>";
    let (smart, hapi) = (Personality::SmartManifest, Personality::Hapi);
    let table = [
        (smart, polls(500, fhir, &error, 1), Outcome::Succeeded, "said once"),
        (smart, polls(500, fhir, &error, 2), Outcome::Failed, "said again"),
        (smart, polls(500, fhir, &passing, 9), Outcome::Succeeded, "only this request failed, it says"),
        (smart, polls(500, "text/html", html, 9), Outcome::Succeeded, "a proxy's word"),
        (smart, polls(500, fhir, "", 9), Outcome::Succeeded, "no word"),
        (hapi, polls(500, fhir, &hapi_failed, 1), Outcome::Failed, "HAPI means the job"),
        (hapi, polls(500, fhir, &hapi_errored, 3), Outcome::Succeeded, "an older HAPI tries again"),
        (hapi, polls(500, fhir, &hapi_errored, 4), Outcome::Failed, "and gives up"),
        (hapi, polls(500, fhir, &error, 9), Outcome::Succeeded, "HAPI does not mean the job"),
    ];
    for (personality, fault, outcome, why) in table {
        let rig = rig(personality, json!({ "polls_until_done": 0, "faults": [fault] })).await;
        let report = done(run(&rig).await.0);
        assert_eq!(report.outcome, outcome, "{personality}, {why}: {report:?}");
    }
}

#[tokio::test]
async fn an_end_that_was_seen_and_forgotten_before_it_was_confirmed_is_lost_not_failed() {
    let error = outcome("error", "exception", "the job broke");
    let mut fault = polls(500, "application/fhir+json", &error, 1);
    fault["nth"] = json!(2);
    let script = json!({ "polls_until_done": 9, "forget_jobs_after_polls": 1, "faults": [fault] });
    let rig = rig(Personality::SmartManifest, script).await;
    let pause = paused(run(&rig).await.0);
    assert_eq!((pause.reason, pause.outcome), (PauseReason::JobLost, Outcome::JobLost));
    assert!(pause.message.contains("said that the job is over"), "{}", pause.message);
}

#[tokio::test]
async fn a_result_that_expired_before_it_was_read_is_lost_not_failed() {
    let lost = json!([{ "on": "poll", "nth": 1, "action": "accept-then-drop" }]);
    for personality in PLAIN {
        let script = json!({ "polls_until_done": 0, "forget_after_end": 1, "faults": lost });
        let rig = rig(personality, script).await;
        let pause = paused(run(&rig).await.0);
        assert_eq!((pause.reason, pause.outcome), (PauseReason::JobLost, Outcome::JobLost), "{personality}");
        assert!(pause.message.contains("not seen to end"), "{}", pause.message);
    }
}

#[tokio::test]
async fn a_server_that_forgets_its_job_has_not_failed_it_and_may_remember() {
    for personality in PLAIN {
        let rig = rig(personality, json!({ "polls_until_done": 3 })).await;
        let id = rig.begin(&rig.request_by_file(&FILES).await).await;
        let unknown = outcome("error", "not-found", "no such job");
        rig.sandbox.set_script(read(json!({ "faults": [polls(404, "application/fhir+json", &unknown, 3)] })));
        let pause = paused(rig.drive(&id).await.0);
        assert_eq!(pause.outcome, Outcome::JobLost, "{personality}: {pause:?}");
        rig.sandbox.set_script(read(json!({})));
        rig.resolve(&id, &Decision::Continue).await.unwrap();
        assert_eq!(done(rig.drive(&id).await.0).outcome, Outcome::Succeeded, "{personality}");
        assert_eq!(rig.sandbox.jobs(), 1, "{personality}");
    }
}

#[tokio::test]
async fn a_401_for_ever_pauses_and_asks_no_more_until_somebody_goes_on() {
    for personality in PLAIN {
        let rig = rig(personality, json!({ "polls_until_done": 0 })).await;
        let id = rig.begin(&rig.request_by_file(&FILES).await).await;
        let refused = outcome("error", "login", "who are you?");
        rig.sandbox.set_script(read(json!({ "faults": [polls(401, "application/fhir+json", &refused, 2)] })));
        for asked in 1..=2 {
            let pause = paused(rig.drive(&id).await.0);
            assert_eq!(pause.outcome, Outcome::PausedForCredentials, "{personality}");
            let again = paused(rig.drive(&id).await.0);
            assert_eq!((again, rig.sandbox.polls()), (pause, asked), "{personality}: it asks without being told to");
            rig.resolve(&id, &Decision::Continue).await.unwrap();
        }
        assert_eq!(done(rig.drive(&id).await.0).outcome, Outcome::Succeeded, "{personality}");
        assert!(rig.poll_gaps().iter().all(|gap| *gap >= 1_000), "{personality}: {:?}", rig.poll_gaps());
    }
}

#[tokio::test]
async fn a_proxys_page_is_nobodys_word_about_the_job() {
    let page = "<html>Sign in</html>";
    for personality in PLAIN {
        let rig = rig(personality, json!({ "faults": [polls(200, "text/html", page, 5)] })).await;
        let id = rig.begin(&rig.request_by_file(&FILES).await).await;
        let pause = paused(rig.drive(&id).await.0);
        assert_eq!(pause.outcome, Outcome::AnswerNotUnderstood, "{personality}: {pause:?}");
        rig.resolve(&id, &Decision::Continue).await.unwrap();
        assert_eq!(done(rig.drive(&id).await.0).outcome, Outcome::Succeeded, "{personality}");
    }
}

#[tokio::test]
async fn a_proxy_that_is_broken_until_the_deadline_is_a_job_that_may_still_run() {
    for personality in PLAIN {
        let rig = rig(personality, json!({ "faults": [{ "on": "poll", "action": "html-page" }] })).await;
        let id = rig.begin(&rig.request_by_file(&FILES).await).await;
        let pause = paused(rig.drive(&id).await.0);
        assert_eq!(pause.outcome, Outcome::StillRunning, "{personality}: {pause:?}");
        rig.sandbox.set_script(read(json!({})));
        rig.resolve(&id, &Decision::Extend(DAY_MS)).await.unwrap();
        assert_eq!(done(rig.drive(&id).await.0).outcome, Outcome::Succeeded, "{personality}");
    }
}

#[tokio::test]
async fn thirty_days_of_202_are_still_running_until_they_are_over() {
    let rig = rig(Personality::SmartManifest, json!({ "job_ms": 30 * DAY_MS, "retry_after": "3600" })).await;
    let mut request = rig.request_by_file(&FILES).await;
    request.policy.poll_max_ms = 3_600_000;
    let id = rig.begin(&request).await;
    let mut extended = 0;
    let report = loop {
        match rig.drive(&id).await.0 {
            End::Done(report) => break report,
            End::Paused(pause) => {
                assert_eq!(pause.outcome, Outcome::StillRunning, "{pause:?}");
                rig.resolve(&id, &Decision::Extend(5 * DAY_MS)).await.unwrap();
                extended += 1;
            }
            other => panic!("{other:?}"),
        }
    };
    assert_eq!((report.outcome, extended, rig.sandbox.jobs()), (Outcome::Succeeded, 6, 1), "{report:?}");
    assert!(rig.sandbox.polls() <= 30 * 24 + 2 * extended + 2, "{} polls", rig.sandbox.polls());
}

/// Imports the same files from the same places under another name.
fn again(request: &Request) -> Request {
    Request { id: "f".repeat(32), ..request.clone() }
}

#[tokio::test]
async fn a_job_that_is_older_than_our_intent_is_never_our_success() {
    let rig = rig(Personality::SameBytes, json!({})).await;
    let request = rig.request_by_file(&FILES).await;
    let first = rig.begin(&request).await;
    assert_eq!(done(rig.drive(&first).await.0).outcome, Outcome::Succeeded);
    rig.pass(60_000).await;

    let second = rig.begin(&again(&request)).await;
    let pause = paused(rig.drive(&second).await.0);
    assert_eq!((pause.reason, pause.outcome), (PauseReason::NotOurJob, Outcome::Refused), "{pause:?}");
    assert_eq!((rig.sandbox.kick_offs(), rig.sandbox.jobs()), (2, 1));
    rig.resolve(&second, &Decision::Adopt(rig.job_url())).await.unwrap();
    assert_eq!(done(rig.drive(&second).await.0).outcome, Outcome::Succeeded, "a person says that it is as good");
    assert_eq!((rig.sandbox.jobs(), rig.sandbox.deletes()), (1, 0));
}

#[tokio::test]
async fn an_older_job_that_still_runs_is_not_our_success_either() {
    let rig = rig(Personality::SameBytes, json!({ "job_ms": 600_000, "retry_after": "60" })).await;
    let request = rig.request_by_file(&FILES).await;
    rig.begin_of(&request).await;
    rig.pass(60_000).await;
    let second = rig.begin(&again(&request)).await;
    let pause = paused(rig.drive(&second).await.0);
    assert_eq!(pause.reason, PauseReason::NotOurJob, "{pause:?}");
    assert_eq!(rig.sandbox.jobs(), 1);
}

#[tokio::test]
async fn a_job_that_somebody_else_may_have_started_is_cancelled_by_force_only() {
    let nowhere = json!([{ "on": "kick-off", "action": "no-content-location" }]);
    for personality in [Personality::SmartManifest, Personality::SameBytes] {
        let adopts = personality == Personality::SmartManifest;
        let faults = if adopts { nowhere.clone() } else { json!([]) };
        let rig = rig(personality, json!({ "job_ms": DAY_MS, "faults": faults })).await;
        let id = rig.begin_of(&rig.request_by_file(&FILES).await).await;
        if adopts {
            assert_eq!(paused(rig.drive(&id).await.0).reason, PauseReason::SubmitUnknown);
            rig.resolve(&id, &Decision::Adopt(rig.job_url())).await.unwrap();
        }
        let seen = rig.resolve(&id, &Decision::Cancel).await.unwrap();
        let said =
            seen.events.iter().any(|event| event.kind == "cancel-needs-force" && event.text.contains("not cancelled"));
        assert!(said, "{personality}: {:?}", seen.events);
        assert_eq!(rig.sandbox.deletes(), 0, "{personality}");
        rig.resolve(&id, &Decision::ForceCancel).await.unwrap();
        assert_eq!(done(rig.drive(&id).await.0).outcome, Outcome::Cancelled, "{personality}");
        assert_eq!(rig.sandbox.deletes(), 1, "{personality}");
    }
}

/// The kick-off is accepted, and its answer lost.
fn lost() -> Value {
    json!({ "faults": [{ "on": "kick-off", "nth": 1, "action": "accept-then-drop" }] })
}

#[tokio::test]
async fn the_one_job_in_the_list_is_ours_and_those_of_others_are_not() {
    let rig = rig(Personality::Listed, lost()).await;
    let request = rig.request_by_file(&FILES).await;
    rig.sandbox.foreign_job_from(&source(&request));
    rig.pass(10_000).await;
    rig.sandbox.foreign_job();
    let id = rig.begin(&request).await;
    let (end, seen) = rig.drive(&id).await;
    let report = done(end);
    assert_eq!((report.outcome, rig.sandbox.kick_offs()), (Outcome::Succeeded, 1), "{report:?}\n{:?}", seen.events);
    assert_eq!(rig.sandbox.stored(), RESOURCES);
}

#[tokio::test]
async fn two_jobs_in_the_list_that_can_be_ours_are_named_and_none_is_chosen() {
    let rig = rig(Personality::Listed, lost()).await;
    let request = rig.request_by_file(&FILES).await;
    let foreign = rig.sandbox.foreign_job_from(&source(&request));
    let id = rig.begin(&request).await;
    let pause = paused(rig.drive(&id).await.0);
    assert_eq!((pause.reason, rig.sandbox.kick_offs()), (PauseReason::SubmitUnknown, 1), "{pause:?}");
    assert!(pause.message.contains(&foreign) && pause.message.contains(&rig.job_url()), "{}", pause.message);
    assert!(pause.decisions.contains(&DecisionKind::Adopt), "{pause:?}");
    rig.resolve(&id, &Decision::Adopt(rig.job_url())).await.unwrap();
    assert_eq!(done(rig.drive(&id).await.0).outcome, Outcome::Succeeded);
    assert_eq!(rig.sandbox.jobs(), 1);
}

#[tokio::test]
async fn an_empty_list_is_looked_at_twice_before_the_kick_off_is_sent_again() {
    let script = json!({ "faults": [{ "on": "kick-off", "nth": 1, "action": "drop" }] });
    let rig = rig(Personality::Listed, script).await;
    let (end, _) = run(&rig).await;
    assert_eq!(done(end).outcome, Outcome::Succeeded);
    let log = rig.sandbox.log();
    let order: Vec<&str> = log
        .iter()
        .filter_map(|seen| match seen.endpoint? {
            fhir_import_sandbox::Endpoint::KickOff => Some("kick-off"),
            fhir_import_sandbox::Endpoint::List => Some("list"),
            _ => None,
        })
        .collect();
    assert_eq!(order, ["list", "kick-off", "list", "list", "kick-off"], "once before, for the server's time");
    assert_eq!(rig.sandbox.jobs(), 1);
}

/// A list that is late by less than it is given time shows the job, and nothing is sent again.
#[tokio::test]
async fn a_list_that_is_late_is_waited_for() {
    let mut script = lost();
    script["list_lag_ms"] = json!(45_000);
    let rig = rig(Personality::Listed, script).await;
    let (end, _) = run(&rig).await;
    assert_eq!(done(end).outcome, Outcome::Succeeded);
    assert_eq!((rig.sandbox.kick_offs(), rig.sandbox.jobs()), (1, 1));
}

#[tokio::test]
async fn a_duplicate_of_our_own_key_is_our_job() {
    let rig = rig(Personality::CallerKey, lost()).await;
    let (end, seen) = run(&rig).await;
    let report = done(end);
    assert_eq!(report.outcome, Outcome::Succeeded, "{report:?}\n{:?}", seen.events);
    assert_eq!((rig.sandbox.kick_offs(), rig.sandbox.jobs(), rig.sandbox.stored()), (2, 1, RESOURCES));
}

/// Where the data of a request comes from, as it is told to the server.
fn source(request: &Request) -> String {
    request.inputs[0].url.rsplit_once('/').unwrap().0.to_owned()
}

/// A pause as it is made by the command line, and the way it is named in JSON.
struct Stands {
    reason: &'static str,
    code: i32,
    personality: Personality,
    script: Value,
    more: &'static [&'static str],
}

fn pauses() -> Vec<Stands> {
    let (hapi, smart) = (Personality::Hapi, Personality::SmartManifest);
    let elsewhere = json!({ "status": 202, "headers": { "Content-Location": "http://elsewhere.invalid/status/1" } });
    let on = |on: &str, action: Value| json!({ "retry_after": "1", "faults": [{ "on": on, "action": action }] });
    let stands = |reason, code, personality, script, more| Stands { reason, code, personality, script, more };
    vec![
        stands(
            "answer-not-understood",
            16,
            smart,
            on("poll", json!({ "answer": { "status": 200, "body": "?" } })),
            &[],
        ),
        stands("submit-unknown", 11, hapi, on("kick-off", json!("accept-then-drop")), &[]),
        stands("deadline", 9, smart, json!({ "polls_until_done": 99, "retry_after": "1" }), &["--deadline", "2s"]),
        stands("credentials", 17, hapi, json!({ "require_bearer": "right" }), &[]),
        stands("job-lost", 15, hapi, json!({ "forget_jobs_after_polls": 1, "retry_after": "1" }), &[]),
        stands("untrusted-status-url", 16, smart, on("kick-off", json!({ "answer": elsewhere })), &[]),
        stands("not-our-job", 5, Personality::SameBytes, json!({ "retry_after": "1" }), &["--again"]),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn every_pause_prints_a_next_command_that_can_be_typed_as_it_is() {
    crate::harness::running::each(pauses(), 4, type_what_is_printed).await;
}

#[expect(clippy::needless_pass_by_value, reason = "each thread owns its pause")]
fn type_what_is_printed(stands: Stands) {
    let person = Person::at(stands.personality, stands.script.clone());
    let files = crate::harness::files::FileHost::start();
    let mut words = person.run_words(&person.server.base_url(), stands.more);
    words.push(format!("Patient={}", files.add("Patient", PATIENTS)));
    if stands.reason == "not-our-job" {
        assert_eq!(person.types(&words).code, 0, "the older job");
        // The server's clock is only told in whole seconds.
        std::thread::sleep(std::time::Duration::from_millis(2_100));
    }
    let ran = person.types(&words);
    assert_eq!(ran.code, stands.code, "{}: {ran:?}", stands.reason);
    let next = ran.stdout.lines().find_map(|line| line.strip_prefix("Next: ")).unwrap_or_else(|| panic!("{ran:?}"));
    person.script(json!({ "retry_after": "1", "polls_until_done": 0 }));
    // The words that a person fills in.
    let url = person.server.job_urls().pop().unwrap_or_else(|| "http://127.0.0.1:9/job".to_owned());
    let token = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(token.path(), "right").unwrap();
    let filled_in = next.replace("STATUS-URL", &url).replace("FILE", &token.path().to_string_lossy());
    let typed = person.desk.type_in(&filled_in);
    assert_ne!(typed.code, 2, "{}: {next}: {typed:?}", stands.reason);
    assert!(!typed.stderr.contains("Usage:"), "{}: {next}: {typed:?}", stands.reason);
}
