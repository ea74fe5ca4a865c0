//! The draft, clause by clause, played against this server.

use crate::probe::{Answer, Files, get, sandbox, send};
use crate::{Personality, Sandbox, Script};
use serde_json::{Value, json};

const FIXED: [(&str, &str); 3] =
    [("Content-Type", "application/json"), ("Accept", "application/fhir+json"), ("Prefer", "respond-async")];

async fn smart(script: Value) -> Sandbox {
    let script: Script = serde_json::from_value(script).unwrap();
    sandbox(Personality::SmartManifest, script).await
}

fn body(inputs: &[(&str, String)]) -> String {
    let input = inputs.iter().map(|(kind, url)| json!({"type": kind, "url": url})).collect::<Vec<_>>();
    json!({"inputFormat": "application/fhir+ndjson", "inputSource": "http://source.example", "input": input,
        "storageDetail": {"type": "https"}})
    .to_string()
}

async fn post(sandbox: &Sandbox, headers: &[(&str, &str)], body: &str) -> Answer {
    send("POST", &format!("{}/$import", sandbox.base_url()), headers, body).await.unwrap()
}

async fn start(sandbox: &Sandbox, inputs: &[(&str, String)]) -> String {
    let accepted = post(sandbox, &FIXED, &body(inputs)).await;
    assert_eq!(accepted.status, 202);
    accepted.header("content-location").unwrap().to_owned()
}

async fn finish(status_url: &str) -> Value {
    loop {
        let poll = get(status_url).await;
        if poll.status != 202 {
            assert_eq!((poll.status, poll.header("content-type")), (200, Some("application/json")));
            return poll.json();
        }
    }
}

const PATIENTS: &str = "{\"resourceType\":\"Patient\",\"id\":\"a\"}\n{\"resourceType\":\"Patient\",\"id\":\"b\"\n\
    {\"resourceType\":\"Group\",\"id\":\"c\"}\n\n{\"resourceType\":\"Patient\"}\n\
    {\"resourceType\":\"Patient\",\"id\":\"d\"}";

#[tokio::test]
async fn good_lines_are_stored_and_bad_ones_listed() {
    let sandbox = smart(json!({})).await;
    let files = Files::serve("application/fhir+ndjson", &[("p", PATIENTS)]).await;
    let (patients, nowhere) = (format!("{}/p", files.base), format!("{}/nowhere", files.base));
    let status_url = start(&sandbox, &[("Patient", patients.clone()), ("Group", nowhere.clone())]).await;
    assert!(status_url.starts_with(&format!("{}/import-jobs/", sandbox.base_url())));
    let manifest = finish(&status_url).await;
    assert_eq!(manifest["request"], format!("{}/$import", sandbox.base_url()));
    let row = |count, url: &String| json!({"type": "OperationOutcome", "count": count, "inputUrl": url});
    assert_eq!(manifest["output"], json!([row(2, &patients), row(0, &nowhere)]));
    let (mut first, mut second) = (row(3, &patients), row(1, &nowhere));
    first["url"] = format!("{status_url}/errors-1.ndjson").into();
    second["url"] = format!("{status_url}/errors-2.ndjson").into();
    assert_eq!(manifest["error"], json!([first, second]));
    let errors = String::from_utf8(get(&format!("{status_url}/errors-1.ndjson")).await.body).unwrap();
    let places: Vec<_> = errors.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()).collect();
    let texts: Vec<_> = places.iter().map(|place| place["issue"][0]["diagnostics"].as_str().unwrap()).collect();
    assert!(texts[0].starts_with("line 2: not a JSON object"));
    assert_eq!(texts[1..], ["line 3: expected Patient, found Group", "line 5: Patient without an id"]);
    assert_eq!((sandbox.stored(), files.asked("p").len()), (2, 1));
}

