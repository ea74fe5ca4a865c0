//! The manners of both flavours, against the guide's example and what the sources of the servers say.

use crate::local::{Local, body};
use crate::probe::{Files, get, sandbox, send};
use crate::{Fate, Personality, Script};
use hyper::Response;
use serde_json::{Value, json};

const BASE: &str = "http://127.0.0.1/fhir";
const MANIFEST: &str = r#"{"transactionTime":"2026-01-01T00:00:00Z","requiresAccessToken":false,"output":[
    {"type":"Patient","url":"http://files/p"}],"link":[{"relation":"next","url":"http://files/m2"}]}"#;
const SECOND_PAGE: &str = r#"{"output":[{"type":"Group","url":"http://files/g"}]}"#;
const PATIENTS: &str =
    "{\"resourceType\":\"Patient\",\"id\":\"a\"}\nnonsense\n{\"resourceType\":\"Patient\",\"id\":\"b\"}\n";

fn local(personality: Personality, script: Value) -> Local {
    let files =
        [("m", MANIFEST), ("m2", SECOND_PAGE), ("p", PATIENTS), ("g", "{\"resourceType\":\"Group\",\"id\":\"g\"}")];
    Local::new(personality, script, &files)
}

fn order(personality: Personality, submitter: &str, manifest: Option<&str>, status: Option<&str>) -> String {
    let kind = if personality == Personality::BulkSubmit { "valueUrl" } else { "valueString" };
    let mut parameters = vec![
        json!({"name": "submitter", "valueIdentifier": {"system": "http://s", "value": submitter}}),
        json!({"name": "submissionId", "valueString": "a-b-c"}),
    ];
    if let Some(manifest) = manifest {
        parameters.push(json!({"name": "manifestUrl", kind: format!("http://files/{manifest}")}));
        parameters.push(json!({"name": "fhirBaseUrl", kind: "http://source/fhir"}));
    }
    parameters.extend(status.map(|code| json!({"name": "submissionStatus", "valueCoding": {"code": code}})));
    json!({"resourceType": "Parameters", "parameter": parameters}).to_string()
}

fn submit(local: &Local, order: &str) -> Response<bytes::Bytes> {
    local.ask("POST", &format!("{BASE}/$bulk-submit"), &[("Content-Type", "application/fhir+json")], order)
}

fn status_place(local: &Local, order: &str, prefer: &str) -> Response<bytes::Bytes> {
    let headers = [("Accept", "application/fhir+json"), ("Prefer", prefer)];
    local.ask("POST", &format!("{BASE}/$bulk-submit-status"), &headers, order)
}

/// Submits one manifest as the whole, and asks where its status is.
fn start(local: &Local, personality: Personality, submitter: &str) -> String {
    let done = if personality == Personality::BulkSubmit { "completed" } else { "complete" };
    let order = order(personality, submitter, Some("m"), Some(done));
    assert_eq!(submit(local, &order).status(), 200);
    let place = status_place(local, &order, "respond-async");
    assert_eq!(place.status(), 202);
    place.headers()["content-location"].to_str().unwrap().to_owned()
}

fn text(answer: &Response<bytes::Bytes>) -> String {
    String::from_utf8(answer.body().to_vec()).unwrap()
}

#[test]
fn a_submission_is_polled_until_its_manifest_is_whole() {
    let stu4 = Personality::BulkSubmit;
    let local = local(stu4, json!({}));
    let url = start(&local, stu4, "acme");
    let first = local.get(&url);
    assert_eq!((first.status().as_u16(), first.headers()["retry-after"].to_str().unwrap()), (202, "5"));
    assert_eq!((first.headers()["x-progress"].to_str().unwrap(), first.body().len()), ("Queued - starting shortly", 0));
    let second = local.get(&url);
    assert_eq!(second.headers()["x-progress"], "Processing 50% - 3 Resources written");
    assert_eq!((second.status().as_u16(), body(&second)["outcome"].as_array().unwrap().len()), (202, 3));
    let done = local.get(&url);
    let manifest = body(&done);
    let example: Value = serde_json::from_str(include_str!("recorded/manifest.json")).unwrap();
    for name in example.as_object().unwrap().keys() {
        assert!(manifest.get(name).is_some(), "{name}");
    }
    for name in example["outcome"][0].as_object().unwrap().keys() {
        assert!(manifest["outcome"][0].get(name).is_some(), "{name}");
    }
    assert_eq!((&manifest["submissionId"], &manifest["requiresAccessToken"]), (&json!("a-b-c"), &json!(false)));
    let severity = |row: usize, kind: usize| manifest["outcome"][row]["countSeverity"][kind]["count"].clone();
    assert_eq!(
        (severity(0, 0), severity(0, 1), severity(1, 0), severity(1, 1)),
        (json!(1), json!(0), json!(0), json!(1))
    );
    let errors = text(&local.get(manifest["outcome"][1]["url"].as_str().unwrap()));
    assert!(errors.contains("line 2 of http://files/p: not a JSON object"), "{errors}");
    assert_eq!((local.sandbox.stored(), local.sandbox.jobs(), local.sandbox.kick_offs()), (3, 1, 1));
    assert_eq!(local.sandbox.job_records()[0].fate, Fate::Ended);
}

