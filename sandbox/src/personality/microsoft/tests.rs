//! The manners of the source, played against this server.

use crate::local::{Local, body};
use crate::probe::{Files, get, sandbox, send};
use crate::{Fate, Personality};
use serde_json::{Value, json};

const ACCOUNT: &str = "https://practice.blob.core.windows.net";
const FHIR: (&str, &str) = ("Content-Type", "application/fhir+json");
const ASYNC: (&str, &str) = ("Prefer", "respond-async");

/// Twelve patients of some forty bytes, the third and the tenth of them spoilt, and one line twice.
fn lines() -> String {
    let line = |n: usize| match n {
        3 => "{\"resourceType\":\"Patient\",\"id\":\"p3\",\n".to_owned(),
        10 => "{\"resourceType\":\"Group\",\"id\":\"p10\"}\n".to_owned(),
        12 => "{\"resourceType\":\"Patient\",\"id\":\"p1\"}\n".to_owned(),
        n => format!("{{\"resourceType\":\"Patient\",\"id\":\"p{n}\"}}\n"),
    };
    (1..=12).map(line).collect()
}

fn microsoft(script: Value) -> Local {
    let (url, lines) = (format!("{ACCOUNT}/in/p.ndjson"), lines());
    Local::with_files(Personality::Microsoft, script, &[(&url, &lines)])
}

fn order(url: &str) -> Value {
    json!({"resourceType": "Parameters", "parameter": [
        {"name": "inputFormat", "valueString": "application/fhir+ndjson"},
        {"name": "mode", "valueString": "IncrementalLoad"},
        {"name": "processingUnitBytesToRead", "valueInteger": 150},
        {"name": "input", "part": [{"name": "type", "valueString": "Patient"}, {"name": "url", "valueUri": url}]}]})
}

fn post(local: &Local, headers: &[(&str, &str)], order: &Value) -> hyper::Response<bytes::Bytes> {
    local.ask("POST", &format!("{}/$import", local.sandbox.base_url()), headers, &order.to_string())
}

fn start(local: &Local) -> String {
    let accepted = post(local, &[FHIR, ASYNC], &order(&format!("{ACCOUNT}/in/p.ndjson")));
    assert_eq!((accepted.status().as_u16(), accepted.body().len()), (202, 0));
    accepted.headers()["content-location"].to_str().unwrap().to_owned()
}

fn text(answer: &hyper::Response<bytes::Bytes>) -> String {
    body(answer)["issue"][0]["diagnostics"].as_str().unwrap().to_owned()
}

#[test]
fn a_job_goes_from_an_empty_status_through_a_part_of_the_manifest_to_the_whole() {
    let local = microsoft(json!({}));
    let url = start(&local);
    assert_eq!(url, format!("{}/_operations/import/1", local.sandbox.base_url()));
    let empty = local.get(&url);
    assert_eq!((empty.status().as_u16(), empty.body().len()), (202, 0));
    assert!(["retry-after", "x-progress", "content-type"].iter().all(|name| !empty.headers().contains_key(*name)));
    let part = local.get(&url);
    assert_eq!((part.status().as_u16(), body(&part)["output"][0]["count"].as_u64()), (202, Some(4)));
    let whole = local.get(&url);
    assert_eq!(
        (whole.status().as_u16(), &whole.headers()["content-type"]),
        (200, &"application/json".parse().unwrap())
    );
    let whole = body(&whole);
    assert_eq!(whole["transactionTime"], "2026-01-01T00:00:00.0000000+00:00");
    let input = format!("{ACCOUNT}/in/p.ndjson");
    assert_eq!(whole["output"], json!([{"type": "Patient", "count": 9, "inputUrl": input}]));
    let counts: Vec<_> =
        whole["error"].as_array().unwrap().iter().map(|row| (&row["count"], &row["inputUrl"])).collect();
    assert_eq!(counts, [(&json!(1), &json!(input)), (&json!(2), &json!(input))], "a row for each unit that has errors");
    assert_eq!(local.sandbox.stored(), 9);
    let detailed = body(&local.get(&format!("{url}?_details=true")));
    assert_eq!(detailed["output"].as_array().unwrap().len(), 3);
}

