//! Bugs that other tools had in polling, retry, resume and exit codes, each with a test of its name (peers.md §1.7). The
//! counts and times are those of the server.

use std::time::Duration;

use fhir_import::contract::{Decision, Outcome, PauseReason, Report};
use fhir_import::{End, LAST_WORDS};
use fhir_import_sandbox::{Endpoint, Personality};
use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};

use crate::harness::cli::{Desk, Ran};
use crate::harness::files::FileHost;
use crate::harness::person::{PATIENTS, Person, read};
use crate::harness::rig::Rig;
use crate::harness::running::{LONG, Running, each, until};
use crate::harness::servers::PLAIN;

const FILES: [(&str, &str); 1] = [("Patient", PATIENTS)];
/// No two polls are closer than this.
const FLOOR_MS: u64 = 1_000;

async fn rig(personality: Personality, script: Value) -> Rig {
    Rig::of_one_clock(personality, read(script)).await
}

#[track_caller]
fn done(end: End) -> Report {
    match end {
        End::Done(report) => *report,
        other => panic!("not done: {other:?}"),
    }
}

async fn run(rig: &Rig) -> End {
    let id = rig.begin(&rig.request_by_file(&FILES).await).await;
    rig.drive(&id).await.0
}

/// Imports into a server whose job takes so many polls, and answers the gaps between them.
async fn gaps(personality: Personality, script: Value) -> Vec<u64> {
    let rig = rig(personality, script).await;
    assert_eq!(done(run(&rig).await).outcome, Outcome::Succeeded);
    rig.poll_gaps()
}

/// HAPI's own command line polls in a loop without a pause.
#[tokio::test]
async fn no_sleep_between_polls() {
    for personality in PLAIN {
        let gaps = gaps(personality, json!({ "job_ms": 600_000, "retry_after": "" })).await;
        assert!(gaps.len() < 20, "{personality}: {} polls in ten minutes", gaps.len() + 1);
        assert!(gaps.iter().all(|gap| *gap >= FLOOR_MS), "{personality}: {gaps:?}");
        assert!(gaps.is_sorted(), "{personality}: they become no denser: {gaps:?}");
    }
}

/// bulk-data-client reads a `Retry-After` that is a date as not-a-number, and asks again at once.
#[tokio::test]
async fn an_http_date_in_retry_after_is_nan_and_polls_at_once() {
    let script = json!({ "polls_until_done": 4, "retry_after": "30", "retry_after_date": true });
    let gaps = gaps(Personality::SmartManifest, script).await;
    // Dates are whole seconds.
    assert!(gaps.iter().all(|gap| (29_000..=31_000).contains(gap)), "{gaps:?}");

    let table = [
        "Wed, 21 Oct 2015 07:28:00 GMT",
        "Wednesday, 21-Oct-15 07:28:00 GMT",
        "Wed Oct 21 07:28:00 2015",
        "-1",
        "NaN",
        "1e12",
        "1000000000000",
        "99999999999999999999999",
        "1.5",
        "soon",
        "0",
    ];
    for value in table {
        for status in [202, 429, 503] {
            let answer = json!({ "answer": { "status": status, "headers": { "Retry-After": value } } });
            let faults = json!([{ "on": "poll", "nth": 1, "times": 6, "action": answer }]);
            let gaps = self::gaps(Personality::SmartManifest, json!({ "polls_until_done": 0, "faults": faults })).await;
            let polite = |gap: &u64| (FLOOR_MS..=600_000).contains(gap);
            assert!(gaps.len() == 6 && gaps.iter().all(polite), "{status}, {value:?}: {gaps:?}");
        }
    }
}

/// smart-fetch polls in a tight loop when the server asks for no wait.
#[tokio::test]
async fn a_retry_after_of_0_is_a_tight_loop() {
    for personality in PLAIN {
        let gaps = gaps(personality, json!({ "polls_until_done": 10, "retry_after": "0" })).await;
        assert!(gaps.len() == 10 && gaps.iter().all(|gap| *gap >= FLOOR_MS), "{personality}: {gaps:?}");
    }
}