#[test]
fn a_long_manifest_has_pages() {
    let stu4 = Personality::BulkSubmit;
    let local = local(stu4, json!({"polls_until_done": 0, "reject_ids": ["g"]}));
    let url = start(&local, stu4, "acme");
    let first = body(&local.get(&url));
    assert_eq!((first["outcome"].as_array().unwrap().len(), &first["link"][0]["relation"]), (3, &json!("next")));
    let second = body(&local.get(first["link"][0]["url"].as_str().unwrap()));
    assert_eq!((second["outcome"].as_array().unwrap().len(), &second["link"]), (1, &json!([])));
    let errors = body(&local.get(second["outcome"][0]["url"].as_str().unwrap()));
    assert_eq!(errors["extension"][0]["valueReference"]["reference"], "http://source/fhir/Group/g");
    assert_eq!(local.get(&format!("{url}?page=3")).status(), 404);
}

#[test]
fn a_submission_that_is_not_completed_never_ends() {
    let stu4 = Personality::BulkSubmit;
    let local = local(stu4, json!({"polls_until_done": 0}));
    let first = order(stu4, "acme", Some("m"), None);
    assert_eq!(submit(&local, &first).status(), 200);
    let url = local.sandbox.job_urls().remove(0);
    assert_eq!((local.poll(&url, 3), local.sandbox.job_records()[0].fate), (vec![202; 3], Fate::Running));
    assert_eq!(submit(&local, &order(stu4, "acme", None, Some("completed"))).status(), 200);
    assert_eq!((local.poll(&url, 1), local.sandbox.jobs(), local.sandbox.kick_offs()), (vec![200], 1, 2));
}

#[test]
fn a_manifest_is_taken_once_and_nothing_after_the_end() {
    let stu4 = Personality::BulkSubmit;
    let local = local(stu4, json!({}));
    let first = order(stu4, "acme", Some("m"), Some("in-progress"));
    assert_eq!((submit(&local, &first).status().as_u16(), submit(&local, &first).status().as_u16()), (200, 409));
    submit(&local, &order(stu4, "acme", None, Some("completed")));
    let late = submit(&local, &order(stu4, "acme", Some("m2"), None));
    assert_eq!((late.status().as_u16(), local.sandbox.jobs(), local.sandbox.stored()), (409, 1, 3));
    assert_eq!(submit(&local, &order(stu4, "other", Some("m"), None)).status(), 200);
    assert_eq!(local.sandbox.jobs(), 2);
}

#[test]
fn a_stopped_submission_leaves_nothing_behind() {
    let stu4 = Personality::BulkSubmit;
    let local = local(stu4, json!({}));
    submit(&local, &order(stu4, "acme", Some("m"), None));
    assert_eq!(local.sandbox.stored(), 3);
    assert_eq!(submit(&local, &order(stu4, "acme", None, Some("stopped"))).status(), 200);
    let record = local.sandbox.job_records().remove(0);
    assert_eq!((local.sandbox.stored(), record.fate, record.stored), (0, Fate::Cancelled, 0));
    assert_eq!(local.poll(&record.status_url, 1), [200]);
}

