//! What is this server?

use serde_json::{Value, json};

use super::answers::{bad_certificate, broken, denied, empty, json_answer, outcome, page, recorded, unreachable};
use super::{BASE, Play, dialect, named, request};
use crate::detect::Capabilities;
use crate::dialect::{Dialect, Signature};
use crate::outcome::Outcome;
use crate::request::{DialectChoice, Purpose};
use crate::state::Reply;
use crate::status::Phase;
use crate::transition::{Decision, DecisionKind, Next, PauseReason};

fn detect(purpose: Purpose) -> Play {
    let mut request = request(DialectChoice::Detect);
    request.purpose = purpose;
    Play::new(request)
}

fn capabilities(operations: &Value) -> Reply {
    json_answer(200, &json!({ "resourceType": "CapabilityStatement", "rest": [{ "operation": operations }] }))
}

fn definition(parameters: &[&str]) -> Reply {
    let parameter: Vec<_> = parameters.iter().map(|name| json!({ "name": name })).collect();
    json_answer(200, &json!({ "resourceType": "OperationDefinition", "parameter": parameter }))
}

const SMART: [&str; 4] = ["inputFormat", "inputSource", "input", "storageDetail"];

#[test]
fn a_recorded_server_is_recognised_and_ready() {
    let mut play = detect(Purpose::Import);
    assert_eq!((play.status().phase, &play.next), (Phase::Detecting, &Next::Step));
    play.exchange("GET /metadata", recorded!("capabilities"));
    play.exchange("GET /OperationDefinition/-s-import", empty(404));
    assert_eq!((play.status().phase, &play.next), (Phase::ReadyToSubmit, &Next::Submit));
    assert_eq!(play.status().dialect.as_deref(), Some("hapi"));
    assert_eq!(play.session().progress().detection.software.as_deref(), Some("HAPI FHIR Server 8.8.0"));
}

#[test]
fn a_named_dialect_is_not_asked_for() {
    let play = Play::new(named("smart-manifest"));
    assert_eq!(play.next, Next::Submit);
    assert_eq!(play.session().progress().detection.confidence.name(), "configured");
}

#[test]
fn detecting_only_ends_with_what_it_is_and_never_posts() {
    let mut play = detect(Purpose::Detect);
    play.exchange("GET /metadata", recorded!("capabilities"));
    play.exchange("GET /OperationDefinition/-s-import", definition(&[]));
    let report = play.ended(Outcome::Succeeded);
    assert_eq!(report.sentence, "The server speaks hapi (confidence high).");
    assert_eq!(play.kick_offs(), 0);
}

#[test]
fn an_operation_of_the_same_name_is_told_apart_by_its_parameters() {
    let hapi = json!([{ "name": "$Import" }, { "name": "import-poll-status" }]);
    let mut play = detect(Purpose::Import);
    play.exchange("GET /metadata", capabilities(&hapi));
    play.exchange("GET /OperationDefinition?code=import", definition(&["uriFileLink"]));
    let report = play.ended(Outcome::Unsupported);
    assert_eq!((report.detection.dialect, report.detection.candidates), (None, vec!["hapi".to_owned()]));
}

#[test]
fn a_terminology_server_without_the_sibling_is_no_bulk_import() {
    let url = format!("{BASE}/OperationDefinition/-s-import");
    let mut play = detect(Purpose::Import);
    play.exchange("GET /metadata", capabilities(&json!([{ "name": "import", "definition": url }])));
    let report = play.ended(Outcome::Unsupported);
    assert!(report.sentence.contains("an operation named import that fits no known dialect"), "{}", report.sentence);
}

#[test]
fn a_weak_sign_is_not_enough_to_send_anything() {
    let sign = json!([{ "name": "import", "definition": "http://x.example/OperationDefinition/import|1.0" }]);
    let mut play = detect(Purpose::Import);
    play.exchange("GET /metadata", capabilities(&sign));
    play.exchange("GET /OperationDefinition?code=import", definition(&SMART));
    let report = play.ended(Outcome::Unsupported);
    assert_eq!(report.advice, "If it is, say so: --dialect smart-manifest.");
    assert_eq!(play.kick_offs(), 0);
}

