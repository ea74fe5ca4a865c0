//! The manners of the receiver, against the examples of the guide.

use crate::local::{Local, body};
use crate::{Fate, Personality};
use serde_json::{Value, json};

const PATIENT: &str = "{\"resourceType\":\"Patient\",\"id\":\"a\"}\n";

fn local(script: Value) -> Local {
    Local::new(Personality::UdsPlus, script, &[("p.ndjson", PATIENT)])
}

fn order(submission: &str, kind: &str, file: &str) -> String {
    json!({"resourceType": "Parameters", "parameter": [
        {"name": "inputFormat", "valueCode": "fhir+ndjson"},
        {"name": "importProtocol", "valueCode": "https"},
        {"name": "submissionId", "valueString": submission},
        {"name": "hcInformation", "part": [{"name": "uei", "valueString": "1"}, {"name": "hcName", "valueString": "FQHC_Utah"}]},
        {"name": "udsData", "part": [{"name": "type", "valueCode": kind},
            {"name": "url", "valueUrl": format!("http://files/{file}")},
            {"name": "expirationTime", "valueDateTime": "2023-12-31T11:58:07-08:00"}]},
    ]})
    .to_string()
}

fn start(local: &Local, order: &str) -> String {
    let created = local.post(order);
    assert_eq!(created.status(), 201);
    created.headers()["content-location"].to_str().unwrap().to_owned()
}

/// An answer without the ids it made up.
fn without_ids(mut value: Value) -> Value {
    match &mut value {
        Value::Array(items) => items.iter_mut().for_each(|item| *item = without_ids(item.take())),
        Value::Object(members) => {
            members.remove("id");
            members.values_mut().for_each(|member| *member = without_ids(member.take()));
        }
        _ => {}
    }
    value
}

fn recorded(text: &str) -> Value {
    without_ids(serde_json::from_str(text).unwrap())
}

#[test]
fn running_and_done_are_both_200() {
    let local = local(json!({"polls_until_done": 1}));
    let url = start(&local, &order("8600c", "Patient", "p.ndjson"));
    assert_eq!(url, "http://127.0.0.1/status/FQHC_Utah/8600c");
    let polls = [local.get(&url), local.get(&url)];
    let heads = polls.each_ref().map(|poll| (poll.status().as_u16(), poll.headers()["x-progress"].to_str().unwrap()));
    assert_eq!(heads, [(200, "0% complete"), (200, "100% complete")]);
    assert_eq!(without_ids(body(&polls[1])), recorded(include_str!("recorded/success.json")));
    assert_eq!((local.sandbox.stored(), local.delete(&url)), (1, 405));
}

#[test]
fn a_failure_is_an_array_of_outcomes() {
    let local = local(json!({"polls_until_done": 0}));
    let url = start(&local, &order("8600a", "Observation", "o.ndjson"));
    let failed = local.get(&url);
    assert_eq!((failed.status().as_u16(), failed.headers()["x-progress"].to_str().unwrap()), (400, "Failed"));
    assert_eq!(without_ids(body(&failed)), recorded(include_str!("recorded/failure.json")));
    let url = start(&local, &order("b", "Group", "p.ndjson"));
    let failed = local.get(&url);
    let text = &body(&failed)[0]["issue"][0]["details"]["coding"][0]["display"];
    assert_eq!((failed.status().as_u16(), text), (422, &json!("Patient/a: expected Group, found Patient")));
    assert_eq!(local.sandbox.job_records()[1].fate, Fate::Failed);
}

#[test]
fn a_submission_takes_the_place_of_an_older_one() {
    let local = local(json!({"polls_until_done": 2}));
    let order = order("8600c", "Patient", "p.ndjson");
    let url = start(&local, &order);
    local.poll(&url, 1);
    start(&local, &order);
    assert_eq!(local.get(&url).headers()["x-progress"], "0% complete");
    let fates: Vec<_> = local.sandbox.job_records().iter().map(|record| record.fate).collect();
    assert_eq!((fates, local.sandbox.jobs()), (vec![Fate::Lost, Fate::Running], 2));
}

#[test]
fn a_manifest_that_is_none_is_unprocessable() {
    let local = local(json!({}));
    let good = order("s", "Patient", "p.ndjson");
    for name in ["inputFormat", "submissionId", "hcInformation", "udsData", "valueUrl", "Parameters"] {
        assert_eq!(local.post(&good.replace(name, "other")).status(), 422, "{name}");
    }
    assert_eq!(local.get("http://127.0.0.1/status/a/b").status(), 404);
    let statement = body(&local.get("http://127.0.0.1/fhir/metadata"));
    let canonical = "http://fhir.org/guides/hrsa/uds-plus/OperationDefinition/import";
    assert_eq!(statement["rest"][0]["operation"], json!([{"name": "import", "definition": canonical}]));
    assert_eq!(local.sandbox.jobs(), 0);
}