#[test]
fn error_blobs_count_lines_from_their_unit_and_want_a_credential_of_their_own() {
    let local = microsoft(json!({"polls_until_done": 0, "require_bearer": "fhir"}));
    let fhir = ("Authorization", "Bearer fhir");
    let accepted = post(&local, &[FHIR, ASYNC, fhir], &order(&format!("{ACCOUNT}/in/p.ndjson")));
    let url = accepted.headers()["content-location"].to_str().unwrap();
    let manifest = body(&local.ask("GET", url, &[fhir], ""));
    let blob = manifest["error"][1]["url"].as_str().unwrap();
    assert!(blob.starts_with("http://127.0.0.1/fhirlogs/Patient1_"), "{blob}");
    for headers in [&[][..], &[fhir][..]] {
        let refused = local.ask("GET", blob, headers, "");
        assert_eq!(
            (refused.status().as_u16(), &refused.headers()["x-ms-error-code"]),
            (403, &"AuthenticationFailed".parse().unwrap())
        );
    }
    local.sandbox.set_script(serde_json::from_value(json!({"error_store_bearer": "blob"})).unwrap());
    let content = local.ask("GET", blob, &[("Authorization", "Bearer blob")], "");
    let lines: Vec<Value> =
        content.body().split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect();
    assert_eq!(
        lines[0],
        json!({"resourceType": "OperationOutcome", "issue": [{"severity": "error",
        "details": {"text": "Resource type not match."},
        "diagnostics": "Failed to process resource at line: 1 with stream start offset: 300"}]})
    );
    let duplicate = &lines[1]["issue"][0]["details"]["text"];
    assert_eq!(duplicate, "Failed to import duplicate resource, resource id: p1, line: 3");
}

#[test]
fn the_same_definition_is_the_same_job_whatever_became_of_it() {
    let local = microsoft(json!({}));
    let first = start(&local);
    assert_eq!((start(&local), local.sandbox.jobs()), (first.clone(), 1));
    assert_eq!(local.poll(&first, 3), [202, 202, 200]);
    assert_eq!((start(&local), local.sandbox.jobs()), (first, 1), "a completed one too");
    let mut other = order(&format!("{ACCOUNT}/in/p.ndjson"));
    other["parameter"][3]["part"].as_array_mut().unwrap().push(json!({"name": "etag", "valueUri": "0x1"}));
    assert_eq!(post(&local, &[FHIR, ASYNC], &other).status(), 202);
    assert_eq!(local.sandbox.jobs(), 2, "another etag is another definition");
}

#[test]
fn a_cancelled_job_says_so_with_400_and_a_finished_one_cannot_be_cancelled() {
    let local = microsoft(json!({}));
    let url = start(&local);
    assert_eq!((local.delete(&url), local.delete(&url)), (202, 202));
    let cancelled = local.get(&url);
    assert_eq!(
        (cancelled.status().as_u16(), text(&cancelled).as_str()),
        (400, "User requested cancellation of operation.")
    );
    assert_eq!((local.sandbox.job_records()[0].fate, start(&local)), (Fate::Cancelled, url));
    let foreign = local.sandbox.foreign_job();
    assert_eq!(local.poll(&foreign, 3), [202, 202, 200]);
    let late = local.ask("DELETE", &foreign, &[], "");
    assert_eq!((late.status().as_u16(), text(&late).as_str()), (409, "Import operation has already completed"));
    let unknown = local.get(&format!("{}/_operations/import/99", local.sandbox.base_url()));
    assert_eq!(
        (unknown.status().as_u16(), text(&unknown)),
        (404, "The requested import job \"99\" was not found.".to_owned())
    );
}