#[tokio::test]
async fn error_files_are_read_whole_or_in_parts() {
    let sandbox = smart(json!({})).await;
    let status_url = start(&sandbox, &[("Patient", "http://127.0.0.1:9/x".to_owned())]).await;
    finish(&status_url).await;
    let url = format!("{status_url}/errors-1.ndjson");
    let whole = get(&url).await;
    let tag = whole.header("etag").unwrap().to_owned();
    assert_eq!((whole.status, whole.header("content-type")), (200, Some("application/fhir+ndjson")));
    let part = send("GET", &url, &[("Range", "bytes=2-5"), ("If-Match", &tag)], "").await.unwrap();
    assert_eq!((part.status, part.body.as_slice()), (206, &whole.body[2..6]));
    assert_eq!(part.header("content-range"), Some(format!("bytes 2-5/{}", whole.body.len()).as_str()));
    let behind = send("GET", &url, &[("Range", "bytes=9999-")], "").await.unwrap();
    assert_eq!(
        (behind.status, behind.header("content-range")),
        (416, Some(format!("bytes */{}", whole.body.len()).as_str()))
    );
    assert_eq!(send("GET", &url, &[("If-Match", "\"other\"")], "").await.unwrap().status, 412);
    assert_eq!(get(&format!("{status_url}/errors-9.ndjson")).await.status, 404);
}

#[tokio::test]
async fn each_fixed_header_is_required() {
    let sandbox = smart(json!({})).await;
    let order = body(&[("Patient", "http://127.0.0.1:9/x".to_owned())]);
    for missing in 0..FIXED.len() {
        let mut headers = FIXED.to_vec();
        let (name, _) = headers.remove(missing);
        let refused = post(&sandbox, &headers, &order).await;
        assert_eq!(refused.status, 400);
        assert!(refused.diagnostics(0).contains(&name.to_lowercase()), "{name}");
    }
    for bad in ["", "{}", &order.replace("+ndjson", "+xml"), &body(&[]), &order.replace("https", "aws-s3")] {
        assert_eq!(post(&sandbox, &FIXED, bad).await.status, 400, "{bad}");
    }
    assert_eq!((sandbox.kick_offs(), sandbox.jobs()), (8, 0));
}

#[tokio::test]
async fn progress_is_a_percentage_and_the_wait_has_two_forms() {
    let sandbox = smart(json!({"polls_until_done": 3, "retry_after": "7"})).await;
    let status_url = start(&sandbox, &[("Patient", "http://127.0.0.1:9/x".to_owned())]).await;
    let first = get(&status_url).await;
    assert_eq!((first.header("x-progress"), first.header("retry-after")), (Some("0%"), Some("7")));
    sandbox.set_script(serde_json::from_value(json!({"polls_until_done": 3, "retry_after_date": true})).unwrap());
    let second = get(&status_url).await;
    assert_eq!(second.header("x-progress"), Some("33%"));
    assert!(second.header("retry-after").unwrap().ends_with(" GMT"));
    sandbox.set_script(serde_json::from_value(json!({"polls_until_done": 3, "retry_after": ""})).unwrap());
    assert_eq!(get(&status_url).await.header("retry-after"), None);
}

#[tokio::test]
async fn a_cancelled_job_is_gone() {
    let sandbox = smart(json!({})).await;
    let status_url = start(&sandbox, &[("Patient", "http://127.0.0.1:9/x".to_owned())]).await;
    assert_eq!(send("DELETE", &status_url, &[], "").await.unwrap().status, 202);
    let gone = get(&status_url).await;
    assert_eq!((gone.status, gone.json()["issue"][0]["code"].as_str()), (404, Some("not-found")));
    assert_eq!(send("DELETE", &status_url, &[], "").await.unwrap().status, 404);
    assert_eq!(sandbox.deletes(), 2);
}

