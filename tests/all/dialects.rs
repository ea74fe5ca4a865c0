//! Every dialect against the practice server of its name, through the component. What the server did decides.

mod refused;
mod table;

use fhir_import::End;
use fhir_import::contract::{Decision, Outcome, PauseReason, Report, Request, Verdict};
use fhir_import::journal::ImportId;
use fhir_import_sandbox::{Fate, Personality};
use serde_json::{Value, json};

use crate::harness::person::read;
use crate::harness::rig::{Rig, Seen};
use table::{Cancel, Ends, Lost, Row, TABLE};

const PATIENTS: &str = "{\"resourceType\":\"Patient\",\"id\":\"p1\"}\n{\"resourceType\":\"Patient\",\"id\":\"p2\"}\n";
const OBSERVATIONS: &str = "{\"resourceType\":\"Observation\",\"id\":\"o1\",\"status\":\"final\",\"code\":{\"text\":\"x\"},\
                            \"subject\":{\"reference\":\"Patient/p1\"}}\n";
const BOTH: [(&str, &str); 2] = [("Patient", PATIENTS), ("Observation", OBSERVATIONS)];
const RESOURCES: usize = 3;
const DAY_MS: u64 = 86_400_000;

/// A server, and a request for the two files.
async fn rig(server: Personality, script: Value) -> (Rig, Request) {
    let mut rig = Rig::of_one_clock(server, read(script)).await;
    let request = rig.request(&BOTH);
    rig.may_send(&request);
    (rig, request)
}

async fn run(row: &Row, script: Value) -> (Rig, ImportId, End, Seen) {
    let (rig, request) = rig(row.server, script).await;
    let id = rig.begin(&request).await;
    let (end, seen) = rig.drive(&id).await;
    (rig, id, end, seen)
}

#[track_caller]
fn done(server: Personality, end: End) -> Report {
    match end {
        End::Done(report) => *report,
        other => panic!("{server}: not done: {other:?}"),
    }
}

#[track_caller]
fn paused(server: Personality, end: End) -> PauseReason {
    match end {
        End::Paused(pause) => pause.reason,
        other => panic!("{server}: not paused: {other:?}"),
    }
}

impl Ends {
    fn of(report: &Report) -> Self {
        Self {
            outcome: report.outcome,
            imported: report.imported,
            rejected: report.rejected.filter(|count| *count > 0),
        }
    }
}

#[tokio::test]
async fn every_built_in_dialect_has_a_row() {
    let builtin = fhir_import_dialects::all().into_iter().map(|dialect| dialect.name);
    assert_eq!(builtin.collect::<Vec<_>>(), TABLE.map(|row| row.server.name().to_owned()));
    assert_eq!(TABLE.map(|row| row.server), Personality::ALL, "and a practice server");
}

#[tokio::test]
async fn a_good_import_is_one_kick_off_one_job_and_read_back() {
    for row in &TABLE {
        let server = row.server;
        let (rig, _, end, seen) = run(row, json!({})).await;
        let report = done(server, end);
        let whole = Ends { outcome: Outcome::Succeeded, imported: row.imported, rejected: None };
        assert_eq!(Ends::of(&report), whole, "{server}: {report:?}\n{:?}", seen.events);
        assert_eq!((report.verdict, &report.errors[..]), (Verdict::Verified, &[][..]), "{server}: {report:?}");
        let jobs = row.kick_offs;
        assert_eq!((rig.sandbox.kick_offs(), rig.sandbox.jobs()), (jobs, jobs), "{server}");
        assert_eq!((rig.sandbox.stored(), rig.sandbox.deletes()), (RESOURCES, 0), "{server}");
    }
}

#[tokio::test]
async fn a_rejected_resource_is_told_as_far_as_the_server_tells_and_never_called_success() {
    for row in &TABLE {
        let server = row.server;
        let (rig, _, end, seen) = run(row, json!({ "reject_ids": ["p2"], "error_store_bearer": "" })).await;
        let report = done(server, end);
        assert_eq!(Ends::of(&report), row.rejected, "{server}: {report:?}\n{:?}", seen.events);
        let classes = report.errors.iter().any(|class| class.text.to_lowercase().contains("rejected by the script"));
        assert_eq!(classes, row.classes, "{server}: {:?}", report.errors);
        assert!(report.errors.iter().all(|class| class.severity != "information"), "{server}: {:?}", report.errors);
        assert_eq!((report.missing, rig.sandbox.stored()), (vec!["Patient/p2".to_owned()], RESOURCES - 1), "{server}");
    }
}

