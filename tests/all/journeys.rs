//! Whole imports through the component against the practice server, on a virtual clock. What the server saw decides.

use fhir_import::End;
use fhir_import::contract::{Decision, DialectChoice, Outcome, PauseReason, Purpose, Report, Verdict};
use fhir_import::journal::Journal;
use fhir_import_sandbox::{Personality, Script};
use serde_json::json;

use crate::harness::rig::{Rig, START_MS, Seen};
use crate::harness::servers::FIRST;

const PATIENTS: &str = concat!(
    r#"{"resourceType":"Patient","id":"p1","gender":"female"}"#,
    "\n",
    r#"{"resourceType":"Patient","id":"p2","gender":"male"}"#,
    "\n"
);
const OBSERVATIONS: &str = concat!(
    r#"{"resourceType":"Observation","id":"o1","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/p1"}}"#,
    "\n"
);
const BOTH: [(&str, &str); 2] = [("Patient", PATIENTS), ("Observation", OBSERVATIONS)];

fn done(end: End) -> Report {
    match end {
        End::Done(report) => *report,
        other => panic!("not done: {other:?}"),
    }
}

async fn run(personality: Personality, script: Script) -> (Rig, Report, Seen) {
    let rig = Rig::new(personality, script).await;
    let (end, seen) = rig.run(&BOTH).await;
    (rig, done(end), seen)
}

#[tokio::test]
async fn both_dialects_import_verify_and_submit_once() {
    for personality in FIRST {
        let (rig, report, _) = run(personality, Script::default()).await;
        assert_eq!(report.outcome, Outcome::Succeeded, "{personality}: {report:?}");
        assert_eq!(report.imported, Some(3), "{personality}");
        assert_eq!(report.rejected.unwrap_or(0), 0, "{personality}");
        assert_eq!(report.verdict, Verdict::Verified, "{personality}: {report:?}");
        assert_eq!((rig.sandbox.kick_offs(), rig.sandbox.jobs(), rig.sandbox.stored()), (1, 1, 3), "{personality}");
        assert_eq!(rig.sandbox.deletes(), 0, "{personality}");
    }
}

fn script(json: serde_json::Value) -> Script {
    serde_json::from_value(json).unwrap()
}

#[tokio::test]
async fn rejected_resources_are_counted_and_classed_not_called_success() {
    let (rig, report, seen) = run(Personality::SmartManifest, script(json!({ "reject_ids": ["p2"] }))).await;
    assert_eq!(report.outcome, Outcome::FinishedWithErrors, "{report:?}");
    assert_eq!((report.imported, report.rejected), (Some(2), Some(1)));
    assert_eq!(report.errors.iter().map(|class| class.count).sum::<u64>(), 1, "{:?}", report.errors);
    assert_eq!(report.missing, ["Patient/p2"]);
    assert!(seen.has("error-file"));
    assert_eq!(rig.sandbox.stored(), 2);
}

#[tokio::test]
async fn a_failed_job_is_read_back_to_say_what_is_stored() {
    let dangling = r#"{"resourceType":"Observation","id":"o1","subject":{"reference":"Patient/nobody"}}"#;
    let rig = Rig::new(Personality::Hapi, Script::default()).await;
    let (end, _) = rig.run(&[("Patient", PATIENTS), ("Observation", dangling)]).await;
    let report = done(end);
    assert_eq!(report.outcome, Outcome::Failed, "{report:?}");
    assert_eq!((report.imported, report.rejected), (Some(2), Some(1)), "{report:?}");
    assert_eq!(report.missing, ["Observation/o1"]);
    let found: Vec<_> = report.types.iter().map(|t| (t.resource_type.as_str(), t.found, t.on_server)).collect();
    assert_eq!(found, [("Observation", 0, Some(0)), ("Patient", 2, Some(2))]);
    assert_eq!(rig.sandbox.stored(), 2);
}

#[tokio::test]
async fn a_server_that_lies_about_success_is_found_out() {
    for personality in FIRST {
        let (rig, report, _) = run(personality, script(json!({ "lie_drop": 1 }))).await;
        assert_eq!(rig.sandbox.stored(), 2);
        assert_eq!(report.outcome, Outcome::VerificationFailed, "{personality}: {report:?}");
        assert_eq!(report.verdict, Verdict::Missing);
    }
}

