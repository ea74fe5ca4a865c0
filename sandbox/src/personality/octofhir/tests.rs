//! The recorded answers of `OctoFHIR`, compared byte by byte.

use crate::local::{Local, body};
use crate::recorded::{assert_recorded, assert_recorded_bytes};
use crate::{Fate, Personality};
use bytes::Bytes;
use hyper::Response;
use serde_json::{Value, json};

/// Where the recorded server and its files were, and when it wrote the last of its times.
const BASE: (&str, &str) = ("http://127.0.0.1:18506", "http://127.0.0.1");
const FILES: (&str, &str) = ("http://127.0.0.1:18500/bad/", "http://files/");
const START: &str = "2026-01-01T00:00:00.000000+00:00";

fn octo(script: Value, files: &[(&str, &str)]) -> Local {
    Local::new(Personality::Octofhir, script, files)
}

fn order(inputs: &[(&str, &str)]) -> String {
    let input = |(kind, file): &(&str, &str)| {
        json!({"name": "input", "part": [{"name": "type", "valueString": kind},
            {"name": "url", "valueUrl": format!("http://files/{file}")}]})
    };
    let mut parameters = vec![json!({"name": "inputFormat", "valueCode": "application/fhir+ndjson"})];
    parameters.extend(inputs.iter().map(input));
    json!({"resourceType": "Parameters", "parameter": parameters}).to_string()
}

fn post(local: &Local, order: &str) -> Response<Bytes> {
    let url = format!("{}/$import", local.sandbox.base_url());
    local.ask("POST", &url, &[("Content-Type", "application/fhir+json")], order)
}

fn start(local: &Local, inputs: &[(&str, &str)]) -> String {
    let accepted = post(local, &order(inputs));
    assert_eq!(accepted.status(), 200);
    body(&accepted)["status_url"].as_str().unwrap().to_owned()
}

fn id(status_url: &str) -> &str {
    status_url.rsplit('/').next().unwrap()
}

/// The result of an import that is over at once.
fn result(files: &[(&str, &str)], inputs: &[(&str, &str)]) -> Response<Bytes> {
    let local = octo(json!({"polls_until_done": 0}), files);
    local.get(&format!("{}/result", start(&local, inputs)))
}

fn cut(length: usize) -> String {
    format!("{{\"{}\": \n", "k".repeat(length - 5))
}

fn patient(id: &str) -> String {
    format!("{{\"resourceType\":\"Patient\",\"id\":\"{id}\"}}\n")
}

#[test]
fn a_good_import_goes_through_the_recorded_answers() {
    let lines = patient("p1");
    let local = octo(json!({}), &[("Patient.ndjson", &lines)]);
    let accepted = post(&local, &order(&[("Patient", "Patient.ndjson")]));
    let url = body(&accepted)["status_url"].as_str().unwrap().to_owned();
    let job = ("ea800100-7a1b-487a-9ac6-609e994f76fb", id(&url));
    assert_recorded_bytes(&accepted, include_str!("recorded/accepted.txt"), &[BASE, job]);
    assert_eq!(url, format!("{}/_async-status/{}", local.sandbox.base_url(), job.1));
    let times = [
        ("2026-11-23T05:37:43.749931+00:00", START),
        ("2026-11-23T05:37:43.762476+00:00", START),
        ("2026-11-24T05:37:43.749931+00:00", "2026-01-02T00:00:00.000000+00:00"),
        ("2026-11-23T05:37:46.378437+00:00", START),
        job,
    ];
    assert_recorded_bytes(&local.get(&url), include_str!("recorded/running.txt"), &times);
    assert_recorded_bytes(&local.get(&format!("{url}/result")), include_str!("recorded/too-early.txt"), &[]);
    assert_eq!(local.poll(&url, 1), [202]);
    assert_recorded_bytes(&local.get(&url), include_str!("recorded/completed.txt"), &times);
    assert_eq!(
        body(&local.get(&format!("{url}/result"))),
        json!({"errors": [], "total_created": 1, "total_errors": 0})
    );
}