/// Google's client sleeps as long as it is told, be it for hours after the job ended.
#[tokio::test]
async fn an_uncapped_retry_after_sleeps_for_hours() {
    for asked in ["7200", "18000"] {
        let gaps = gaps(Personality::SmartManifest, json!({ "polls_until_done": 3, "retry_after": asked })).await;
        assert_eq!(gaps, [600_000; 3], "what 202 asks is honoured up to --poll-max ({asked} s asked)");
    }
}

/// Google's client answers 401 with a new token and no pause, for ever.
#[tokio::test]
async fn a_401_loop_without_sleep() {
    for personality in PLAIN {
        let rig = rig(personality, json!({})).await;
        let id = rig.begin_of(&rig.request_by_file(&FILES).await).await;
        rig.sandbox.set_script(read(json!({ "require_bearer": "never this one" })));
        for polls in 1..=5 {
            let (end, _) = rig.drive(&id).await;
            assert!(matches!(&end, End::Paused(pause) if pause.reason == PauseReason::Credentials), "{end:?}");
            assert_eq!(rig.sandbox.polls(), polls, "{personality}: one request for each time it is told to go on");
            rig.resolve(&id, &Decision::Continue).await.unwrap();
        }
        assert!(rig.poll_gaps().iter().all(|gap| *gap >= FLOOR_MS), "{personality}: {:?}", rig.poll_gaps());
    }
}

/// Google's client decodes a manifest and never looks at its `error`.
#[tokio::test]
async fn the_error_of_a_manifest_is_ignored() {
    for count in [json!({}), json!({ "count": 1 })] {
        let mut row = json!({ "type": "OperationOutcome", "inputUrl": "http://a/b", "url": "http://a/errors.ndjson" });
        row.as_object_mut().unwrap().extend(count.as_object().unwrap().clone());
        let manifest = json!({ "transactionTime": "2026-01-01T00:00:00Z", "request": "http://a/$import",
            "output": [{ "type": "OperationOutcome", "inputUrl": "http://a/b", "count": 2 }], "error": [row] });
        let answer = json!({ "status": 200, "content_type": "application/json", "body": manifest.to_string() });
        let rig =
            rig(Personality::SmartManifest, json!({ "faults": [{ "on": "poll", "action": { "answer": answer } }] }))
                .await;
        let id = rig.begin_of(&rig.request_by_file(&FILES).await).await;
        // The manifest is written by the test: it must not come before what it speaks of is stored.
        crate::harness::cli::until(|| rig.sandbox.stored() == 2).await;
        let report = done(rig.drive(&id).await.0);
        assert_eq!((report.outcome, report.rejected), (Outcome::FinishedWithErrors, Some(1)), "{report:?}");
    }
}

/// The waiter of AWS HealthLake takes COMPLETED_WITH_ERRORS for success.
#[tokio::test]
async fn completed_with_errors_is_success() {
    for personality in [Personality::SmartManifest, Personality::SameBytes, Personality::CallerKey, Personality::Listed]
    {
        let rig = rig(personality, json!({ "reject_ids": ["p1"] })).await;
        let report = done(run(&rig).await);
        assert_eq!(report.outcome, Outcome::FinishedWithErrors, "{personality}: {report:?}");
        assert_eq!((report.imported, report.rejected, rig.sandbox.stored()), (Some(1), Some(1), 1), "{personality}");
    }
}

/// How an import ends by the command line, and what the exit code must be.
struct Exit {
    code: i32,
    outcome: &'static str,
    personality: Personality,
    script: Value,
    data: &'static str,
}