#[test]
fn a_deleted_submission_is_rolled_back_and_unknown() {
    let stu4 = Personality::BulkSubmit;
    let local = local(stu4, json!({}));
    let url = start(&local, stu4, "acme");
    assert_eq!((local.delete(&url), local.delete(&url), local.poll(&url, 1)), (202, 404, vec![404]));
    let record = local.sandbox.job_records().remove(0);
    assert_eq!((record.fate, record.deletes, local.sandbox.stored()), (Fate::Cancelled, 2, 0));
    let place = status_place(&local, &order(stu4, "acme", None, None), "respond-async");
    assert_eq!(place.status(), 404);
}

#[test]
fn the_status_can_be_in_a_header_of_its_own() {
    let stu4 = Personality::BulkSubmit;
    let local = local(stu4, json!({"polls_until_done": 1}));
    let url = start(&local, stu4, "acme");
    let place = status_place(&local, &order(stu4, "acme", None, None), "respond-async,separate-export-status");
    assert_eq!(place.headers()["preference-applied"], "separate-export-status");
    let polls = [local.get(&url), local.get(&url)];
    let seen = polls.map(|poll| (poll.status().as_u16(), poll.headers()["x-export-status"].clone()));
    assert_eq!(seen, [(200, "202".parse().unwrap()), (200, "200".parse().unwrap())]);
}

#[test]
fn a_manifest_that_is_not_there_fails_the_submission() {
    let stu4 = Personality::BulkSubmit;
    let local = local(stu4, json!({"polls_until_done": 0}));
    submit(&local, &order(stu4, "acme", Some("nothing"), Some("completed")));
    let url = local.sandbox.job_urls().remove(0);
    assert_eq!((local.poll(&url, 1), local.sandbox.job_records()[0].fate), (vec![500], Fate::Failed));
}

#[test]
fn what_cannot_be_understood_is_refused_in_either_way() {
    for (personality, kind) in [
        (Personality::BulkSubmit, "application/fhir+json;charset=utf-8"),
        (Personality::BulkSubmitArgonaut, "text/html; charset=utf-8"),
    ] {
        let local = local(personality, json!({}));
        let wrong = order(personality, "acme", Some("m"), Some("finished"));
        for bad in ["", "{}", &order(personality, "", Some("m"), None), &order(personality, "a", None, None), &wrong] {
            let refused = submit(&local, bad);
            assert_eq!((refused.status().as_u16(), refused.headers()["content-type"].to_str().unwrap()), (400, kind));
        }
        assert_eq!(local.sandbox.jobs(), 0);
    }
    let argonaut = Personality::BulkSubmitArgonaut;
    let local = local(argonaut, json!({}));
    let url = order(argonaut, "acme", Some("m"), None)
        .replace("\"valueString\":\"http://files", "\"valueUrl\":\"http://files");
    assert_eq!(text(&submit(&local, &url)), "Either submissionStatus or manifestUrl SHALL be populated");
}

#[test]
fn the_draft_lists_successes_among_the_errors() {
    let argonaut = Personality::BulkSubmitArgonaut;
    let local = local(argonaut, json!({}));
    let url = start(&local, argonaut, "acme");
    assert!(url.ends_with("/bulkstatus/acme-a-b-c"));
    let polls: Vec<_> = (0..2).map(|_| local.get(&url).headers()["x-progress"].to_str().unwrap().to_owned()).collect();
    assert_eq!(polls, ["NaN% Done", "50.00% Done"]);
    let manifest = body(&local.get(&url));
    assert_eq!(manifest["extension"]["submissionId"], "a-b-c");
    let row = &manifest["error"][0];
    assert_eq!((&row["extension"]["manifestUrl"], &manifest["output"]), (&json!("http://files/m"), &json!([])));
    assert_eq!(row["extension"]["countSeverity"], json!({"success": 2, "error": 1}));
    let file = row["url"].as_str().unwrap();
    let once = text(&local.get(file));
    assert_eq!((once.matches("\r\n").count(), once.matches("row 2: not a JSON object").count()), (2, 1));
    local.get(&url);
    assert_eq!(text(&local.get(file)), format!("{once}{once}"));
    assert_eq!((local.sandbox.stored(), local.delete(&url)), (2, 404));
}