#[tokio::test]
async fn a_file_that_the_server_cannot_fetch_fails_what_it_fails_on_the_real_one() {
    let mut wrong = Vec::new();
    for row in &TABLE {
        let Some(ends) = row.unfetched else { continue };
        let server = row.server;
        let (rig, request) = rig(server, json!({})).await;
        request.inputs.iter().for_each(|input| rig.unshelve(&input.url));
        let id = rig.begin(&request).await;
        let (end, seen) = rig.drive(&id).await;
        let report = done(server, end);
        if Ends::of(&report) != ends {
            wrong.push(format!("{server}: {:?}: {}\n", Ends::of(&report), report.sentence));
        }
        assert_eq!((rig.sandbox.kick_offs(), rig.sandbox.stored()), (1, 0), "{server}: {:?}", seen.events);
    }
    assert!(wrong.is_empty(), "{}", wrong.concat());
}

#[tokio::test]
async fn a_job_is_cancelled_where_the_server_can_and_a_person_is_told_where_it_cannot() {
    for row in asked() {
        let server = row.server;
        let (rig, request) = rig(server, json!({ "job_ms": DAY_MS / 48 })).await;
        let id = rig.begin_of(&request).await;
        let seen = rig.resolve(&id, &Decision::Cancel).await.unwrap();
        match row.cancel {
            Cancel::Deletes => {}
            Cancel::DeletesByForce => {
                assert!(seen.has("cancel-needs-force"), "{server}: {:?}", seen.events);
                rig.resolve(&id, &Decision::ForceCancel).await.unwrap();
            }
            Cancel::No(advice) => {
                let told = seen.events.iter().any(|event| event.kind == "cancel" && event.text.contains(advice));
                assert!(told, "{server}: {:?}", seen.events);
            }
        }
        let (end, seen) = rig.drive(&id).await;
        let report = done(server, end);
        let fate = rig.sandbox.job_records()[0].fate;
        let (outcome, deleted) = (report.outcome, rig.sandbox.deletes() > 0);
        match row.cancel {
            Cancel::No(_) => assert_eq!((outcome, fate, deleted), (Outcome::Succeeded, Fate::Ended, false), "{server}"),
            _ => {
                let cancelled = (Outcome::Cancelled, Fate::Cancelled, true);
                assert_eq!((outcome, fate, deleted), cancelled, "{server}: {report:?} {:?}", seen.events);
            }
        }
    }
}

/// Asking IBM's server for the status of a job that was stopped starts it again.
#[tokio::test]
async fn a_job_that_looking_starts_again_stays_cancelled_when_the_answer_to_the_cancel_is_lost() {
    for fault in [json!("accept-then-drop"), json!("html-page"), json!({ "answer": { "status": 429 } })] {
        let faults = json!([{ "on": "delete", "nth": 1, "action": fault }]);
        let (rig, request) = rig(Personality::Ibm, json!({ "job_ms": DAY_MS / 48, "faults": faults })).await;
        let id = rig.begin_of(&request).await;
        rig.resolve(&id, &Decision::Cancel).await.unwrap();
        let (end, seen) = rig.drive(&id).await;
        let report = done(Personality::Ibm, end);
        assert_eq!(report.outcome, Outcome::Cancelled, "{fault}: {:?}", seen.events);
        assert_eq!(rig.sandbox.job_records()[0].fate, Fate::Cancelled, "{fault}: {:?}", seen.events);
    }
}