fn exits() -> Vec<Exit> {
    let (hapi, smart) = (Personality::Hapi, Personality::SmartManifest);
    let dangling = "{\"resourceType\":\"Observation\",\"id\":\"o1\",\"subject\":{\"reference\":\"Patient/nobody\"}}\n";
    let answer =
        |on: &str, status: u16| json!({ "faults": [{ "on": on, "action": { "answer": { "status": status } } }] });
    let exit = |code, outcome, personality, script, data| Exit { code, outcome, personality, script, data };
    vec![
        exit(0, "succeeded", hapi, json!({ "retry_after": "1" }), PATIENTS),
        exit(3, "input-invalid", hapi, json!({}), "{\"resourceType\":\"Patient\",\n"),
        exit(4, "unsupported", hapi, json!({ "import_enabled": false }), PATIENTS),
        exit(5, "refused", smart, answer("kick-off", 400), PATIENTS),
        exit(6, "failed", hapi, json!({ "retry_after": "1" }), dangling),
        exit(7, "finished-with-errors", smart, json!({ "retry_after": "1", "reject_ids": ["p1"] }), PATIENTS),
        exit(8, "verification-failed", smart, json!({ "retry_after": "1", "lie_drop": 1 }), PATIENTS),
        exit(10, "cancelled", smart, answer("poll", 410), PATIENTS),
        exit(11, "submit-unknown", hapi, answer("kick-off", 500), PATIENTS),
        exit(15, "job-lost", hapi, json!({ "retry_after": "1", "forget_jobs_after_polls": 1 }), PATIENTS),
        exit(17, "paused-for-credentials", smart, json!({ "require_bearer": "right" }), PATIENTS),
    ]
}

/// Microsoft's tool, fwoa, bulk-import-client and bulk-data-client exit with 0 when the import failed.
#[tokio::test(flavor = "multi_thread")]
async fn exit_0_on_failure() {
    each(exits(), 4, exit_tells).await;
}

fn exit_tells(exit: Exit) {
    let person = Person::at(exit.personality, exit.script);
    let kind = if exit.data.contains("Observation") { "Observation" } else { "Patient" };
    let file = format!("data/{kind}.ndjson");
    person.desk.write(&file, exit.data);
    let ran = person.types(person.run_words(&person.server.base_url(), &["--json", &file]));
    assert_eq!((ran.code, ran.json()["outcome"].as_str()), (exit.code, Some(exit.outcome)), "{ran:?}");
    assert_eq!(ran.json()["exit_code"], exit.code);
}

/// The same tools exit with 0 on Ctrl-C.
#[tokio::test(flavor = "multi_thread")]
async fn exit_0_on_ctrl_c() {
    each(vec!["wait", "kick-off"], 2, |hangs| {
        let script = match hangs {
            "wait" => json!({ "polls_until_done": 1_000, "retry_after": "60" }),
            _ => json!({ "faults": [{ "on": hangs, "action": { "delay-ms": 60_000 } }] }),
        };
        let person = Person::at(Personality::Hapi, script);
        let files = FileHost::start();
        let mut words = person.run_words(&person.server.base_url(), &["--json"]);
        words.push(format!("Patient={}", files.add("Patient", PATIENTS)));
        let mut run = Running::start(person.desk.command(words));
        until("a request", || person.server.kick_offs() > 0);
        run.signal("INT");
        let ran = run.left_within(LAST_WORDS + LONG).unwrap();
        let right = if hangs == "wait" { (9, "still-running") } else { (11, "submit-unknown") };
        let json = ran.json();
        assert_eq!((ran.code, json["outcome"].as_str().unwrap()), right, "{ran:?}");
        assert_eq!((&json["retry"], json["next_command"].is_string()), (&json!("resume"), true), "{ran:?}");
    })
    .await;
}