#[tokio::test]
async fn jobs_are_forgotten_and_refused_as_scripted() {
    let sandbox = smart(json!({"forget_jobs_after_polls": 1, "max_concurrent": 1})).await;
    let inputs = [("Patient", "http://127.0.0.1:9/x".to_owned())];
    let status_url = start(&sandbox, &inputs).await;
    let busy = post(&sandbox, &FIXED, &body(&inputs)).await;
    assert_eq!((busy.status, busy.header("retry-after")), (429, Some("1")));
    assert_eq!(get(&status_url).await.status, 202);
    assert_eq!(get(&status_url).await.status, 404);
    assert_eq!(post(&sandbox, &FIXED, &body(&inputs)).await.status, 202);
}

#[tokio::test]
async fn references_are_checked_when_the_script_says_so() {
    let line = r#"{"resourceType":"Observation","id":"o","subject":{"reference":"Patient/none"}}"#;
    let files = Files::serve("application/fhir+ndjson", &[("o", line)]).await;
    let inputs = [("Observation", format!("{}/o", files.base))];
    let sandbox = smart(json!({})).await;
    finish(&start(&sandbox, &inputs).await).await;
    assert_eq!(sandbox.stored(), 1);
    let strict = smart(json!({"referential_integrity": true})).await;
    let manifest = finish(&start(&strict, &inputs).await).await;
    let errors = get(manifest["error"][0]["url"].as_str().unwrap()).await;
    assert_eq!(errors.diagnostics(0), "line 1: Observation.subject refers to Patient/none, which does not exist");
    assert_eq!(strict.stored(), 0);
}

#[tokio::test]
async fn what_is_stored_can_be_read_counted_and_paged() {
    let sandbox = smart(json!({})).await;
    let lines: String = (10..35).map(|n| format!("{{\"resourceType\":\"Patient\",\"id\":\"p{n}\"}}\n")).collect();
    let files = Files::serve("application/fhir+ndjson", &[("p", &lines)]).await;
    finish(&start(&sandbox, &[("Patient", format!("{}/p", files.base))]).await).await;
    let base = sandbox.base_url();
    let read = get(&format!("{base}/Patient/p10")).await;
    assert_eq!(read.header("etag"), Some("W/\"1\""));
    assert_eq!(read.json()["meta"]["source"], "http://source.example");
    assert!(read.json()["meta"]["lastUpdated"].is_string());
    assert_eq!(get(&format!("{base}/Patient?_summary=count")).await.json()["total"], 25);
    let named = get(&format!("{base}/Patient?_id=p11,p12,none")).await.json();
    assert_eq!((&named["total"], &named["entry"][1]["resource"]["id"]), (&json!(2), &json!("p12")));
    let first = get(&format!("{base}/Patient")).await.json();
    assert_eq!(first["entry"].as_array().unwrap().len(), 20);
    let next = get(first["link"][1]["url"].as_str().unwrap()).await.json();
    assert_eq!((next["entry"].as_array().unwrap().len(), next["link"].as_array().unwrap().len()), (5, 1));
    assert_eq!(get(&format!("{base}/Patient/none")).await.json()["issue"][0]["code"], "not-found");
}

#[tokio::test]
async fn the_operation_is_advertised_with_its_parameters() {
    let sandbox = smart(json!({})).await;
    let statement = get(&format!("{}/metadata", sandbox.base_url())).await.json();
    assert_eq!(statement["software"]["name"], "fhir-import practice server");
    let advert = &statement["rest"][0]["operation"][0];
    assert_eq!(advert["name"], "import");
    let definition = get(advert["definition"].as_str().unwrap()).await.json();
    let names: Vec<_> = definition["parameter"].as_array().unwrap().iter().map(|one| &one["name"]).collect();
    assert_eq!(names, ["inputFormat", "inputSource", "input", "storageDetail"]);
    sandbox.set_script(serde_json::from_value(json!({"import_enabled": false})).unwrap());
    let statement = get(&format!("{}/metadata", sandbox.base_url())).await.json();
    assert!(statement["rest"][0].get("operation").is_none());
    assert_eq!(post(&sandbox, &FIXED, &body(&[])).await.status, 404);
}
