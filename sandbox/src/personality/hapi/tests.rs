//! The recorded cases of HAPI 8.8.0, played against this server.

use crate::probe::{Answer, Files, get, sandbox, send};
use crate::{Endpoint, Personality, Sandbox, Script};
use serde_json::{Value, json};

const FHIR: (&str, &str) = ("Content-Type", "application/fhir+json");
const ASYNC: (&str, &str) = ("Prefer", "respond-async");
const POLL_TYPE: &str = "application/json+fhir;charset=iso-8859-1";

async fn hapi(script: Value) -> Sandbox {
    let script: Script = serde_json::from_value(script).unwrap();
    sandbox(Personality::Hapi, script).await
}

fn body(inputs: &[(&str, String)]) -> String {
    let input = |(kind, url): &(&str, String)| {
        let part = json!([{"name": "type", "valueCode": kind}, {"name": "url", "valueUri": url}]);
        json!({"name": "input", "part": part})
    };
    let mut parameters = vec![json!({"name": "inputFormat", "valueCode": "application/fhir+ndjson"})];
    parameters.extend(inputs.iter().map(input));
    json!({"resourceType": "Parameters", "parameter": parameters}).to_string()
}

async fn post(sandbox: &Sandbox, headers: &[(&str, &str)], body: &str) -> Answer {
    send("POST", &format!("{}/$import", sandbox.base_url()), headers, body).await.unwrap()
}

/// Starts a job with one file and polls until it is over. All answers to polls.
async fn import(sandbox: &Sandbox, kind: &str, url: String) -> Vec<Answer> {
    let accepted = post(sandbox, &[FHIR, ASYNC], &body(&[(kind, url)])).await;
    assert_eq!(accepted.status, 202);
    let status_url = accepted.header("content-location").unwrap().to_owned();
    let mut polls = vec![get(&status_url).await];
    while polls.last().unwrap().status == 202 {
        polls.push(get(&status_url).await);
    }
    polls
}

async fn import_lines(sandbox: &Sandbox, kind: &str, lines: &str) -> Answer {
    let files = Files::serve("application/fhir+ndjson", &[("f.ndjson", lines)]).await;
    import(sandbox, kind, format!("{}/f.ndjson", files.base)).await.pop().unwrap()
}