#[tokio::test]
async fn the_answer_to_a_kick_off_that_is_lost_is_never_followed_by_a_second_one() {
    for personality in FIRST {
        let rig =
            Rig::new(personality, script(json!({ "faults": [{ "on": "kick-off", "action": "accept-then-drop" }] })))
                .await;
        let id = rig.begin(&rig.request(&BOTH)).await;
        let (end, _) = rig.drive(&id).await;
        assert!(matches!(&end, End::Paused(pause) if pause.reason == PauseReason::SubmitUnknown), "{end:?}");
        let (again, _) = rig.drive(&id).await;
        assert_eq!(again, end, "driving again changes nothing");
        assert_eq!((rig.sandbox.kick_offs(), rig.sandbox.jobs()), (1, 1));
    }
}

#[tokio::test]
async fn a_crash_between_intent_and_answer_is_recovered_not_repeated() {
    for personality in FIRST {
        let rig = Rig::new(personality, Script::default()).await;
        let id = rig.begin(&rig.request(&BOTH)).await;
        let stored = rig.journal.load(&id).unwrap();
        rig.journal.intend(&rig.lease(&id), stored.generation, START_MS).unwrap();
        let (end, _) = rig.drive(&id).await;
        assert!(matches!(&end, End::Paused(pause) if pause.reason == PauseReason::SubmitUnknown), "{end:?}");
        assert_eq!(rig.sandbox.kick_offs(), 0, "an intent without an answer sends nothing by itself");
    }
}

#[tokio::test]
async fn nothing_is_decided_as_if_a_kick_off_that_may_have_been_sent_had_not_been() {
    let rig = Rig::new(Personality::Hapi, Script::default()).await;
    let id = rig.begin(&rig.request(&BOTH)).await;
    let stored = rig.journal.load(&id).unwrap();
    rig.journal.intend(&rig.lease(&id), stored.generation, START_MS).unwrap();
    let seen = rig.resolve(&id, &Decision::Cancel).await.unwrap();
    assert!(seen.has("paused"), "{:?}", seen.events);
    let (end, _) = rig.drive(&id).await;
    assert!(matches!(&end, End::Paused(pause) if pause.reason == PauseReason::SubmitUnknown), "{end:?}");
}

#[tokio::test]
async fn an_adopted_job_is_followed_to_its_end() {
    let rig = Rig::new(
        Personality::SmartManifest,
        script(json!({ "faults": [{ "on": "kick-off", "action": "no-content-location" }] })),
    )
    .await;
    let id = rig.begin(&rig.request(&BOTH)).await;
    let (end, _) = rig.drive(&id).await;
    assert!(matches!(&end, End::Paused(pause) if pause.reason == PauseReason::SubmitUnknown), "{end:?}");
    let url = rig.job_url();
    rig.resolve(&id, &Decision::Adopt(url)).await.unwrap();
    let report = done(rig.drive(&id).await.0);
    assert_eq!(report.outcome, Outcome::Succeeded, "{report:?}");
    assert_eq!(rig.sandbox.jobs(), 1);
}

#[tokio::test]
async fn polls_keep_the_floor_and_what_the_server_asks() {
    let rig = Rig::new(Personality::SmartManifest, script(json!({ "polls_until_done": 4, "retry_after": "7" }))).await;
    let (end, _) = rig.run(&BOTH).await;
    assert_eq!(done(end).polls, 5);
    let waited = rig.clock.now_ms() - START_MS;
    assert_eq!(waited, 1_000 + 4 * 7_000, "the floor after the kick-off, then what each 202 asked");
}

#[tokio::test]
async fn broken_polls_are_not_broken_jobs() {
    let faults = json!([
        { "on": "poll", "nth": 1, "action": "drop" },
        { "on": "poll", "nth": 2, "action": "html-page" },
        { "on": "poll", "nth": 3, "action": { "answer": { "status": 503, "headers": { "Retry-After": "30" } } } },
        { "on": "poll", "nth": 4, "action": { "answer": { "status": 502 } } },
        { "on": "poll", "nth": 5, "action": { "truncate-body": 10 } },
    ]);
    for personality in FIRST {
        let (rig, report, seen) = run(personality, script(json!({ "faults": faults }))).await;
        assert_eq!(report.outcome, Outcome::Succeeded, "{personality}: {report:?}\n{:?}", seen.events);
        assert_eq!(rig.sandbox.jobs(), 1);
    }
}

#[tokio::test]
async fn a_server_that_forgets_its_job_has_not_failed_it() {
    for personality in FIRST {
        let rig = Rig::new(personality, script(json!({ "forget_jobs_after_polls": 1 }))).await;
        let (end, _) = rig.run(&BOTH).await;
        assert!(matches!(&end, End::Paused(pause) if pause.outcome == Outcome::JobLost), "{personality}: {end:?}");
    }
}

