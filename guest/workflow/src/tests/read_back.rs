//! What a server calls success is checked, and a check that cannot be made is no loss.

use fhir_import_records::fingerprint;
use serde_json::{Value, json};

use super::answers::{broken, count, empty, json_answer, manifest, outcome, page, recorded};
use super::{BASE, MINUTE_MS, Play, expected, named, request, sample};
use crate::outcome::Outcome;
use crate::pace::FLOOR_MS;
use crate::report::{Report, Verdict};
use crate::request::{DialectChoice, Purpose};
use crate::status::Phase;
use crate::transition::{Decision, Next, PauseReason, WakeReason};

const POLL: &str = "GET /jobs/1";
const P1: &str = "GET /Patient/p1";
const COUNT: &str = "GET /Patient?_summary=count";

fn p1() -> Value {
    json!({ "resourceType": "Patient", "id": "p1", "gender": "female", "name": [{ "family": "Probe", "given": ["One"] }] })
}

/// An import whose job ended, of three Patients with one sample.
fn ended() -> Play {
    with_count(None)
}

fn with_count(patients: Option<u64>) -> Play {
    let mut request = named("hapi");
    request.samples = vec![sample("Patient/p1", &fingerprint(&p1()))];
    request.expected = patients.map(|n| expected("Patient", n)).into_iter().collect();
    let mut play = Play::running(request);
    play.exchange(POLL, recorded!("poll-ended"));
    play
}

fn verdict(play: &Play) -> (Outcome, Verdict) {
    (play.report().outcome, play.report().verdict)
}

fn patients(report: &Report) -> (u32, u32, u32) {
    let row = report.types.iter().find(|row| row.resource_type == "Patient").unwrap();
    (row.sampled, row.found, row.equal)
}

#[test]
fn everything_is_there_and_equal() {
    let mut play = with_count(Some(3));
    assert_eq!(play.status().phase, Phase::Verifying);
    play.exchange(P1, recorded!("read-found")).exchange(COUNT, recorded!("count"));
    assert_eq!(verdict(&play), (Outcome::Succeeded, Verdict::Verified));
    let report = play.report();
    assert_eq!(patients(&report), (1, 1, 1));
    assert_eq!(report.types.iter().find(|row| row.resource_type == "Patient").unwrap().on_server, Some(3));
    assert!(report.limits[0].starts_with("1 of 3 resources, chosen by a hash"), "{:?}", report.limits);
    assert!(report.limits[1].contains("told it of 1:"), "{:?}", report.limits);
}

#[test]
fn what_the_server_adds_itself_is_no_difference() {
    let mut resource = p1();
    resource["meta"] = json!({ "versionId": "7", "source": "http://127.0.0.1:18090", "tag": [{ "code": "imported" }] });
    resource["text"] = json!({ "status": "generated", "div": "<div/>" });
    let mut play = ended();
    play.exchange(P1, json_answer(200, &resource));
    assert_eq!(verdict(&play), (Outcome::Succeeded, Verdict::Verified));
}

#[test]
fn what_is_only_not_readable_yet_is_found_after_a_while() {
    let mut play = ended();
    play.exchange(P1, recorded!("read-not-found"));
    assert!(matches!(&play.next, Next::Wait(wake) if wake.reason == WakeReason::Settle));
    assert!(play.wait_ms() >= FLOOR_MS);
    play.exchange(P1, recorded!("read-found"));
    assert_eq!(verdict(&play), (Outcome::Succeeded, Verdict::Verified));
}

#[test]
fn what_stays_missing_contradicts_the_server() {
    for gone in [recorded!("read-not-found"), empty(410), json_answer(200, &json!({ "resourceType": "Basic" }))] {
        let mut play = ended();
        for _ in 0..3 {
            play.exchange(P1, gone.clone());
        }
        assert_eq!(verdict(&play), (Outcome::VerificationFailed, Verdict::Missing));
        let report = play.report();
        assert_eq!(report.missing, ["Patient/p1"]);
        assert_eq!(report.sentence, "The server says that the job ended, but 1 of 1 samples are not there.");
    }
}