#[test]
fn bad_lines_are_rows_with_a_number_that_leaves_out_blank_lines() {
    let file = format!("{}{}{}", patient("a"), cut(48), patient("c"));
    let answer = result(&[("malformed.ndjson", &file)], &[("Patient", "malformed.ndjson")]);
    assert_recorded_bytes(&answer, include_str!("recorded/malformed.txt"), &[FILES]);
    let blank = format!("\n{}\n{}{}", patient("a"), cut(26), patient("b"));
    let invalid = "{\"resourceType\":\"Patient\",\"id\":\"i\",\"gender\":\"purplish\",\"birthDate\":\"not-a-date\"}\n\
        {\"resourceType\":\"Patient\",\"id\":\"f\"}\n{\"resourceType\":\"NotAType\",\"id\":\"n\"}\n{\"id\":\"t\"}\n";
    let files = [
        ("blank.ndjson", blank.as_str()),
        ("wrongtype.ndjson", "{\"resourceType\":\"Observation\",\"id\":\"w\"}\n"),
        ("noid.ndjson", "{\"resourceType\":\"Patient\"}\n"),
        ("invalid.ndjson", invalid),
        ("bom.ndjson", "\u{feff}{}\n"),
        ("empty.ndjson", ""),
    ];
    let inputs = files.map(|(name, _)| ("Patient", name));
    // An element that FHIR does not know was a sixth row there: this server knows no elements.
    let unknown = ",{\"error\":\"Validation failed: Unknown element 'frobnicate'\",\"line\":2,\"source\":\"http://files/invalid.ndjson\"}";
    let counts = [("\"total_created\":5,\"total_errors\":7", "\"total_created\":4,\"total_errors\":6")];
    assert_recorded_bytes(
        &result(&files, &inputs),
        include_str!("recorded/bad-lines.txt"),
        &[FILES, (unknown, ""), counts[0]],
    );
}

#[test]
fn references_are_checked_against_what_came_before() {
    let line = |target: &str| {
        format!("{{\"resourceType\":\"Observation\",\"id\":\"o\",\"subject\":{{\"reference\":\"{target}\"}}}}\n")
    };
    let (missing, order_of) = (line("Patient/does-not-exist"), line("Patient/order-pat"));
    let answer = result(&[("missref.ndjson", &missing)], &[("Observation", "missref.ndjson")]);
    assert_recorded_bytes(&answer, include_str!("recorded/missing-reference.txt"), &[FILES]);
    let target = patient("order-pat");
    let files = [("order-obs.ndjson", order_of.as_str()), ("order-pat.ndjson", target.as_str())];
    let answer = result(&files, &[("Observation", "order-obs.ndjson"), ("Patient", "order-pat.ndjson")]);
    assert_recorded_bytes(&answer, include_str!("recorded/order.txt"), &[FILES]);
    let other_way = result(&files, &[("Patient", "order-pat.ndjson"), ("Observation", "order-obs.ndjson")]);
    assert_eq!(body(&other_way)["total_errors"], 0);
}

#[test]
fn a_missing_file_is_a_row_and_a_silent_file_server_the_end_of_the_job() {
    let lines = patient("u");
    let missing = json!({"stores": {}, "polls_until_done": 0});
    let urls = json!({"input": [{"type": "Patient", "url": "s3://files/nosuch.ndjson"}, {"type": "Patient", "url": "http://files/utf8.ndjson"}]});
    let local = octo(missing, &[("utf8.ndjson", &lines)]);
    let url = body(&post(&local, &urls.to_string()))["status_url"].as_str().unwrap().to_owned();
    let answer = local.get(&format!("{url}/result"));
    // Without a network only a store can refuse a file.
    let there = ("http://127.0.0.1:18500/bad/nosuch", "s3://files/nosuch");
    assert_recorded_bytes(&answer, include_str!("recorded/missing-file.txt"), &[there]);
    let url = start(&local, &[("Patient", "x.ndjson"), ("Patient", "utf8.ndjson")]);
    let there = ("http://127.0.0.1:9/", "http://files/");
    assert_recorded(&local.get(&format!("{url}/result")), include_str!("recorded/failed-result.txt"), &[there]);
    let times = [
        ("2026-11-23T05:37:57.258040+00:00", START),
        ("2026-11-23T05:37:57.188901+00:00", START),
        ("2026-11-24T05:37:57.188901+00:00", "2026-01-02T00:00:00.000000+00:00"),
        ("7d31f22d-3460-4a2b-8372-9dc6fe433805", id(&url)),
        there,
    ];
    assert_recorded_bytes(&local.get(&url), include_str!("recorded/failed.txt"), &times);
}