#[test]
fn software_of_a_hosted_service_behind_another_host_is_a_weak_sign() {
    let body = json!({ "resourceType": "CapabilityStatement", "software": { "name": "Data Lake R4" }, "rest": [{}] });
    let host = Signature { host: Some("lake.example.org".to_owned()), ..Signature::default() };
    let mut lake = Dialect { name: "lake".to_owned(), ..Dialect::default() };
    lake.detect.signatures.push(host);
    let found = Capabilities::read(&body).unwrap().find(&[(0, &dialect("hapi")), (4, &lake)]);
    assert_eq!((found.detection.dialect.as_deref(), found.detection.confidence.name()), (Some("lake"), "low"));
    assert_eq!((found.index, found.lookup), (Some(4), None));
}

#[test]
fn import_that_is_switched_off_is_told_apart_from_import_that_is_missing() {
    let off =
        json!({ "resourceType": "CapabilityStatement", "software": { "name": "HAPI FHIR Server" }, "rest": [{}] });
    let mut play = detect(Purpose::Import);
    play.exchange("GET /metadata", json_answer(200, &off));
    let report = play.ended(Outcome::Unsupported);
    assert!(report.sentence.contains("hapi.fhir.bulk_import_enabled"), "{}", report.sentence);
}

#[test]
fn an_import_on_a_type_is_named_as_what_it_is() {
    let resource = json!([{ "type": "CodeSystem", "operation": [{ "name": "import" }] }]);
    let body = json!({ "resourceType": "CapabilityStatement", "rest": [{ "resource": resource }] });
    let mut play = detect(Purpose::Import);
    play.exchange("GET /metadata", json_answer(200, &body));
    let report = play.ended(Outcome::Unsupported);
    assert!(report.sentence.contains("on CodeSystem, which is not a bulk import"), "{}", report.sentence);
}

#[test]
fn something_that_is_no_fhir_server_is_said_to_be_none() {
    for reply in [page(200), page(404), empty(301), outcome(200, "no"), json_answer(200, &json!([]))] {
        let mut play = detect(Purpose::Import);
        play.exchange("GET /metadata", reply);
        let report = play.ended(Outcome::AnswerNotUnderstood);
        assert!(report.advice.contains("FHIR base URL"), "{}", report.advice);
    }
}

#[test]
fn a_server_that_cannot_be_reached_is_asked_three_times() {
    for reply in [unreachable(), broken(), page(503), empty(429)] {
        let mut play = detect(Purpose::Import);
        for _ in 0..3 {
            play.exchange("GET /metadata", reply.clone());
        }
        let report = play.ended(Outcome::Unreachable);
        assert!(report.advice.starts_with("No import was started"), "{}", report.advice);
        assert_eq!(report.advice.contains("nothing was sent"), reply == unreachable());
    }
}

#[test]
fn what_does_not_pass_by_itself_is_not_asked_again() {
    for reply in [denied(), bad_certificate()] {
        let mut play = detect(Purpose::Import);
        play.exchange("GET /metadata", reply);
        play.ended(Outcome::Unreachable);
    }
}

#[test]
fn credentials_are_waited_for() {
    for status in [401, 403] {
        let mut play = detect(Purpose::Import);
        play.exchange("GET /metadata", empty(status));
        let pause = play.paused(PauseReason::Credentials);
        assert_eq!(pause.decisions, [DecisionKind::Continue, DecisionKind::GiveUp]);
        let mut given_up = play.clone();
        given_up.resolve(&Decision::GiveUp);
        assert_eq!(given_up.ended(Outcome::PausedForCredentials).advice, "No import was started.");
        play.resolve(&Decision::Continue);
        play.now_ms += 1000;
        play.exchange("GET /metadata", recorded!("capabilities"));
        assert_eq!(play.next, Next::Step);
    }
}

#[test]
fn a_definition_that_cannot_be_read_is_no_evidence_neither_way() {
    for reply in [broken(), empty(401), page(200), json_answer(200, &json!({ "resourceType": "Bundle" }))] {
        let mut play = detect(Purpose::Import);
        play.exchange("GET /metadata", recorded!("capabilities"));
        play.exchange("GET /OperationDefinition/-s-import", reply);
        assert_eq!(play.next, Next::Submit);
    }
}

