//! The manners of HealthLake, against its API reference and its guide.

use super::DATASTORE;
use crate::local::{Local, body};
use crate::{Fate, Personality};
use bytes::Bytes;
use hyper::Response;
use serde_json::{Value, json};

const HOST: &str = "http://127.0.0.1/";
const SIGNED: &str = "AWS4-HMAC-SHA256 Credential=AKID/20260101/us-east-1/healthlake/aws4_request, \
    SignedHeaders=host;x-amz-date, Signature=00";
const LINES: &str = "{\"resourceType\":\"Patient\",\"id\":\"a\"}\n{\"resourceType\":\"Patient\"}\n";

fn local(script: Value) -> Local {
    let files = [
        ("s3://in/batch/p.ndjson", LINES),
        ("s3://in/batch/g.ndjson", "{\"resourceType\":\"Group\",\"id\":\"g\"}\n"),
        ("s3://in/other.ndjson", LINES),
    ];
    Local::with_files(Personality::Healthlake, script, &files)
}

fn order(prefix: &str, token: Option<&str>) -> Value {
    let mut order = json!({"JobName": "load", "DatastoreId": DATASTORE, "InputDataConfig": {"S3Uri": prefix},
        "JobOutputDataConfig": {"S3Configuration": {"S3Uri": "s3://out/", "KmsKeyId": "arn:aws:kms:us-east-1:0:key/k"}},
        "DataAccessRoleArn": "arn:aws:iam::012345678910:role/DataAccessRole", "ValidationLevel": "strict"});
    if let Some(token) = token {
        order["ClientToken"] = token.into();
    }
    order
}

fn call(local: &Local, action: &str, body: &Value) -> Response<Bytes> {
    let target = format!("HealthLake.{action}FHIRImportJob");
    let target = if action == "List" { format!("{target}s") } else { target };
    let headers =
        [("Content-Type", "application/x-amz-json-1.0"), ("X-Amz-Target", &target), ("Authorization", SIGNED)];
    local.ask("POST", HOST, &headers, &body.to_string())
}

fn start(local: &Local, order: &Value) -> String {
    let started = call(local, "Start", order);
    assert_eq!(started.status(), 200);
    assert_eq!(body(&started)["JobStatus"], "SUBMITTED");
    body(&started)["JobId"].as_str().unwrap().to_owned()
}

fn describe(local: &Local, id: &str) -> Value {
    body(&call(local, "Describe", &json!({"DatastoreId": DATASTORE, "JobId": id})))["ImportJobProperties"].clone()
}

fn error(answer: &Response<Bytes>) -> (u16, String) {
    (answer.status().as_u16(), body(answer)["__type"].as_str().unwrap().to_owned())
}

#[test]
fn a_prefix_is_loaded_and_described() {
    let local = local(json!({}));
    let id = start(&local, &order("s3://in/batch/", None));
    let statuses: Vec<_> = (0..2).map(|_| describe(&local, &id)["JobStatus"].clone()).collect();
    assert_eq!(statuses, ["SUBMITTED", "IN_PROGRESS"]);
    local.clock.pass(500);
    let done = describe(&local, &id);
    let example: Value = serde_json::from_str(include_str!("recorded/describe.json")).unwrap();
    for name in example.as_object().unwrap().keys() {
        assert!(done.get(name).is_some(), "{name}");
    }
    for name in example["JobProgressReport"].as_object().unwrap().keys() {
        assert!(done["JobProgressReport"].get(name).is_some(), "{name}");
    }
    assert_eq!((&done["JobStatus"], done.get("Message")), (&json!("COMPLETED_WITH_ERRORS"), None));
    let report = &done["JobProgressReport"];
    assert_eq!(report["TotalNumberOfResourcesScanned"], 3);
    assert_eq!(report["TotalNumberOfResourcesImported"], 2);
    assert_eq!(report["TotalNumberOfResourcesWithCustomerError"], 1);
    assert_eq!((local.sandbox.stored(), local.sandbox.job_urls()), (2, vec![format!("{HOST}?JobId={id}")]));
    assert_eq!(done["SubmitTime"].to_string(), "1767225600.0");
}

#[test]
fn everything_good_is_completed_and_nothing_there_fails() {
    let local = local(json!({"polls_until_done": 0}));
    let good = start(&local, &order("s3://in/batch/g", None));
    assert_eq!(describe(&local, &good)["JobStatus"], "COMPLETED");
    let none = start(&local, &order("s3://in/none/", None));
    let failed = describe(&local, &none);
    assert_eq!((&failed["JobStatus"], failed["Message"].is_string()), (&json!("FAILED"), true));
    assert_eq!(local.sandbox.job_records()[1].fate, Fate::Failed);
}

#[test]
fn the_same_token_is_the_same_job() {
    let local = local(json!({}));
    let first = start(&local, &order("s3://in/batch/", Some("a-1")));
    assert_eq!(start(&local, &order("s3://in/batch/", Some("a-1"))), first);
    assert_ne!(start(&local, &order("s3://in/batch/", Some("a-2"))), first);
    assert_ne!(start(&local, &order("s3://in/batch/", None)), first);
    assert_eq!((local.sandbox.kick_offs(), local.sandbox.jobs()), (4, 3));
}