#[test]
fn kick_offs_are_refused_in_the_recorded_words() {
    let local = octo(json!({}), &[]);
    let good = order(&[("Patient", "p")]);
    let cases = [
        (good.replace("\"type\",\"valueString\"", "\"type\",\"valueCode\""), include_str!("recorded/type-as-code.txt")),
        (good.replace("valueUrl", "valueUri"), include_str!("recorded/type-as-code.txt")),
        (order(&[]), include_str!("recorded/no-input.txt")),
        ("{}".to_owned(), include_str!("recorded/empty-json.txt")),
        ("garbage".to_owned(), include_str!("recorded/garbage.txt")),
    ];
    for (order, recorded) in cases {
        assert_recorded_bytes(&post(&local, &order), recorded, &[]);
    }
    let url = format!("{}/$import", local.sandbox.base_url());
    assert_recorded_bytes(&local.get(&url), include_str!("recorded/get.txt"), &[]);
    let ndjson = local.ask("POST", &url, &[("Content-Type", "application/fhir+ndjson")], "{}");
    assert_recorded_bytes(&ndjson, include_str!("recorded/ndjson.txt"), &[]);
    let at_the_root =
        local.ask("POST", "http://127.0.0.1/$import", &[("Content-Type", "application/fhir+json")], &good);
    assert_recorded_bytes(&at_the_root, include_str!("recorded/at-the-root.txt"), &[]);
    assert_eq!(local.sandbox.jobs(), 0);
}

#[test]
fn validation_is_skipped_only_where_the_real_one_looks() {
    let line = "{\"resourceType\":\"Observation\",\"id\":\"o\",\"subject\":{\"reference\":\"Patient/none\"}}\n";
    let errors = |order: Value| {
        let local = octo(json!({"polls_until_done": 0}), &[("o", line)]);
        let url = body(&post(&local, &order.to_string()))["status_url"].as_str().unwrap().to_owned();
        body(&local.get(&format!("{url}/result")))["total_errors"].as_u64().unwrap()
    };
    let input = json!([{"type": "Observation", "url": "http://files/o"}]);
    assert_eq!(errors(json!({"skipValidation": true, "input": input})), 1);
    let mut parameters: Value = serde_json::from_str(&order(&[("Observation", "o")])).unwrap();
    parameters["skipValidation"] = true.into();
    assert_eq!(errors(parameters), 0);
}

#[test]
fn a_cancelled_job_says_so_and_then_ends_all_the_same() {
    let local = octo(json!({}), &[]);
    let url = local.sandbox.foreign_job();
    assert_eq!(local.poll(&url, 1), [202]);
    local.clock.pass(3_064);
    assert_recorded_bytes(&local.ask("DELETE", &url, &[], ""), include_str!("recorded/deleted.txt"), &[]);
    let times = [
        ("2026-11-23T05:38:48.139994+00:00", START),
        ("2026-11-24T05:38:48.139994+00:00", "2026-01-02T00:00:00.000000+00:00"),
        ("2026-11-23T05:38:51.203742+00:00", "2026-01-01T00:00:03.064000+00:00"),
        ("806e6689-506a-49f1-b4df-36c7edac07dd", id(&url)),
    ];
    let result = local.get(&format!("{url}/result"));
    assert_recorded_bytes(&result, include_str!("recorded/cancelled-result.txt"), &[]);
    assert_recorded_bytes(&local.get(&url), include_str!("recorded/cancelled.txt"), &times);
    assert_eq!((local.delete(&url), local.poll(&url, 1), local.delete(&url)), (204, vec![200], 204));
    assert_eq!((local.poll(&url, 1), local.sandbox.job_records()[0].fate), (vec![200], Fate::Ended));
    assert_eq!(local.sandbox.job_records()[0].deletes, 3);
}