#[test]
fn kick_offs_are_refused_as_in_the_source() {
    let local = microsoft(json!({}));
    let url = format!("{ACCOUNT}/in/p.ndjson");
    let good = order(&url);
    let twice = |mut order: Value| {
        let input = order["parameter"][3].clone();
        order["parameter"].as_array_mut().unwrap().push(input);
        order
    };
    let prefer = |value| format!("Value supplied, {value},  for the \"Prefer\" header is not supported.");
    let cases = [
        (vec![FHIR], good.clone(), prefer("")),
        (vec![FHIR, ("Prefer", "respond-async, wait=10")], good.clone(), prefer("respond-async, wait=10")),
        (vec![FHIR, ASYNC, ASYNC], good.clone(), prefer("respond-async,respond-async")),
        (
            vec![FHIR, ASYNC],
            order(&format!("{url}?sv=2024&sig=x")),
            "Value of the following parameter input.url is invalid.".to_owned(),
        ),
        (vec![FHIR, ASYNC], order("p.ndjson"), "Value of the following parameter input.url is invalid.".to_owned()),
        (
            vec![FHIR, ASYNC],
            order("https://other.blob.core.windows.net/in/p.ndjson"),
            "input.url must match the configured integration storage account endpoint.".to_owned(),
        ),
        (
            vec![FHIR, ASYNC],
            twice(good),
            format!("Import request cannot have duplicate files. Found duplicates: {url}. "),
        ),
        (
            vec![FHIR, ASYNC],
            json!({"inputFormat": "application/fhir+ndjson"}),
            "Import request must be specified as a Paramters.".to_owned(),
        ),
    ];
    for (headers, order, words) in cases {
        let refused = post(&local, &headers, &order);
        assert_eq!((refused.status().as_u16(), text(&refused)), (400, words));
    }
    assert_eq!(local.sandbox.jobs(), 0);
}

#[test]
fn a_job_fails_with_the_status_of_what_happened_to_a_blob() {
    let local = microsoft(json!({"polls_until_done": 0}));
    let accepted = post(&local, &[FHIR, ASYNC], &order(&format!("{ACCOUNT}/in/none.ndjson")));
    let failed = local.get(accepted.headers()["content-location"].to_str().unwrap());
    let words = "import operation failed for reason: The specified blob does not exist.";
    assert_eq!((failed.status().as_u16(), text(&failed).as_str()), (404, words));
    assert_eq!(local.sandbox.job_records()[0].fate, Fate::Failed);
}

#[tokio::test]
async fn a_store_of_the_script_is_the_account_and_its_files_come_from_there() {
    let lines = lines();
    let files = Files::serve("application/octet-stream", &[("p.ndjson", &lines)]).await;
    let stores = json!({"polls_until_done": 0, "stores": {"https://mine.blob.core.windows.net/in/": format!("{}/", files.base)}});
    let sandbox = sandbox(Personality::Microsoft, serde_json::from_value(stores).unwrap()).await;
    let order = order("https://mine.blob.core.windows.net/in/p.ndjson").to_string();
    let accepted = send("POST", &format!("{}/$import", sandbox.base_url()), &[FHIR, ASYNC], &order).await.unwrap();
    let manifest = get(accepted.header("content-location").unwrap()).await;
    assert_eq!((manifest.status, manifest.json()["output"][0]["count"].as_u64(), sandbox.stored()), (200, Some(9), 9));
    let blob = manifest.json()["error"][0]["url"].as_str().unwrap().to_owned();
    assert_eq!(get(&blob).await.status, 403);
}

#[test]
fn nothing_of_import_is_advertised() {
    let local = microsoft(json!({}));
    let statement = body(&local.get(&format!("{}/metadata", local.sandbox.base_url())));
    let names: Vec<_> = statement["rest"][0]["operation"].as_array().unwrap().iter().map(|one| &one["name"]).collect();
    assert_eq!(names, ["export", "reindex"]);
    assert_eq!(statement["software"]["name"], "Microsoft FHIR Server");
}