#[test]
fn other_content_is_said_and_is_no_loss() {
    let mut other = p1();
    other["gender"] = json!("male");
    let mut play = ended();
    play.exchange(P1, json_answer(200, &other));
    assert_eq!(verdict(&play), (Outcome::Succeeded, Verdict::Differs));
    assert_eq!(patients(&play.report()), (1, 1, 0));

    let mut late = ended();
    late.exchange(P1, empty(404)).exchange(P1, json_answer(200, &other));
    assert_eq!(verdict(&late), (Outcome::Succeeded, Verdict::Differs));
}

#[test]
fn presence_alone_is_checked_without_a_fingerprint() {
    let mut request = named("hapi");
    request.samples = vec![sample("Patient/p1", "")];
    let mut play = Play::running(request);
    play.exchange(POLL, recorded!("poll-ended")).exchange(P1, recorded!("read-found"));
    assert_eq!(verdict(&play), (Outcome::Succeeded, Verdict::Verified));
    assert_eq!(play.report().limits, ["1 resources were asked for by id; not all of them were compared."]);
}

#[test]
fn a_count_that_stays_short_contradicts_the_server() {
    let mut play = with_count(Some(3));
    play.exchange(P1, recorded!("read-found"));
    for _ in 0..3 {
        play.exchange(COUNT, count(2));
    }
    assert_eq!(verdict(&play), (Outcome::VerificationFailed, Verdict::Missing));
    let said = "The server says that the job ended, but of 1 types the server has fewer resources than were sent.";
    assert_eq!(play.report().sentence, said);
}

#[test]
fn a_count_that_is_short_until_the_index_follows_is_no_alarm() {
    let mut play = with_count(Some(3));
    play.exchange(P1, empty(404)).exchange(P1, empty(404)).exchange(P1, recorded!("read-found"));
    play.exchange(COUNT, count(0)).exchange(COUNT, count(2)).exchange(COUNT, count(3));
    assert_eq!(verdict(&play), (Outcome::Succeeded, Verdict::Verified));
}

#[test]
fn a_type_that_cannot_be_counted_is_no_alarm() {
    let bundle = json!({ "resourceType": "Bundle" });
    for reply in [empty(400), empty(404), page(200), json_answer(200, &bundle), outcome(200, "no")] {
        let mut play = with_count(Some(3));
        play.exchange(P1, recorded!("read-found")).exchange(COUNT, reply);
        assert_eq!(verdict(&play), (Outcome::Succeeded, Verdict::Verified));
    }
}

#[test]
fn a_server_that_had_more_before_is_no_alarm() {
    let mut play = with_count(Some(3));
    play.exchange(P1, recorded!("read-found")).exchange(COUNT, count(3_000_000));
    assert_eq!(verdict(&play), (Outcome::Succeeded, Verdict::Verified));
}

#[test]
fn a_server_that_will_not_be_read_is_not_verified_and_no_failure() {
    let replies = [empty(401), empty(403), empty(405), page(200), page(302), json_answer(200, &json!({ "a": 1 }))];
    for reply in replies {
        let mut play = ended();
        play.exchange(P1, reply);
        assert_eq!(verdict(&play), (Outcome::Succeeded, Verdict::NotVerified));
        assert!(play.report().limits[0].starts_with("Reading back stopped early: "), "{:?}", play.report().limits);
    }
    for reply in [broken(), page(503), empty(429)] {
        let mut play = ended();
        let begun = play.now_ms;
        for _ in 0..10 {
            play.exchange(P1, reply.clone());
        }
        assert_eq!(verdict(&play), (Outcome::Succeeded, Verdict::NotVerified));
        assert!((5 * MINUTE_MS..=9 * MINUTE_MS).contains(&(play.now_ms - begun)), "{}", play.now_ms - begun);
    }
}

