//! The manners of the reference server, against its source.

use crate::local::{Local, body};
use crate::{Fate, Personality};
use serde_json::{Value, json};

const LINES: &str = "{\"resourceType\":\"Patient\",\"id\":\"a\"}\n{\"resourceType\":\"Patient\",\"id\":\"b\"}\n";
const ACCEPT: (&str, &str) = ("Accept", "application/fhir+json");

fn local(script: Value) -> Local {
    let manifest = r#"{"output":[{"type":"Patient","url":"http://files/p"},{"type":"Group","url":"http://files/no"}]}"#;
    Local::new(Personality::SmartPnp, script, &[("m", manifest), ("p", LINES)])
}

fn order(url: &str, kind: Option<&str>) -> String {
    let mut parameters = vec![json!({"name": "exportUrl", "valueUrl": url})];
    parameters.extend(kind.map(|kind| json!({"name": "exportType", "valueCode": kind})));
    json!({"resourceType": "Parameters", "parameter": parameters}).to_string()
}

#[test]
fn a_finished_export_is_fetched_and_loaded() {
    let local = local(json!({}));
    let accepted = local.post(&order("http://files/m", Some("static")));
    assert_eq!((accepted.status().as_u16(), accepted.body().len()), (202, 0));
    let url = accepted.headers()["content-location"].to_str().unwrap();
    let running: Vec<_> = (0..3).map(|_| local.get(url)).collect();
    let heads = running.iter().map(|poll| (poll.status().as_u16(), poll.headers()["x-progress"].to_str().unwrap()));
    assert_eq!(heads.collect::<Vec<_>>(), [(202, "0"), (202, "50"), (202, "100")]);
    assert_eq!(
        (running[1].headers().get("retry-after"), &running[2].headers()["retry-after"]),
        (None, &"1".parse().unwrap())
    );
    let done = body(&local.get(url));
    assert_eq!((&done["outcome"][0]["count"], &done["requiresAccessToken"]), (&json!(2), &json!(false)));
    let file = local.get(done["outcome"][0]["url"].as_str().unwrap());
    let text = String::from_utf8(file.body().to_vec()).unwrap();
    let rows: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(file.headers()["content-type"], "application/fhir+json");
    assert_eq!(rows[0]["issue"][0]["diagnostics"], "File from http://files/p imported successfully");
    assert_eq!((&rows[0]["issue"][0]["code"], rows[1].get("resourceType")), (&json!(200), None));
    assert_eq!((local.sandbox.stored(), local.sandbox.job_records()[0].ends_shown), (2, 1));
}

#[test]
fn a_rejected_resource_is_an_error_of_its_file() {
    let local = local(json!({"polls_until_done": 0, "reject_ids": ["b"]}));
    let url = local.start(&order("http://files/m", Some("static")));
    local.poll(&url, 2);
    let text = String::from_utf8(local.get(&format!("{url}/import-outcome.ndjson")).body().to_vec()).unwrap();
    assert!(text.contains("Patient/b on line 2 of http://files/p: rejected by the script"), "{text}");
    assert_eq!(local.sandbox.stored(), 1);
}

#[test]
fn a_job_removed_while_it_runs_is_gone_once_and_then_unknown() {
    let local = local(json!({}));
    let url = local.start(&order("http://files/m", Some("static")));
    let removed = local.ask("DELETE", &url, &[ACCEPT], "");
    assert_eq!(
        (removed.status().as_u16(), &body(&removed)["issue"][0]["diagnostics"]),
        (202, &json!("Import job was removed"))
    );
    assert_eq!((local.poll(&url, 3), local.delete(&url)), (vec![410, 404, 404], 404));
    let unknown = local.ask("GET", &url, &[ACCEPT], "");
    assert_eq!(body(&unknown)["issue"][0]["code"], 404);
    assert_eq!(local.sandbox.job_records()[0].fate, Fate::Cancelled);
}

#[test]
fn what_the_reference_server_refuses_is_refused() {
    let local = local(json!({}));
    for bad in ["", "{}", &order("ftp://files/m", Some("static")), &order("http://files/m", Some("both"))] {
        assert_eq!(local.post(bad).status(), 400, "{bad}");
    }
    assert_eq!(local.post(&order("http://files/m", None)).status(), 500);
    assert_eq!(local.post(&order("http://files/none", Some("static"))).status(), 500);
    let url = format!("{}/$import", local.sandbox.base_url());
    let order = order("http://files/m", Some("static"));
    for header in [("Accept", "application/json"), ("Prefer", "respond-async, handling=lenient")] {
        let refused = local.ask("POST", &url, &[header], &order);
        assert_eq!(refused.status(), 400);
    }
    assert_eq!((local.ask("POST", &url, &[], &order).status().as_u16(), local.sandbox.jobs()), (202, 1));
}
