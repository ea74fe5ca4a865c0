//! Whole imports by the command line into a real HAPI FHIR server.

use std::time::Duration;

use serde_json::Value;

use crate::harness::cli::{Desk, Ran};
use crate::harness::hapi::Hapi;
use crate::harness::http;
use crate::harness::rig::synthea;

/// HAPI asks for two minutes between polls; a test does not have them.
const POLL_MAX: &str = "1s";

fn run(desk: &Desk, server: &str, more: &[&str]) -> Ran {
    let mut args = vec!["run", "--server", server, "--poll-max", POLL_MAX, "--json"];
    args.extend(more);
    desk.run(args)
}

fn patient(id: &str) -> String {
    format!("{{\"resourceType\":\"Patient\",\"id\":\"{id}\",\"gender\":\"female\"}}\n")
}

fn by_type<'a>(report: &'a Value, kind: &str) -> &'a Value {
    let rows = report["types"].as_array().expect("a report has types");
    rows.iter().find(|row| row["resource_type"] == kind).unwrap_or_else(|| panic!("no row for {kind}: {report}"))
}

/// Referential integrity is off: with it on, HAPI FHIR checks references between files of one job in no fixed order.
#[test]
fn the_sample_is_imported_and_verified_with_counts_equal_to_its_lines() {
    let hapi = Hapi::shared();
    let _held = hapi.set_referential_integrity(false).unwrap();
    let ran = run(&Desk::new(), hapi.base(), &[synthea().to_str().unwrap()]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let report = ran.json();
    assert_eq!(report["outcome"], "succeeded");
    assert_eq!(report["detection"]["dialect"], "hapi");
    assert_eq!(report["imported"], 937, "{report}");
    assert_eq!(report["verdict"], "verified", "{report}");
    for (kind, lines) in [("Patient", 12), ("Observation", count("Observation")), ("Procedure", count("Procedure"))] {
        let row = by_type(&report, kind);
        assert_eq!((&row["sent"], &row["imported"]), (&lines.into(), &lines.into()), "{kind}");
    }
}

fn count(kind: &str) -> u64 {
    let text = std::fs::read_to_string(synthea().join(format!("{kind}.ndjson"))).unwrap();
    text.lines().filter(|line| !line.trim().is_empty()).count() as u64
}

#[test]
fn a_malformed_line_stops_before_anything_is_sent_and_without_check_is_told_truly() {
    let hapi = Hapi::shared();
    let desk = Desk::new();
    let text = format!("{}{{\"resourceType\":\"Patient\",\"id\":\"broken\"\n", patient("malformed-1"));
    let file = desk.write("Patient.ndjson", &text);
    let file = file.to_str().unwrap();

    let stopped = run(&desk, hapi.base(), &[file]);
    assert_eq!(stopped.code, 3, "{stopped:?}");
    assert!(stopped.said().contains("Patient.ndjson:2"), "{stopped:?}");

    let failed = run(&desk, hapi.base(), &["--no-check", file]);
    assert_eq!(failed.code, 6, "{failed:?}");
    let report = failed.json();
    assert_eq!(report["outcome"], "failed");
    assert!(report["errors"].to_string().contains("HAPI-2674"), "{report}");
    assert_eq!(
        http::get(&format!("{}/Patient/malformed-1", hapi.base())).status,
        404,
        "HAPI stored nothing of that file"
    );
}

#[test]
fn a_missing_reference_fails_the_job_and_the_report_says_what_is_stored() {
    let hapi = Hapi::shared();
    let _held = hapi.set_referential_integrity(true).unwrap();
    let desk = Desk::new();
    let good =
        "{\"resourceType\":\"Observation\",\"id\":\"ref-good\",\"status\":\"final\",\"code\":{\"text\":\"x\"}}\n";
    let bad = "{\"resourceType\":\"Observation\",\"id\":\"ref-bad\",\"status\":\"final\",\"code\":{\"text\":\"x\"},\"subject\":{\"reference\":\"Patient/does-not-exist\"}}\n";
    let file = desk.write("Observation.ndjson", &format!("{good}{bad}"));
    let ran = run(&desk, hapi.base(), &[file.to_str().unwrap()]);
    assert_eq!(ran.code, 6, "{ran:?}");
    let report = ran.json();
    assert_eq!((&report["imported"], &report["rejected"]), (&1.into(), &1.into()), "{report}");
    assert_eq!(report["missing"], serde_json::json!(["Observation/ref-bad"]), "{report}");
    assert_eq!(by_type(&report, "Observation")["found"], 1);
    assert!(report["errors"].to_string().contains("HAPI-1094"), "{report}");
}

#[test]
fn a_source_that_answers_404_fails_the_job_with_the_servers_reason() {
    let hapi = Hapi::shared();
    let source = format!("Patient={}/no-such-file.ndjson", hapi.base());
    let ran = run(&Desk::new(), hapi.base(), &[&source]);
    assert_eq!(ran.code, 6, "{ran:?}");
    assert!(ran.json()["errors"].to_string().contains("HAPI-2056"), "{ran:?}");
}

#[test]
fn cancel_says_that_this_server_cannot_and_delete_is_indeed_answered_405() {
    let hapi = Hapi::shared();
    let desk = Desk::new();
    let file = desk.write("Patient.ndjson", &patient("cancel-1"));
    let ran = run(&desk, hapi.base(), &[file.to_str().unwrap()]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let url = format!("{}/$import-poll-status?_jobId=00000000-0000-0000-0000-000000000000", hapi.base());
    let deleted = http::delete(&url);
    assert_eq!(deleted.status, 405, "{deleted:?}");
    assert_eq!(deleted.header("allow"), Some("POST,GET"));
}

#[test]
fn a_running_job_that_cannot_be_cancelled_is_followed_to_its_end() {
    let hapi = Hapi::shared();
    let desk = Desk::new();
    let text: String = (0..4_000).map(|i| patient(&format!("many-{i}"))).collect();
    let file = desk.write("Patient.ndjson", &text);
    let mut child = desk.start(["run", "--server", hapi.base(), "--poll-max", POLL_MAX, file.to_str().unwrap()]);
    let job = desk.wait_for_phase("running", Duration::from_secs(60));
    child.kill().unwrap();
    child.wait().unwrap();
    let cancelled = desk.run(["cancel", &job, "--json"]);
    assert_eq!(cancelled.code, 4, "{cancelled:?}");
    assert!(cancelled.said().contains("no way to cancel"), "{cancelled:?}");
    let waited = desk.run(["wait", &job, "--json"]);
    assert_eq!(waited.code, 0, "{waited:?}");
    assert_eq!(waited.json()["imported"], 4_000, "{waited:?}");
}

#[test]
fn bulk_import_that_is_switched_off_is_named_with_the_setting() {
    let hapi = Hapi::shared();
    let desk = Desk::new();
    let file = desk.write("Patient.ndjson", &patient("off-1"));
    let detected = run(&desk, hapi.base_without_import(), &[file.to_str().unwrap()]);
    assert_eq!(detected.code, 4, "{detected:?}");
    assert!(detected.said().contains("bulk_import_enabled"), "{detected:?}");
    let forced = run(&desk, hapi.base_without_import(), &["--dialect", "hapi", file.to_str().unwrap()]);
    assert_eq!(forced.code, 4, "{forced:?}");
    assert!(forced.said().contains("bulk_import_enabled"), "{forced:?}");
}

/// No REST call cancels a job on HAPI FHIR; its operator can.
#[test]
fn a_job_that_its_operator_cancels_ends_as_cancelled() {
    let hapi = Hapi::shared();
    let desk = Desk::new();
    let text: String = (0..8_000).map(|i| patient(&format!("halted-{i}"))).collect();
    let file = desk.write("Patient.ndjson", &text);
    let mut child = desk.start(["run", "--server", hapi.base(), "--poll-max", POLL_MAX, file.to_str().unwrap()]);
    let job = desk.wait_for_phase("running", Duration::from_secs(60));
    child.kill().unwrap();
    let ran = crate::harness::cli::ran(&child.wait_with_output().unwrap());
    let id = ran.stderr.split("_jobId=").nth(1).and_then(|rest| rest.split_whitespace().next());
    hapi.cancel_job(id.unwrap_or_else(|| panic!("the status URL is not told: {ran:?}"))).unwrap();
    let waited = desk.run(["wait", &job, "--json"]);
    assert_eq!((waited.code, waited.json()["outcome"].as_str()), (10, Some("cancelled")), "{waited:?}");
}