#[tokio::test]
async fn a_lost_answer_to_a_kick_off_is_recovered_to_one_job() {
    for row in &TABLE {
        let server = row.server;
        let script = json!({ "faults": [{ "on": "kick-off", "nth": 1, "action": "accept-then-drop" }] });
        let (rig, id, end, seen) = run(row, script).await;
        let (kick_offs, end) = match row.lost {
            Lost::AskedOf => {
                assert_eq!(paused(server, end), PauseReason::SubmitUnknown, "{server}");
                rig.resolve(&id, &Decision::Adopt(rig.job_url())).await.unwrap();
                (1, rig.drive(&id).await.0)
            }
            Lost::SentAgain => (2, end),
            Lost::Found => (1, end),
        };
        let report = done(server, end);
        assert_eq!(report.outcome, Outcome::Succeeded, "{server}: {report:?}\n{:?}", seen.events);
        let more = row.kick_offs - 1;
        assert_eq!(rig.sandbox.kick_offs(), kick_offs + more, "{server}: {:?}", seen.events);
        // sazare has no jobs: what is sent again is stored again, under the same ids.
        let jobs = if server == Personality::Sazare { kick_offs + more } else { 1 };
        assert_eq!((rig.sandbox.jobs(), rig.sandbox.stored()), (jobs, RESOURCES), "{server}");
    }
}

#[tokio::test]
async fn a_kick_off_that_never_arrived_is_sent_again_where_that_is_safe() {
    for row in &TABLE {
        let server = row.server;
        let script = json!({ "faults": [{ "on": "kick-off", "nth": 1, "action": "drop" }] });
        let (rig, id, end, _) = run(row, script).await;
        let end = match row.lost {
            Lost::AskedOf => {
                assert_eq!(paused(server, end), PauseReason::SubmitUnknown, "{server}");
                rig.resolve(&id, &Decision::Resubmit).await.unwrap();
                rig.drive(&id).await.0
            }
            Lost::SentAgain | Lost::Found => end,
        };
        assert_eq!(done(server, end).outcome, Outcome::Succeeded, "{server}");
        assert_eq!((rig.sandbox.jobs(), rig.sandbox.stored()), (row.kick_offs, RESOURCES), "{server}");
    }
}

/// Servers that are asked how their jobs stand.
fn asked() -> impl Iterator<Item = &'static Row> {
    TABLE.iter().filter(|row| row.is_asked())
}

#[tokio::test]
async fn a_job_that_the_server_forgot_is_lost_not_failed() {
    for row in asked() {
        let (rig, _, end, _) = run(row, json!({ "forget_jobs_after_polls": 1 })).await;
        assert_eq!(paused(row.server, end), PauseReason::JobLost, "{}", row.server);
        assert_eq!(rig.sandbox.jobs(), 1, "{}", row.server);
    }
}

#[tokio::test]
async fn a_401_of_a_poll_pauses_and_loses_nothing() {
    let refused = json!({ "on": "poll", "nth": 1, "action": { "answer": { "status": 401 } } });
    for row in asked() {
        let server = row.server;
        let (rig, id, end, _) = run(row, json!({ "faults": [refused] })).await;
        assert_eq!((paused(server, end), rig.sandbox.polls()), (PauseReason::Credentials, 1), "{server}");
        rig.resolve(&id, &Decision::Continue).await.unwrap();
        assert_eq!(done(server, rig.drive(&id).await.0).outcome, Outcome::Succeeded, "{server}");
        assert_eq!(rig.sandbox.jobs(), 1, "{server}");
    }
}

#[tokio::test]
async fn polls_that_break_are_no_job_that_breaks() {
    let faults = json!([
        { "on": "poll", "nth": 1, "action": "drop" },
        { "on": "poll", "nth": 2, "action": "html-page" },
        { "on": "poll", "nth": 3, "action": { "truncate-body": 3 } },
        { "on": "poll", "nth": 4, "action": "garbage-json" },
        { "on": "poll", "nth": 5, "action": { "answer": { "status": 503, "headers": { "Retry-After": "7" } } } },
        { "on": "poll", "nth": 6, "action": "accept-then-drop" },
    ]);
    for row in asked() {
        let server = row.server;
        let (rig, _, end, seen) = run(row, json!({ "faults": faults, "polls_until_done": 3 })).await;
        assert_eq!(done(server, end).outcome, Outcome::Succeeded, "{server}: {:?}", seen.events);
        assert_eq!((rig.sandbox.jobs(), rig.sandbox.stored()), (1, RESOURCES), "{server}");
        assert!(rig.poll_gaps().iter().all(|gap| *gap >= 1_000), "{server}: {:?}", rig.poll_gaps());
    }
}