#[test]
fn unknown_jobs_and_missing_credentials_have_their_recorded_answers() {
    let local = octo(json!({}), &[]);
    let at = |id: &str| format!("{}/_async-status/{id}", local.sandbox.base_url());
    let unknown = at("00000000-0000-4000-8000-000000000000");
    assert_recorded_bytes(&local.get(&unknown), include_str!("recorded/unknown-job.txt"), &[]);
    assert_recorded_bytes(&local.get(&at("nope")), include_str!("recorded/no-uuid.txt"), &[]);
    assert_eq!(local.delete(&unknown), 204);
    local.sandbox.set_script(serde_json::from_value(json!({"require_bearer": "t"})).unwrap());
    assert_recorded_bytes(&local.get(&unknown), include_str!("recorded/unauthorized.txt"), &[]);
    assert_eq!(local.get(&format!("{}/metadata", local.sandbox.base_url())).status(), 200);
}

#[test]
fn counts_have_no_total_unless_it_is_asked_for() {
    let lines: String = (10..31).map(|n| patient(&format!("p{n}"))).collect();
    let local = octo(json!({}), &[("p", &lines)]);
    start(&local, &[("Patient", "p")]);
    let search = |query: &str| local.get(&format!("{}/Patient?{query}", local.sandbox.base_url()));
    assert_recorded_bytes(&search("_summary=count"), include_str!("recorded/count.txt"), &[BASE]);
    let accurate = search("_summary=count&_total=accurate");
    assert_recorded_bytes(&accurate, include_str!("recorded/count-accurate.txt"), &[BASE]);
    let by_id = search("_id=p10&_elements=id");
    let there = [
        BASE,
        ("/Observation", "/Patient"),
        ("\"Observation\"", "\"Patient\""),
        ("missref-1", "p10"),
        ("2026-11-23T05:38:45.739Z", "2026-01-01T00:00:00.000Z"),
        ("\"54\"", "\"1\""),
    ];
    assert_recorded_bytes(&by_id, include_str!("recorded/search-by-id.txt"), &there);
    let none = local.get(&format!("{}/Observation/missref-1", local.sandbox.base_url()));
    assert_recorded_bytes(&none, include_str!("recorded/no-resource.txt"), &[]);
}

#[test]
fn a_resource_is_read_with_the_servers_own_meta() {
    let lines = "{\"resourceType\":\"Patient\",\"id\":\"dup-1\",\"meta\":{\"source\":\"x\"},\"name\":[{\"family\":\"Second\",\
        \"given\":[\"Test\"]}],\"gender\":\"female\",\"birthDate\":\"1990-01-01\"}\n";
    let local = octo(json!({}), &[("p", lines)]);
    start(&local, &[("Patient", "p")]);
    let times = [
        ("2026-11-23T05:37:49.444Z", "2026-01-01T00:00:00.000Z"),
        ("Mon, 23 Nov 2026 05:37:49 GMT", "Thu, 01 Jan 2026 00:00:00 GMT"),
        ("\"30\"", "\"1\""),
    ];
    let read = local.get(&format!("{}/Patient/dup-1", local.sandbox.base_url()));
    assert_recorded(&read, include_str!("recorded/read.txt"), &times);
    let statement = body(&local.get(&format!("{}/metadata", local.sandbox.base_url())));
    assert_eq!(statement["software"]["name"], "Abyxon");
    assert!(!statement.to_string().contains("import"));
}