#[test]
fn one_job_runs_and_the_others_wait() {
    let local = local(json!({"job_ms": 1000}));
    let ids = [start(&local, &order("s3://in/batch/", None)), start(&local, &order("s3://in/batch/", None))];
    ids.iter().for_each(|id| drop(describe(&local, id)));
    let statuses = ids.each_ref().map(|id| describe(&local, id)["JobStatus"].clone());
    assert_eq!(statuses, ["IN_PROGRESS", "QUEUED"]);
}

#[test]
fn what_the_model_forbids_is_a_validation_error() {
    let local = local(json!({"max_concurrent": 1}));
    let with = |path: &str, value: Value| {
        let mut order = order("s3://in/batch/", Some("t"));
        *order.pointer_mut(path).unwrap() = value;
        error(&call(&local, "Start", &order))
    };
    let invalid = (400, "ValidationException".to_owned());
    assert_eq!(with("/InputDataConfig/S3Uri", json!("http://in/batch/")), invalid);
    assert_eq!(with("/JobOutputDataConfig/S3Configuration/KmsKeyId", Value::Null), invalid);
    assert_eq!(with("/DataAccessRoleArn", json!("arn:aws:iam::1:role/x")), invalid);
    assert_eq!(with("/ClientToken", json!("a_b")), invalid);
    assert_eq!(with("/ValidationLevel", json!("none")), invalid);
    assert_eq!(with("/DatastoreId", json!("other")), (400, "ResourceNotFoundException".to_owned()));
    assert_eq!(local.sandbox.jobs(), 0);
    start(&local, &order("s3://in/batch/", None));
    let busy = call(&local, "Start", &order("s3://in/batch/", None));
    assert_eq!(error(&busy), (400, "ThrottlingException".to_owned()));
    let unknown = call(&local, "Describe", &json!({"DatastoreId": DATASTORE, "JobId": "0"}));
    assert_eq!(error(&unknown), (400, "ResourceNotFoundException".to_owned()));
}

#[test]
fn a_call_needs_a_signature_for_this_service_and_a_known_action() {
    let local = local(json!({}));
    let ask = |target: &str, authorization: &str| {
        let headers = [
            ("Content-Type", "application/x-amz-json-1.0"),
            ("X-Amz-Target", target),
            ("Authorization", authorization),
        ];
        error(&local.ask("POST", HOST, &headers, "{}"))
    };
    let target = "HealthLake.StartFHIRImportJob";
    assert_eq!(ask(target, "Bearer t"), (403, "MissingAuthenticationTokenException".to_owned()));
    assert_eq!(ask(target, &SIGNED.replace("healthlake", "s3")), (403, "InvalidSignatureException".to_owned()));
    assert_eq!(ask("HealthLake.CancelFHIRImportJob", SIGNED), (400, "UnknownOperationException".to_owned()));
    assert_eq!(local.sandbox.kick_offs(), 0);
}

#[test]
fn where_the_script_has_a_key_the_signature_is_checked() {
    let local = local(json!({"require_sigv4": {"access_key": "AKID", "secret": "s"}}));
    let base = local.sandbox.base_url();
    assert_eq!(local.get(&format!("{base}/Patient")).status(), 403);
    let signed = |digest: &str, date: &str| {
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential=AKID/20260101/us-east-1/healthlake/aws4_request, \
             SignedHeaders=host;x-amz-date, Signature={digest}"
        );
        let headers = [("Host", "127.0.0.1"), ("X-Amz-Date", date), ("Authorization", &authorization)];
        local.ask("GET", &format!("{base}/Patient?_summary=count"), &headers, "").status().as_u16()
    };
    // Made with a signer of its own: Python's hmac and hashlib, by the steps of the documentation.
    let digest = include_str!("recorded/signature.txt").trim();
    assert_eq!(signed(digest, "20260101T000000Z"), 200);
    assert_eq!(signed(&digest.replace('a', "b"), "20260101T000000Z"), 403);
    assert_eq!(signed(digest, "20260101T001501Z"), 403);
}

#[test]
fn the_list_has_pages_and_filters() {
    let local = local(json!({"list_lag_ms": 1000, "polls_until_done": 1}));
    let ids: Vec<_> = (0..3).map(|_| start(&local, &order("s3://in/batch/g", None))).collect();
    let list = |query: Value| {
        let mut full = json!({"DatastoreId": DATASTORE});
        full.as_object_mut().unwrap().extend(query.as_object().unwrap().clone());
        body(&call(&local, "List", &full))
    };
    assert_eq!(list(json!({})), json!({"ImportJobPropertiesList": []}));
    local.clock.pass(1000);
    describe(&local, &ids[0]);
    let first = list(json!({"MaxResults": 2}));
    assert_eq!((first["ImportJobPropertiesList"].as_array().unwrap().len(), &first["NextToken"]), (2, &json!("2")));
    let second = list(json!({"MaxResults": 2, "NextToken": "2"}));
    assert_eq!((&second["ImportJobPropertiesList"][0]["JobId"], second.get("NextToken")), (&json!(ids[2]), None));
    let ended = list(json!({"JobStatus": "COMPLETED"}));
    assert_eq!(ended["ImportJobPropertiesList"][0]["JobId"], ids[0].as_str());
    assert_eq!(ended["ImportJobPropertiesList"].as_array().unwrap().len(), 1);
    assert_eq!(list(json!({"JobName": "other"}))["ImportJobPropertiesList"], json!([]));
}