#[tokio::test]
async fn giving_up_waiting_is_not_failure_and_can_be_extended() {
    let rig = Rig::new(Personality::SmartManifest, script(json!({ "polls_until_done": 50, "retry_after": "" }))).await;
    let mut request = rig.request(&BOTH);
    request.policy.deadline_ms = 60_000;
    let id = rig.begin(&request).await;
    let (end, _) = rig.drive(&id).await;
    assert!(matches!(&end, End::Paused(pause) if pause.outcome == Outcome::StillRunning), "{end:?}");
    rig.resolve(&id, &Decision::Extend(86_400_000)).await.unwrap();
    assert_eq!(done(rig.drive(&id).await.0).outcome, Outcome::Succeeded);
    assert_eq!(rig.sandbox.jobs(), 1);
}

#[tokio::test]
async fn cancelling_deletes_the_job_where_the_server_can() {
    let rig = Rig::new(Personality::SmartManifest, script(json!({ "polls_until_done": 1000 }))).await;
    let id = rig.begin_running(&BOTH).await;
    rig.resolve(&id, &Decision::Cancel).await.unwrap();
    assert_eq!(done(rig.drive(&id).await.0).outcome, Outcome::Cancelled);
    assert_eq!(rig.sandbox.deletes(), 1);
}

#[tokio::test]
async fn cancelling_where_the_server_cannot_sends_nothing_and_says_so() {
    let rig = Rig::new(Personality::Hapi, Script::default()).await;
    let id = rig.begin_running(&BOTH).await;
    let seen = rig.resolve(&id, &Decision::Cancel).await.unwrap();
    assert!(seen.events.iter().any(|e| e.kind == "cancel" && e.text.contains("no way to cancel")), "{:?}", seen.events);
    assert_eq!(done(rig.drive(&id).await.0).outcome, Outcome::Succeeded);
    assert_eq!(rig.sandbox.deletes(), 0);
}

#[tokio::test]
async fn import_that_is_switched_off_is_named_with_its_setting() {
    let rig = Rig::new(Personality::Hapi, script(json!({ "import_enabled": false }))).await;
    let report = done(rig.run(&BOTH).await.0);
    assert_eq!(report.outcome, Outcome::Unsupported, "{report:?}");
    assert!(report.advice.contains("bulk_import_enabled"), "{}", report.advice);
}

#[tokio::test]
async fn detection_is_two_gets_and_never_a_post() {
    for (personality, dialect, confidence) in
        [(Personality::Hapi, "hapi", "high"), (Personality::SmartManifest, "smart-manifest", "medium")]
    {
        let rig = Rig::new(personality, Script::default()).await;
        let mut request = rig.request(&[]);
        (request.purpose, request.dialect) = (Purpose::Detect, DialectChoice::Detect);
        let id = rig.begin(&request).await;
        let report = done(rig.drive(&id).await.0);
        assert_eq!(report.detection.dialect.as_deref(), Some(dialect), "{report:?}");
        assert_eq!(report.detection.confidence, confidence, "{:?}", report.detection);
        assert!(!report.detection.evidence.is_empty());
        let log = rig.sandbox.log();
        assert_eq!(log.iter().map(|seen| seen.method.as_str()).collect::<Vec<_>>(), ["GET", "GET"], "{log:?}");
    }
}

#[tokio::test]
async fn an_unsure_dialect_is_not_sent_anything() {
    let rig = Rig::new(Personality::SmartManifest, Script::default()).await;
    let mut request = rig.request(&BOTH);
    request.dialect = DialectChoice::Detect;
    let id = rig.begin(&request).await;
    let report = done(rig.drive(&id).await.0);
    assert_eq!(report.outcome, Outcome::Unsupported, "{report:?}");
    assert!(report.advice.contains("--dialect smart-manifest"), "{}", report.advice);
    assert_eq!(rig.sandbox.kick_offs(), 0);
}

#[tokio::test]
async fn a_status_url_on_another_host_is_rebased_and_said() {
    let fault = json!({ "on": "kick-off", "action": { "wrong-host-content-location": "internal.invalid:8080" } });
    for personality in FIRST {
        let (_, report, seen) = run(personality, script(json!({ "faults": [fault] }))).await;
        assert_eq!(report.outcome, Outcome::Succeeded, "{personality}: {report:?}");
        assert!(seen.has("status-url-rebased"));
    }
}

#[tokio::test]
async fn credentials_that_are_refused_pause_and_lose_nothing() {
    for personality in FIRST {
        let rig = Rig::new(personality, script(json!({ "require_bearer": "right" }))).await;
        let (end, _) = rig.run(&BOTH).await;
        assert!(matches!(&end, End::Paused(pause) if pause.outcome == Outcome::PausedForCredentials), "{end:?}");
        assert_eq!(rig.sandbox.jobs(), 0);
    }
}