#[test]
fn what_was_rejected_may_be_missing_and_no_more_than_that() {
    let rejecting = |max_errors, rejected: u64| {
        let mut request = named("smart-manifest");
        request.policy.max_errors = max_errors;
        request.samples = vec![sample("Patient/p1", ""), sample("Patient/p2", "")];
        let mut play = Play::running(request);
        play.exchange(POLL, manifest(&json!([]), &json!([{ "count": rejected }])));
        play
    };
    for (max_errors, rejected, ended) in [
        (5, 2, Outcome::Succeeded),
        (0, 2, Outcome::FinishedWithErrors),
        (5, 1, Outcome::VerificationFailed),
        (0, 1, Outcome::VerificationFailed),
    ] {
        let mut play = rejecting(max_errors, rejected);
        for _ in 0..4 {
            play.exchange(P1, empty(404)).exchange("GET /Patient/p2", empty(404));
        }
        assert_eq!(verdict(&play), (ended, Verdict::Missing), "{max_errors} {rejected}");
    }
}

#[test]
fn of_a_failed_job_it_is_shown_what_is_there_without_waiting() {
    let mut request = named("hapi");
    request.samples = vec![sample("Patient/m1", ""), sample("Patient/p1", &fingerprint(&p1()))];
    request.expected = vec![expected("Patient", 9)];
    let mut play = Play::running(request);
    play.exchange(POLL, recorded!("poll-failed"));
    play.exchange("GET /Patient/m1", recorded!("read-not-found")).exchange(P1, recorded!("read-found"));
    play.exchange(COUNT, count(1));
    assert_eq!(verdict(&play), (Outcome::Failed, Verdict::Missing));
    let report = play.report();
    assert_eq!((patients(&report), report.missing), ((2, 1, 1), vec!["Patient/m1".to_owned()]));
}

#[test]
fn twenty_missing_ones_are_named_and_all_are_counted() {
    let mut request = named("hapi");
    request.samples = (0..200).map(|n| sample(&format!("Patient/x{n}"), "")).collect();
    let mut play = Play::running(request);
    play.exchange(POLL, recorded!("poll-ended"));
    for _ in 0..3 {
        for n in 0..200 {
            play.exchange(&format!("GET /Patient/x{n}"), empty(404));
            play.now_ms += 10;
        }
    }
    let report = play.ended(Outcome::VerificationFailed);
    assert_eq!((report.missing.len(), patients(&report)), (20, (200, 0, 0)));
}

fn verify() -> Play {
    let mut request = request(DialectChoice::Detect);
    request.purpose = Purpose::Verify;
    request.samples = vec![sample("Patient/p1", &fingerprint(&p1()))];
    let mut play = Play::new(request);
    let nothing_known = json!({ "resourceType": "CapabilityStatement", "rest": [] });
    play.exchange("GET /metadata", json_answer(200, &nothing_known));
    play
}

#[test]
fn reading_back_needs_no_dialect() {
    let mut play = verify();
    play.exchange(P1, recorded!("read-found"));
    assert_eq!(verdict(&play), (Outcome::Succeeded, Verdict::Verified));
    let mut play = verify();
    play.exchange(P1, empty(404));
    let report = play.ended(Outcome::VerificationFailed);
    assert_eq!(report.sentence, "Read back: 1 of 1 samples are not there.");
}

#[test]
fn reading_back_alone_is_no_success_when_nothing_could_be_read() {
    let mut play = verify();
    play.exchange(P1, page(406));
    let report = play.ended(Outcome::AnswerNotUnderstood);
    assert_eq!(report.sentence, "Nothing could be read back: the server answers 406 to a read.");
    let mut play = verify();
    play.exchange(P1, empty(401));
    play.paused(PauseReason::Credentials);
    play.resolve(&Decision::Continue);
    play.now_ms += MINUTE_MS;
    play.exchange(P1, recorded!("read-found"));
    play.ended(Outcome::Succeeded);
    assert!(play.sent.iter().all(|(_, sent)| sent.body.is_none() && sent.url.starts_with(BASE)));
}