#[tokio::test]
async fn a_good_import_goes_through_the_recorded_states() {
    let sandbox = hapi(json!({})).await;
    let files = Files::serve(
        "application/fhir+ndjson",
        &[
            ("p", "{\"resourceType\":\"Patient\",\"id\":\"p1\"}\n\n{\"resourceType\":\"Patient\"}\n"),
            ("o", r#"{"resourceType":"Observation","id":"o1","subject":{"reference":"Patient/p1"}}"#),
        ],
    )
    .await;
    let (patients, observations) = (format!("{}/p", files.base), format!("{}/o", files.base));
    let order = body(&[("Observation", observations.clone()), ("Patient", patients.clone())]);
    let accepted = post(&sandbox, &[FHIR, ASYNC], &order).await;
    assert_eq!(accepted.header("content-type"), Some("application/json+fhir; charset=UTF-8"));
    assert!(accepted.diagnostics(0).starts_with("Bulk import job has been submitted with ID: "));
    let status_url = accepted.header("content-location").unwrap().to_owned();
    assert!(status_url.starts_with(&format!("{}/$import-poll-status?_jobId=", sandbox.base_url())));

    let queued = get(&status_url).await;
    assert_eq!((queued.status, queued.header("retry-after")), (202, Some("120")));
    assert_eq!(queued.header("content-type"), Some(POLL_TYPE));
    assert_eq!((queued.header("transfer-encoding"), queued.header("content-length")), (Some("chunked"), None));
    assert!(queued.header("x-progress").unwrap().ends_with(" and is in QUEUED state."));
    assert!(queued.json()["issue"][0].get("code").is_none());

    let running = get(&status_url).await.header("x-progress").unwrap().to_owned();
    assert!(
        running.ends_with("is in IN_PROGRESS state. Current completion: 0.0% and ETA is null") && running.len() > 100
    );

    let done = get(&status_url).await;
    assert_eq!((done.status, done.header("content-type")), (200, Some(POLL_TYPE)));
    let report: Value = serde_json::from_str(&done.diagnostics(0)).unwrap();
    let report = report["reportMsg"].as_str().unwrap();
    assert!(report.contains("\nStorage Actions : 3 ("));
    assert!(report.contains(&format!("Source: {observations}\n  Outcomes:\n    * SUCCESSFUL_UPDATE_AS_CREATE: 1\n")));
    assert!(report.contains("    * SUCCESSFUL_CREATE: 1\n    * SUCCESSFUL_UPDATE_AS_CREATE: 1\n"));
    assert_eq!((sandbox.stored(), sandbox.stored_of("Patient")), (3, 2));
    assert_eq!((sandbox.kick_offs(), sandbox.jobs(), sandbox.polls(), sandbox.deletes()), (1, 1, 3, 0));
    assert_eq!((files.asked("p").len(), files.asked("o").len()), (2, 2));
    assert!(files.asked("p")[0].contains("accept: application/fhir+ndjson\r\n"));
}

#[tokio::test]
async fn kick_offs_are_refused_in_the_recorded_words() {
    let sandbox = hapi(json!({})).await;
    let url = ("Patient", "http://127.0.0.1:9/f".to_owned());
    let good = body(&[url]);
    let no_format = good.replace("inputFormat", "other");
    let no_type = good.replace("\"name\":\"type\"", "\"name\":\"kind\"");
    let no_url = good.replace("\"name\":\"url\"", "\"name\":\"link\"");
    let smart = r#"{"inputFormat":"application/fhir+ndjson","input":[]}"#.to_owned();
    let cases = [
        (&good, vec![FHIR], "HAPI-0513: Must request async processing for $import"),
        (&no_format, vec![FHIR, ASYNC], "HAPI-2048: Input format must be \"application/fhir+ndjson\""),
        (&body(&[]), vec![FHIR, ASYNC], "HAPI-1769: No URLs specified"),
        (&no_type, vec![FHIR, ASYNC], "HAPI-1765: Missing type for input"),
        (&no_url, vec![FHIR, ASYNC], "HAPI-1765: Missing url for input"),
        (
            &smart,
            vec![ASYNC],
            "HAPI-0450: Failed to parse request body as JSON resource. Error was: HAPI-1838: \
            Invalid JSON content detected, missing required element: 'resourceType'",
        ),
    ];
    for (body, headers, words) in cases {
        let refused = post(&sandbox, &headers, body).await;
        assert_eq!((refused.status, refused.diagnostics(0).as_str()), (400, words));
        assert_eq!(refused.header("content-type"), Some("application/fhir+json;charset=utf-8"));
        assert_eq!(refused.json()["issue"][0]["code"], "processing");
    }
    assert_eq!((sandbox.kick_offs(), sandbox.jobs()), (6, 0));
}

#[tokio::test]
async fn other_preferences_and_other_primitives_are_accepted() {
    let sandbox = hapi(json!({})).await;
    let order = body(&[("Patient", "http://127.0.0.1:9/f".to_owned())]);
    let order = order.replace("valueUri", "valueUrl").replace("valueCode", "valueString");
    let accepted = post(&sandbox, &[FHIR, ("Prefer", "respond-async, handling=lenient")], &order).await;
    assert_eq!(accepted.status, 202);
}

#[tokio::test]
async fn a_malformed_line_fails_the_job_and_keeps_its_neighbours_out() {
    let sandbox = hapi(json!({})).await;
    let lines = "{\"resourceType\":\"Patient\",\"id\":\"m1\"}\n{\"resourceType\":\"Patient\",\"id\":\"m2\"\n";
    let failed = import_lines(&sandbox, "Patient", lines).await;
    assert_eq!(failed.status, 500);
    assert_eq!(
        failed.diagnostics(0),
        "Job is in FAILED state with 1 error count. Last error: \
         ca.uhn.fhir.batch2.api.JobExecutionFailedException: HAPI-2674: Failed to parse resource: \
         ca.uhn.fhir.parser.DataFormatException: HAPI-1861: Failed to parse JSON encoded FHIR content: \
         Unexpected end-of-input within/between Object entries\n at [line: 1, column: 35]"
    );
    assert_eq!(failed.json()["issue"][1], json!({"severity": "error"}));
    assert_eq!(sandbox.stored(), 0);
}

#[tokio::test]
async fn chunks_before_a_malformed_one_are_stored() {
    let sandbox = hapi(json!({})).await;
    let files = Files::serve("text/plain", &[("f", "{\"resourceType\":\"Patient\",\"id\":\"a\"}\nnonsense\n")]).await;
    let mut order: Value = serde_json::from_str(&body(&[("Patient", format!("{}/f", files.base))])).unwrap();
    order["parameter"].as_array_mut().unwrap().push(json!({"name": "storageDetail", "part": [
        {"name": "credentialHttpBasic", "valueString": "user:pass"},
        {"name": "maxBatchResourceCount", "valueString": "1"}]}));
    let accepted = post(&sandbox, &[FHIR, ASYNC], &order.to_string()).await;
    sandbox.set_script(Script { polls_until_done: 0, ..Script::default() });
    assert_eq!(get(accepted.header("content-location").unwrap()).await.status, 500);
    assert_eq!(sandbox.stored(), 1);
    assert!(files.asked("f")[0].contains("authorization: Basic dXNlcjpwYXNz\r\n"));
}

#[tokio::test]
async fn unknown_types_and_codes_fail_the_job() {
    let sandbox = hapi(json!({})).await;
    let failed = import_lines(&sandbox, "Nonsense", r#"{"resourceType":"Nonsense","id":"n"}"#).await;
    assert!(
        failed
            .diagnostics(0)
            .ends_with("HAPI-1684: Unknown resource name \"Nonsense\" (this name is not known in FHIR version \"R4\")")
    );
    let failed = import_lines(&sandbox, "Patient", r#"{"resourceType":"Patient","gender":"notagender"}"#).await;
    assert!(failed.diagnostics(0).ends_with(
        "HAPI-1821: [element=\"gender\"] Invalid attribute value \"notagender\": \
         Unknown AdministrativeGender code 'notagender'"
    ));
}

#[tokio::test]
async fn a_missing_reference_fails_the_job_that_has_stored_the_rest() {
    let lines = "{\"resourceType\":\"Observation\",\"id\":\"r1\",\"subject\":{\"reference\":\"Patient/none\"}}\n\
                 {\"resourceType\":\"Observation\",\"id\":\"r2\"}\n";
    let sandbox = hapi(json!({})).await;
    let failed = import_lines(&sandbox, "Observation", lines).await;
    assert_eq!(failed.status, 500);
    assert_eq!(
        failed.diagnostics(0),
        "Job is in FAILED state with 0 error count. Last error: HAPI-2673: Job completed with at least one failure"
    );
    let report: Value = serde_json::from_str(&failed.diagnostics(1)).unwrap();
    let report = report["reportMsg"].as_str().unwrap();
    assert!(report.ends_with(
        "  Outcomes:\n    * SUCCESSFUL_UPDATE_AS_CREATE: 1\n    * FAILURE: 1\n  Errors:\n    \
         * HAPI-1094: Resource Patient/none not found, specified in path: Observation.subject\n"
    ));
    let missing = get(&format!("{}/Observation/r1", sandbox.base_url())).await;
    assert_eq!(
        (missing.status, missing.diagnostics(0).as_str()),
        (404, "HAPI-2001: Resource Observation/r1 is not known")
    );
    assert_eq!(get(&format!("{}/Observation/r2", sandbox.base_url())).await.header("etag"), Some("W/\"1\""));

    let lenient = hapi(json!({"referential_integrity": false})).await;
    assert_eq!(import_lines(&lenient, "Observation", lines).await.status, 200);
    assert_eq!(lenient.stored(), 2);
}

#[tokio::test]
async fn a_duplicate_is_the_second_version_and_an_empty_file_is_fine() {
    let sandbox = hapi(json!({})).await;
    let lines =
        "{\"resourceType\":\"Patient\",\"id\":\"d\"}\n{\"resourceType\":\"Patient\",\"id\":\"d\",\"active\":true}\n";
    let done = import_lines(&sandbox, "Patient", lines).await;
    assert!(done.diagnostics(0).contains(r"* SUCCESSFUL_UPDATE: 1\n    * SUCCESSFUL_UPDATE_AS_CREATE: 1"));
    let read = get(&format!("{}/Patient/d", sandbox.base_url())).await;
    assert_eq!((read.header("etag"), &read.json()["active"]), (Some("W/\"2\""), &json!(true)));
    let done = import_lines(&sandbox, "Patient", "").await;
    assert_eq!(done.status, 200);
    assert!(done.diagnostics(0).contains(r"Storage Actions : 0 (0/sec)\n"));
}

#[tokio::test]
async fn files_that_cannot_be_fetched_fail_the_job_at_once_or_after_retries() {
    let sandbox = hapi(json!({"polls_until_done": 1})).await;
    let files = Files::serve("application/octet-stream", &[("bin", "")]).await;
    let url = format!("{}/nope", files.base);
    let polls = import(&sandbox, "Patient", url.clone()).await;
    assert_eq!(polls.len(), 2);
    assert!(polls[1].diagnostics(0).ends_with(&format!("HAPI-2056: Received HTTP 404 from URL: {url}")));

    let polls = import(&sandbox, "Patient", format!("{}/bin", files.base)).await;
    assert_eq!(polls.iter().map(|poll| poll.status).collect::<Vec<_>>(), [202, 202, 202, 202, 500]);
    assert!(polls[1].diagnostics(0).ends_with("ERRORED state. Current completion: 0.0% and ETA is 106751991167 days"));
    let last = polls[4].diagnostics(0);
    assert!(last.contains("with 4 error count. Last error: Too many errors: 4. Last err msg Received content type"));
    assert_eq!(files.asked("bin").len(), 4);

    let polls = import(&sandbox, "Patient", "http://127.0.0.1:9/x".to_owned()).await;
    let last = polls[4].diagnostics(0);
    assert!(last.ends_with("HAPI-2054: Connect to 127.0.0.1:9 [/127.0.0.1] failed: Connection refused"));
}

#[tokio::test]
async fn odd_polls_are_answered_as_recorded() {
    let sandbox = hapi(json!({})).await;
    let poll = format!("{}/$import-poll-status", sandbox.base_url());
    let none = get(&poll).await;
    assert_eq!(none.status, 500);
    assert!(none.diagnostics(0).starts_with("HAPI-0389: Failed to call access method"));
    let unknown = get(&format!("{poll}?_jobId=0")).await;
    let words = "HAPI-2040: Unknown instance ID: 0. Please check if the input job ID is valid.";
    assert_eq!((unknown.status, unknown.diagnostics(0).as_str()), (404, words));
    let deleted = send("DELETE", &format!("{poll}?_jobId=0"), &[], "").await.unwrap();
    assert_eq!((deleted.status, deleted.header("allow")), (405, Some("POST,GET")));
    assert!(deleted.diagnostics(0).starts_with("HAPI-0427: HTTP Method DELETE is not allowed"));
    let head = send("HEAD", &poll, &[], "").await.unwrap();
    assert_eq!((head.status, head.body.len()), (400, 0));
    let id = r#"{"resourceType":"Parameters","parameter":[{"name":"_jobId","valueString":"0"}]}"#;
    assert_eq!(send("POST", &poll, &[FHIR], id).await.unwrap().status, 404);
    assert_eq!((sandbox.polls(), sandbox.deletes()), (3, 1));
}

#[tokio::test]
async fn what_is_not_an_operation_is_said_to_be_unknown() {
    let sandbox = hapi(json!({})).await;
    let base = sandbox.base_url();
    let read = get(&format!("{base}/$import")).await;
    assert_eq!((read.status, read.header("allow")), (405, Some("POST")));
    assert!(read.diagnostics(0).starts_with("HAPI-0426: HTTP Method GET is not allowed"));
    let typed = send("POST", &format!("{base}/Patient/$import"), &[FHIR], "{}").await.unwrap();
    assert_eq!((typed.status, typed.json()["issue"][0]["code"].as_str()), (400, Some("not-supported")));
    assert!(typed.diagnostics(0).ends_with("handle POST operation[Patient/$import] with parameters [[]]"));
    assert_eq!(get(&format!("{base}/Nonsense")).await.status, 404);
    assert_eq!(get(&format!("{base}/Patient?shoe=1")).await.status, 400);
    assert_eq!(typed.header("x-powered-by"), Some("HAPI FHIR 8.8.0 REST Server (FHIR Server; FHIR 4.0.1/R4)"));
}

#[tokio::test]
async fn the_statement_names_both_operations_and_their_local_definitions() {
    let sandbox = hapi(json!({})).await;
    let base = sandbox.base_url();
    let statement = get(&format!("{base}/metadata")).await.json();
    assert_eq!(statement["software"]["name"], "HAPI FHIR Server");
    let operations = &statement["rest"][0]["operation"];
    let definition = |name| json!({"name": name, "definition": format!("{base}/OperationDefinition/-s-{name}")});
    assert_eq!((&operations[0], &operations[1]), (&definition("import-poll-status"), &definition("import")));
    let definition = get(operations[1]["definition"].as_str().unwrap()).await.json();
    assert_eq!((&definition["code"], definition.get("parameter")), (&json!("import"), None));
}

#[tokio::test]
async fn a_server_without_bulk_import_neither_offers_nor_knows_it() {
    let sandbox = hapi(json!({"import_enabled": false})).await;
    let statement = String::from_utf8(get(&format!("{}/metadata", sandbox.base_url())).await.body).unwrap();
    assert!(!statement.contains("-s-import"));
    let refused = post(&sandbox, &[FHIR, ASYNC], &body(&[("Patient", "http://127.0.0.1:9/f".to_owned())])).await;
    assert_eq!((refused.status, refused.json()["issue"][0]["code"].as_str()), (400, Some("not-supported")));
    assert_eq!(
        refused.diagnostics(0),
        "Invalid request: The FHIR endpoint on this server does not know how to handle POST operation[$import] \
         with parameters [[]]"
    );
    sandbox.set_script(serde_json::from_value(json!({"metadata_without_import": true})).unwrap());
    let statement = String::from_utf8(get(&format!("{}/metadata", sandbox.base_url())).await.body).unwrap();
    assert!(!statement.contains("-s-import"));
}

#[tokio::test]
async fn rejections_and_lies_show_in_the_report_and_the_store() {
    let lines = "{\"resourceType\":\"Patient\",\"id\":\"a\"}\n{\"resourceType\":\"Patient\",\"id\":\"b\"}\n";
    let sandbox = hapi(json!({"reject_ids": ["a"]})).await;
    let failed = import_lines(&sandbox, "Patient", lines).await;
    assert!(failed.diagnostics(1).contains("Patient/a is rejected by the script"));
    assert_eq!((failed.status, sandbox.stored()), (500, 1));
    let liar = hapi(json!({"lie_drop": 1, "lie_count": 40})).await;
    let done = import_lines(&liar, "Patient", lines).await;
    assert!(done.diagnostics(0).contains("SUCCESSFUL_UPDATE_AS_CREATE: 42"));
    assert_eq!((done.status, liar.stored()), (200, 1));
}

#[tokio::test]
async fn the_log_has_the_request_as_it_was() {
    let sandbox = hapi(json!({})).await;
    let order = body(&[]);
    post(&sandbox, &[FHIR, ASYNC], &order).await;
    let log = sandbox.log();
    assert_eq!((log[0].method.as_str(), log[0].path_and_query.as_str()), ("POST", "/fhir/$import"));
    assert_eq!((log[0].header("prefer"), log[0].body.as_slice()), (Some("respond-async"), order.as_bytes()));
    assert_eq!((log[0].endpoint, log[0].status), (Some(Endpoint::KickOff), Some(400)));
}

#[tokio::test]
async fn smile_cdr_is_hapi_under_another_name_and_looks_at_the_storage() {
    let sandbox = crate::probe::sandbox(crate::Personality::Smile, crate::Script::default()).await;
    let statement = get(&format!("{}/metadata", sandbox.base_url())).await;
    assert_eq!(statement.json()["software"]["name"], "Smile CDR");
    assert_eq!(statement.header("x-powered-by"), None);
    let storage = |kind: &str| json!({"name": "storageDetail", "part": [{"name": "type", "valueCode": kind}]});
    for (kind, status) in [("aws-s3", 400), ("http", 202), ("https", 202)] {
        let mut order: Value = serde_json::from_str(&body(&[("Patient", "http://127.0.0.1:9/f".to_owned())])).unwrap();
        let parameters = order["parameter"].as_array_mut().unwrap();
        parameters.retain(|parameter| parameter["name"] != "storageDetail");
        parameters.push(storage(kind));
        assert_eq!(post(&sandbox, &[FHIR, ASYNC], &order.to_string()).await.status, status, "{kind}");
    }
}