#[test]
fn words_of_a_server_without_end_do_not_burst_the_checkpoint() {
    let long = "\u{1}\"".repeat(50_000);
    let url = format!("{BASE}/OperationDefinition/{}", "x".repeat(100_000));
    let operations = json!([{ "name": "import", "definition": url }, { "name": "import-poll-status" }]);
    let software = json!({ "name": long, "version": long });
    let rest = json!([{ "operation": operations }]);
    let body = json!({ "resourceType": "CapabilityStatement", "software": software, "rest": rest });
    let mut play = detect(Purpose::Import);
    play.exchange("GET /metadata", json_answer(200, &body));
    play.exchange("GET /OperationDefinition?code=import", definition(&[&long, "b", "c"]));
    assert_eq!(play.next, Next::Submit);
}

fn said(play: &Play) -> (Option<String>, &'static str) {
    let detection = play.report().detection;
    (detection.dialect, detection.confidence.name())
}

#[test]
fn a_look_that_is_not_sure_names_the_flag_that_settles_it() {
    let sign = json!([{ "name": "$import", "definition": "http://x.example/OperationDefinition/import" }]);
    let mut play = detect(Purpose::Detect);
    play.exchange("GET /metadata", capabilities(&sign)).exchange("GET /OperationDefinition?code=import", empty(404));
    let report = play.ended(Outcome::Succeeded);
    assert_eq!(report.sentence, "The server may speak smart-manifest (confidence low).");
    assert_eq!(report.advice, "If it is, say so: --dialect smart-manifest.");
}

#[test]
fn in_stu3_a_definition_is_a_reference() {
    let import = json!({ "name": "import", "definition": { "reference": "OperationDefinition/7" } });
    let mut play = detect(Purpose::Detect);
    play.exchange("GET /metadata", capabilities(&json!([import, { "name": "import-poll-status" }])));
    play.exchange("GET /OperationDefinition/7", empty(404));
    assert_eq!(said(&play), (Some("hapi".to_owned()), "high"));
}

#[test]
fn what_a_client_calls_is_not_what_a_server_offers() {
    let operations = json!([{ "name": "import" }, { "name": "import-poll-status" }]);
    let rest = json!([{ "mode": "client", "operation": operations }]);
    let mut play = detect(Purpose::Detect);
    let body = json!({ "resourceType": "CapabilityStatement", "rest": rest });
    play.exchange("GET /metadata", json_answer(200, &body));
    assert_eq!(said(&play), (None, "none"));
}

#[test]
fn members_of_another_shape_are_as_if_they_were_not_there() {
    for (software, rest) in [(json!(7), json!({})), (json!({ "name": [] }), json!([1, { "operation": "x" }]))] {
        let body = json!({ "resourceType": "CapabilityStatement", "software": software, "rest": rest });
        let mut play = detect(Purpose::Detect);
        play.exchange("GET /metadata", json_answer(200, &body));
        assert_eq!(said(&play), (None, "none"));
    }
}

#[test]
fn of_several_definitions_the_one_of_the_system_with_the_code_counts() {
    let one = |code: &str, system: bool, parameter: &str| {
        let parameters = json!([{ "name": parameter }]);
        json!({ "resource": { "resourceType": "OperationDefinition", "code": code, "system": system, "parameter": parameters } })
    };
    let operations = json!([{ "name": "import" }, { "name": "import-poll-status" }]);
    let all = [one("lookup", true, "system"), one("Import", false, "system"), one("$import", true, "input")];
    for (found, expected) in [(&all[..], "high"), (&all[..1], "high"), (&all[..2], "none")] {
        let mut play = detect(Purpose::Detect);
        play.exchange("GET /metadata", capabilities(&operations));
        let body = json!({ "resourceType": "Bundle", "entry": found });
        play.exchange("GET /OperationDefinition?code=import", json_answer(200, &body));
        assert_eq!(said(&play).1, expected);
    }
}