#[test]
fn a_submitter_with_a_hyphen_waits_for_ever() {
    let argonaut = Personality::BulkSubmitArgonaut;
    let local = local(argonaut, json!({"polls_until_done": 0}));
    let url = start(&local, argonaut, "ac-me");
    assert_eq!(local.poll(&url, 5), [202; 5]);
}

#[test]
fn the_draft_fetches_the_manifest_at_once_and_keeps_what_it_noted_before() {
    let argonaut = Personality::BulkSubmitArgonaut;
    let local = local(argonaut, json!({}));
    let missing = submit(&local, &order(argonaut, "acme", Some("nothing"), Some("complete")));
    assert_eq!((missing.status().as_u16(), local.sandbox.jobs()), (404, 0));
    let again = submit(&local, &order(argonaut, "acme", Some("m"), Some("complete")));
    assert_eq!((again.status().as_u16(), local.sandbox.jobs()), (400, 0));
}

#[test]
fn the_draft_takes_two_headers_to_the_letter() {
    let argonaut = Personality::BulkSubmitArgonaut;
    let local = local(argonaut, json!({}));
    start(&local, argonaut, "acme");
    let order = order(argonaut, "acme", None, None);
    assert_eq!(status_place(&local, &order, "respond-async, separate-export-status").status(), 400);
    let accept = [("Accept", "application/json")];
    assert_eq!(local.ask("POST", &format!("{BASE}/$bulk-submit-status"), &accept, &order).status(), 400);
    assert_eq!(local.ask("POST", &format!("{BASE}/$bulk-submit-status"), &[], &order).status(), 202);
}

#[test]
fn an_aborted_submission_of_the_draft_is_a_failed_poll() {
    let argonaut = Personality::BulkSubmitArgonaut;
    let local = local(argonaut, json!({}));
    submit(&local, &order(argonaut, "acme", Some("m"), Some("in-progress")));
    assert_eq!(submit(&local, &order(argonaut, "acme", None, Some("aborted"))).status(), 200);
    let url = local.sandbox.job_urls().remove(0);
    assert_eq!((local.poll(&url, 1), local.sandbox.job_records()[0].fate), (vec![500], Fate::Cancelled));
}

#[test]
fn only_the_standard_is_advertised() {
    let named = |personality| body(&local(personality, json!({})).get(&format!("{BASE}/metadata")))["rest"][0].clone();
    let operations = &named(Personality::BulkSubmit)["operation"];
    let canonical = "http://hl7.org/fhir/uv/bulkdata/OperationDefinition/bulk-submit";
    assert_eq!(operations[0], json!({"name": "bulk-submit", "definition": canonical}));
    assert_eq!(operations[1]["name"], "bulk-submit-status");
    assert!(named(Personality::BulkSubmitArgonaut).get("operation").is_none());
}

/// Over a socket the work of a second manifest runs beside the requests.
#[tokio::test]
async fn two_manifests_of_one_submission_are_one_job() {
    let line = |id: &str| format!("{{\"resourceType\":\"Patient\",\"id\":\"{id}\"}}\n");
    let (a, b) = (line("a"), line("b"));
    let files = Files::serve("application/fhir+ndjson", &[("a", &a), ("b", &b)]).await;
    let manifest = |name: &str| json!({"output": [{"type": "Patient", "url": format!("{}/{name}", files.base)}]});
    let (one, two) = (manifest("a").to_string(), manifest("b").to_string());
    let manifests = Files::serve("application/json", &[("one", &one), ("two", &two)]).await;
    let server = sandbox(Personality::BulkSubmit, Script { polls_until_done: 0, ..Script::default() }).await;
    let headers = [("Content-Type", "application/fhir+json"), ("Prefer", "respond-async")];
    for (name, status) in [("one", "in-progress"), ("two", "completed")] {
        let order = order(Personality::BulkSubmit, "acme", Some(name), Some(status));
        let order = order.replace("http://files", &manifests.base);
        let url = format!("{}/$bulk-submit", server.base_url());
        assert_eq!(send("POST", &url, &headers, &order).await.unwrap().status, 200);
    }
    let url = server.job_urls().remove(0);
    for _ in 0..500 {
        if get(&url).await.status == 200 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_eq!((get(&url).await.status, server.stored(), server.jobs()), (200, 2, 1));
    assert_eq!(server.job_records()[0].stored, 2);
}