/// Kestra's plugin makes a new idempotency token each time it tries again.
#[tokio::test(flavor = "multi_thread")]
async fn a_random_idempotency_token_on_retry() {
    let slow = json!({ "retry_after": "1", "faults": [{ "on": "kick-off", "nth": 1,
        "action": { "accept-then-delay-ms": 60_000 } }] });
    each(vec![slow], 1, |script| {
        let person = Person::at(Personality::CallerKey, script);
        let words = person.run_words(&person.server.base_url(), &["Patient.ndjson"]);
        let mut run = Running::start(person.desk.command(words));
        until("the server has done its work", || person.server.stored() == 2);
        run.kill();
        let waited = person.types(["wait", &person.desk.only_job()]);
        assert_eq!(waited.code, 0, "{waited:?}");
        let kick_offs = person.server.log().into_iter().filter(|seen| seen.endpoint == Some(Endpoint::KickOff));
        let bodies: Vec<Value> = kick_offs.map(|seen| serde_json::from_slice(&seen.body).unwrap()).collect();
        assert_eq!(bodies.len(), 2, "{bodies:?}");
        assert!(bodies[0]["id"].is_string() && bodies[0] == bodies[1], "{bodies:?}");
        person.has_one_job("a second kick-off with the same id");
    })
    .await;
}

/// bulk-import-client looks at the first issue of an OperationOutcome only.
#[tokio::test]
async fn only_the_first_issue_is_read() {
    let issues = json!([
        { "severity": "information", "code": "informational", "diagnostics": "All is well so far" },
        { "severity": "fatal", "code": "exception", "diagnostics": "The disk of the server is full" },
    ]);
    let body = json!({ "resourceType": "OperationOutcome", "issue": issues }).to_string();
    for (on, status, outcome) in [("kick-off", 400, Outcome::Refused), ("poll", 500, Outcome::Failed)] {
        let answer = json!({ "answer": { "status": status, "body": body } });
        let rig = rig(Personality::SmartManifest, json!({ "faults": [{ "on": on, "action": answer }] })).await;
        let report = done(run(&rig).await);
        assert_eq!(report.outcome, outcome, "{report:?}");
        let told = format!("{} {:?}", report.sentence, report.errors);
        assert!(told.contains("disk of the server is full"), "{on}: {told}");
    }
}

/// Microsoft's tool deletes its state file and writes it anew: whoever kills it in between has lost the import.
#[tokio::test(flavor = "multi_thread")]
async fn the_state_file_is_deleted_and_then_rewritten() {
    each((0..16).collect(), 4, kill_and_read).await;
}

/// Kills a run at one of many moments, mostly in the busy first two seconds, and reads what is left.
fn kill_and_read(moment: u64) {
    let person = Person::at(Personality::Hapi, json!({ "retry_after": "1", "polls_until_done": 2 }));
    let words = person.run_words(&person.server.base_url(), &["Patient.ndjson"]);
    let mut run = Running::start(person.desk.command(words));
    if moment >= 4 {
        run.says("from any terminal");
    }
    std::thread::sleep(Duration::from_millis(moment * moment * 12));
    run.kill();
    let jobs = person.types(["jobs", "--json"]);
    assert_eq!(jobs.code, 0, "{moment}: {jobs:?}");
    let listed = jobs.json()["jobs"].as_array().unwrap().len();
    assert!(listed == 1 || (listed == 0 && person.server.kick_offs() == 0), "{moment}: {jobs:?}");
    is_sound(&person.desk);
    if listed == 1 {
        let status = is_told(&person);
        assert!(person.server.jobs() == 0 || status.json()["phase"] != "ready-to-submit", "{moment}: {status:?}");
    }
}

fn is_told(person: &Person) -> Ran {
    let status = person.types(["status", &person.desk.only_job(), "--json"]);
    assert!([0, 9, 11].contains(&status.code), "{status:?}");
    status
}

/// SQLite finds nothing wrong with the journal.
fn is_sound(desk: &Desk) {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
    let journal = Connection::open_with_flags(desk.path("state/journal.sqlite"), flags).unwrap();
    let word: String = journal.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(word, "ok");
}
