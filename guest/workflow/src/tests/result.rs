//! What the last answer of a job says, and its error files.

use serde_json::json;

use super::answers::{
    answer, broken, denied, empty, json_answer, manifest, outcome, page, recorded, running, unreachable,
};
use super::{MINUTE_MS, Play, defined, dialect, expected, input, named};
use crate::outcome::Outcome;
use crate::report::Report;
use crate::state::Reply;
use crate::status::Phase;
use crate::transition::{Decision, EventKind, PauseReason};

const POLL: &str = "GET /jobs/1";
const PATIENTS: &str = "http://127.0.0.1:18090/ok-patient.ndjson";
const OBSERVATIONS: &str = "http://127.0.0.1:18090/ok-observation.ndjson";
const ERRORS: &str = "GET http://127.0.0.1:18080/err/1.ndjson";

fn hapi_says(reply: Reply) -> Report {
    let mut play = Play::running(named("hapi"));
    play.exchange(POLL, reply);
    play.report()
}

fn counts(report: &Report) -> Vec<(&str, Option<u64>, Option<u64>)> {
    report.types.iter().map(|t| (t.resource_type.as_str(), t.imported, t.rejected)).collect()
}

fn classes(report: &Report) -> Vec<(&str, u64)> {
    report.errors.iter().map(|class| (class.text.as_str(), class.count)).collect()
}

/// A manifest with one file of three errors, and where it is.
fn with_errors() -> Play {
    let mut play = Play::running(named("smart-manifest"));
    let output = json!([{ "inputUrl": PATIENTS, "count": 7 }]);
    let error = json!([{ "inputUrl": PATIENTS, "count": 3, "url": "http://127.0.0.1:18080/err/1.ndjson" }]);
    play.exchange(POLL, manifest(&output, &error));
    play
}

fn row(text: &str) -> String {
    format!("{{\"issue\":[{{\"severity\":\"error\",\"code\":\"invalid\",\"diagnostics\":\"{text}\"}}]}}\n")
}

fn piece(start: usize, all: &str, length: usize) -> Reply {
    let end = (start + length).min(all.len());
    let range = format!("bytes {start}-{}/{}", end - 1, all.len());
    answer(206, &[("Content-Range", &range), ("ETag", "\"v1\"")], &all[start..end])
}

#[test]
fn a_report_in_compact_json_is_counted() {
    let report = hapi_says(recorded!("poll-ended"));
    assert_eq!(report.outcome, Outcome::Succeeded);
    assert_eq!(report.sentence, "The server says that it imported 4 resources and rejected none.");
    assert_eq!(counts(&report), [("Observation", Some(1), None), ("Patient", Some(3), None)]);
    assert!(report.limits[0].contains("the server's word alone"));
    assert_eq!(report.proven, "run against HAPI FHIR 8.8.0");
}

#[test]
fn a_report_in_indented_json_says_why_the_job_failed() {
    let report = hapi_says(recorded!("poll-failed-with-report"));
    assert_eq!((report.outcome, report.imported, report.rejected), (Outcome::Failed, Some(1), Some(1)));
    assert!(report.sentence.contains("a part of the resources may be stored"), "{}", report.sentence);
    assert!(classes(&report).iter().any(|(text, _)| text.contains("not found, specified in path")), "{report:?}");
}

#[test]
fn a_failed_job_without_a_report_says_what_it_said() {
    let report = hapi_says(recorded!("poll-failed"));
    assert_eq!((report.outcome, report.imported), (Outcome::Failed, None));
    assert_eq!(report.sentence, "The server says that the job failed; a part of the resources may be stored.");
    assert!(report.errors[0].text.contains("Failed to parse resource"), "{report:?}");
}

#[test]
fn an_answer_without_a_report_says_no_more_than_it_says() {
    let complete = json!([{ "severity": "information", "diagnostics": "Job is complete." }]);
    for issue in [complete, json!([{ "severity": "information" }]), json!(null)] {
        let reply = json_answer(200, &json!({ "resourceType": "OperationOutcome", "issue": issue }));
        let report = hapi_says(reply);
        assert_eq!((report.outcome, report.imported), (Outcome::Succeeded, None));
        assert_eq!(report.sentence, "The server says that the job ended, and names no error.");
    }
    assert_eq!(hapi_says(recorded!("poll-ended-empty")).imported, None);
    assert_eq!(hapi_says(recorded!("poll-ended-same-id-twice")).imported, Some(3));
}

#[test]
fn an_end_that_names_errors_is_no_success() {
    let report = hapi_says(outcome(200, "HAPI-9999: something went wrong"));
    assert_eq!((report.outcome, report.rejected), (Outcome::FinishedWithErrors, Some(1)));
    for (failures, rejected) in [("\n    * FAILURE: 2", 2), ("", 1)] {
        let text =
            format!("Report\n---\nSource: x\n  Outcomes:\n    * SUCCESSFUL_CREATE: 1{failures}\n  Errors:\n    * no");
        let issue = json!([{ "severity": "information", "diagnostics": text }]);
        let report = hapi_says(json_answer(200, &json!({ "resourceType": "OperationOutcome", "issue": issue })));
        assert_eq!((report.outcome, report.rejected), (Outcome::FinishedWithErrors, Some(rejected)));
    }
}

#[test]
fn placeholders_that_the_server_made_were_not_sent() {
    let text = "Outcomes:\n * SUCCESSFUL_CREATE: 2\n * AUTOMATICALLY_CREATED_PLACEHOLDER_RESOURCE: 40\n * SUCCESSFUL_CREATE: x";
    let issue = json!([{ "severity": "information", "diagnostics": text }]);
    let report = hapi_says(json_answer(200, &json!({ "resourceType": "OperationOutcome", "issue": issue })));
    assert_eq!(report.imported, Some(2));
}

#[test]
fn a_server_that_says_it_imported_less_is_believed() {
    let mut request = named("hapi");
    request.expected = vec![expected("Patient", 4), expected("Observation", 1)];
    let mut play = Play::running(request);
    play.exchange(POLL, recorded!("poll-ended"));
    play.exchange("GET /Patient?_summary=count", empty(404)).exchange("GET /Observation?_summary=count", empty(404));
    let report = play.ended(Outcome::VerificationFailed);
    assert_eq!(report.sentence, "The job ended, but of 5 resources the server imported 4, as it says.");
}

#[test]
fn resources_of_one_id_may_count_as_one() {
    let mut request = named("hapi");
    request.expected = vec![expected("Patient", 9)];
    request.expected[0].distinct_ids = Some(4);
    let mut play = Play::running(request);
    play.exchange(POLL, recorded!("poll-ended")).exchange("GET /Patient?_summary=count", empty(400));
    play.ended(Outcome::Succeeded);
}

#[test]
fn rows_of_a_manifest_name_their_input_in_two_ways() {
    let mut play = Play::running(named("smart-manifest"));
    let output = json!([
        { "type": "OperationOutcome", "inputUrl": PATIENTS, "count": 2 },
        { "type": "OperationOutcome", "input": OBSERVATIONS, "count": 1 },
        { "inputUrl": PATIENTS, "input": PATIENTS, "count": 1 },
        { "inputUrl": "http://nobody.sent/this", "count": 5 },
    ]);
    let error = json!([{ "input": OBSERVATIONS, "count": 0, "url": "http://127.0.0.1:18080/err/0.ndjson" }]);
    play.exchange(POLL, manifest(&output, &error));
    let report = play.ended(Outcome::Succeeded);
    assert_eq!(report.imported, Some(9));
    assert_eq!(counts(&report), [("Observation", Some(1), Some(0)), ("Patient", Some(3), None)]);
}

#[test]
fn a_manifest_may_leave_out_what_it_does_not_know() {
    let mut play = Play::running(named("smart-manifest"));
    play.exchange(
        POLL,
        manifest(&json!([{ "inputUrl": PATIENTS, "count": 2 }, { "inputUrl": OBSERVATIONS }]), &json!(null)),
    );
    let report = play.ended(Outcome::Succeeded);
    assert_eq!(report.imported, None, "a part of the counts is no count");
}

#[test]
fn several_rows_for_one_file_are_counted_and_the_file_is_read_once() {
    let mut play = Play::running(named("smart-manifest"));
    let url = "http://127.0.0.1:18080/err/1.ndjson";
    let error = json!([
        { "inputUrl": PATIENTS, "count": 2, "url": url },
        { "inputUrl": OBSERVATIONS, "count": 1, "url": url },
        { "inputUrl": PATIENTS, "url": "/err/2.ndjson" },
    ]);
    play.exchange(POLL, manifest(&json!([]), &error));
    assert_eq!(play.status().phase, Phase::ReadingResult);
    play.exchange(ERRORS, answer(200, &[], row("a") + &row("a") + &row("b")));
    play.exchange("GET http://127.0.0.1:18080/err/2.ndjson", answer(200, &[], row("a")));
    let report = play.ended(Outcome::FinishedWithErrors);
    assert_eq!((report.rejected, classes(&report)), (Some(4), vec![("a", 3), ("b", 1)]));
}

#[test]
fn rejected_resources_within_the_allowed_number_are_success_and_said() {
    let mut request = named("smart-manifest");
    request.policy.max_errors = 3;
    let mut play = Play::running(request);
    play.exchange(POLL, manifest(&json!([]), &json!([{ "inputUrl": PATIENTS, "count": 3 }])));
    let report = play.ended(Outcome::Succeeded);
    assert_eq!(report.sentence, "The job ended; the server rejected 3 resources, and 3 are allowed.");
}

#[test]
fn an_error_file_is_read_in_pieces_of_whole_lines() {
    let all: String = (0..9000).map(|n| row(if n % 2 == 0 { "a b c d e f" } else { "g h i j k l" })).collect();
    let mut play = with_errors();
    let mut read = 0;
    for _ in 0..2 {
        play.exchange(ERRORS, piece(read, &all, 256 << 10));
        read = all[..read + (256 << 10)].rfind('\n').unwrap() + 1;
    }
    assert_eq!(play.last_header("if-match"), Some("\"v1\""));
    play.exchange(ERRORS, piece(read, &all, 256 << 10));
    assert_eq!(play.last_header("range"), Some(format!("bytes={read}-{}", read + (256 << 10) - 1).as_str()));
    let report = play.ended(Outcome::FinishedWithErrors);
    assert_eq!(classes(&report), [("a b c d e f", 4500), ("g h i j k l", 4500)]);
}

#[test]
fn short_pieces_and_pieces_of_one_byte_more_are_read_on() {
    let all = row("a") + &row("b") + &row("c");
    let line = row("a").len();
    let mut play = with_errors();
    play.exchange(ERRORS, piece(0, &all, line + 10)).exchange(ERRORS, piece(line, &all, 2 * line));
    assert_eq!(classes(&play.report()), [("a", 1), ("b", 1), ("c", 1)]);
}

#[test]
fn the_end_of_a_file_may_be_past_its_last_byte() {
    let all = row(&"x ".repeat(100)).repeat(5000);
    let all = &all[..256 << 10];
    let unknown = answer(206, &[("Content-Range", "bytes 0-262143/*")], all);
    let mut play = with_errors();
    play.exchange(ERRORS, unknown).exchange(ERRORS, empty(416));
    assert_eq!(play.told(EventKind::ErrorFile), "error file http://127.0.0.1:18080/err/1.ndjson read to its end");
    play.ended(Outcome::FinishedWithErrors);
}

#[test]
fn a_server_that_ignores_range_is_read_once_and_a_long_file_in_part() {
    let all = row("a").repeat(3);
    let mut play = with_errors();
    play.exchange(ERRORS, answer(200, &[], all.clone()));
    assert_eq!(classes(&play.report()), [("a", 3)]);

    let mut play = with_errors();
    let cut =
        answer(200, &[], format!("{all}{{\"issue\"")).map(|answer| crate::exchange::Answer { cut: true, ..answer });
    play.exchange(ERRORS, cut);
    assert!(play.told(EventKind::ErrorFile).contains("read in part"));
    assert_eq!(classes(&play.report()), [("a", 3)]);
}

#[test]
fn a_file_that_changes_while_it_is_read_is_left() {
    let all = row("a").repeat(9000);
    for reply in [empty(412), answer(200, &[], all.clone()), piece(7, &all, 100)] {
        let mut play = with_errors();
        play.exchange(ERRORS, piece(0, &all, 256 << 10)).exchange(ERRORS, reply);
        assert!(play.told(EventKind::ErrorFile).contains("cannot be read"), "{:?}", play.events);
        assert_eq!(play.report().rejected, Some(3));
    }
}

#[test]
fn a_weak_tag_is_not_sent_back_because_it_would_never_match() {
    let all = row("a").repeat(9000);
    let mut play = with_errors();
    let first = answer(206, &[("ETag", "W/\"v1\"")], &all[..256 << 10]);
    play.exchange(ERRORS, first).exchange(ERRORS, empty(416));
    assert_eq!(play.last_header("if-match"), None);
}

#[test]
fn error_files_that_cannot_be_read_do_not_change_the_outcome() {
    for reply in [empty(401), empty(404), denied(), page(403)] {
        let mut play = with_errors();
        play.exchange(ERRORS, reply);
        play.ended(Outcome::FinishedWithErrors);
    }
    for reply in [broken(), unreachable(), page(503), empty(429)] {
        let mut play = with_errors();
        for _ in 0..3 {
            play.exchange(ERRORS, reply.clone());
        }
        assert_eq!(play.ended(Outcome::FinishedWithErrors).rejected, Some(3));
    }
    for body in ["", "\n\n\n", "not json"] {
        let mut play = with_errors();
        play.exchange(ERRORS, answer(206, &[("Content-Range", "bytes 0-0/99999")], body)).ended_soon();
    }
}

impl Play {
    /// However an error file goes on, it comes to an end.
    fn ended_soon(&mut self) {
        for _ in 0..20 {
            if matches!(self.next, crate::transition::Next::Done(_)) {
                return;
            }
            self.exchange(ERRORS, empty(416));
        }
        panic!("{:?}", self.next);
    }
}

#[test]
fn jobs_of_five_inputs_are_one_import() {
    let mut small = dialect("smart-manifest");
    small.inputs.per_job = Some(5);
    let mut request = defined(small);
    request.inputs = (0..12).map(|n| input("Patient", &format!("p{n}"))).collect();
    let urls: Vec<_> = request.inputs.iter().map(|input| input.url.clone()).collect();
    let mut play = Play::new(request);
    for (job, files) in urls.chunks(5).enumerate() {
        let location = format!("/jobs/{job}");
        assert_eq!((play.status().jobs_done as usize, play.status().jobs), (job, 3));
        play.exchange("POST /$import", super::answers::accepted(&location));
        let body = play.sent.last().unwrap().1.body.clone().unwrap();
        assert!(urls.iter().all(|url| body.contains(&format!("{url}\"")) == files.contains(url)), "{body}");
        assert_eq!((play.status().percent, play.status().progress), (None, None));
        let output: Vec<_> = files.iter().map(|url| json!({ "inputUrl": url, "count": 10 })).collect();
        let poll = format!("GET {location}");
        play.exchange(&poll, running()).exchange(&poll, manifest(&json!(output), &json!([])));
        play.now_ms += MINUTE_MS;
    }
    let report = play.ended(Outcome::Succeeded);
    assert_eq!((report.imported, counts(&report)), (Some(120), vec![("Patient", Some(120), None)]));
    assert_eq!(play.kick_offs(), 3);
}

/// Two jobs, the first of which ended.
fn second_job() -> Play {
    let mut small = dialect("smart-manifest");
    small.inputs.per_job = Some(1);
    let mut play = Play::running(defined(small));
    play.exchange(POLL, manifest(&json!([{ "inputUrl": PATIENTS, "count": 3 }]), &json!([])));
    play.now_ms += MINUTE_MS;
    play
}

#[test]
fn a_later_job_that_does_not_start_leaves_what_the_earlier_ones_imported() {
    for reply in [outcome(400, "no"), denied(), page(404), empty(308)] {
        let mut play = second_job();
        play.exchange("POST /$import", reply);
        let report = play.ended(Outcome::Failed);
        assert!(report.sentence.starts_with("1 of 2 jobs ended, and the next one could not be started."), "{report:?}");
        assert!(report.advice.starts_with("A part of the files is imported."), "{}", report.advice);
        assert_eq!(report.imported, Some(3));
    }
}

#[test]
fn a_later_job_that_fails_says_which() {
    let mut play = second_job();
    play.exchange("POST /$import", super::answers::accepted("/jobs/2"));
    play.exchange("GET /jobs/2", outcome(422, "bad"));
    let report = play.ended(Outcome::Failed);
    assert!(report.sentence.starts_with("The server says that job 2 of 2 failed;"), "{}", report.sentence);
}

#[test]
fn a_cancel_between_two_jobs_starts_no_other_one() {
    let mut play = second_job();
    play.resolve(&Decision::Cancel);
    let report = play.ended(Outcome::Cancelled);
    assert_eq!(report.sentence, "Cancelled; 1 of 2 jobs had ended, and no other one was started.");
}

#[test]
fn a_lost_answer_of_a_later_job_is_a_question_too() {
    let mut play = second_job();
    play.exchange("POST /$import", broken()).recover();
    play.paused(PauseReason::SubmitUnknown);
    play.resolve(&Decision::Adopt("/fhir/jobs/2".to_owned()));
    play.exchange("GET /jobs/2", manifest(&json!([{ "inputUrl": OBSERVATIONS, "count": 1 }]), &json!([])));
    assert_eq!(play.ended(Outcome::Succeeded).imported, Some(4));
}

#[test]
fn a_manifest_of_very_many_rows_is_read_and_few_of_its_files() {
    let mut request = named("smart-manifest");
    request.inputs = (0..3_000).map(|n| input("Patient", &format!("p{n}"))).collect();
    let rows = |list: &[crate::request::Input]| -> Vec<_> {
        list.iter()
            .map(|input| json!({ "inputUrl": input.url, "count": 1, "url": format!("{}.errors", input.url) }))
            .collect()
    };
    let rows = json!(rows(&request.inputs));
    let mut play = Play::running(request);
    play.exchange(POLL, manifest(&rows, &rows));
    assert_eq!(play.told(EventKind::ErrorFile), "12 of 3000 error files are read here");
    for n in 0..12 {
        play.exchange(&format!("GET http://127.0.0.1:18090/p{n}.ndjson.errors"), empty(404));
    }
    let report = play.ended(Outcome::FinishedWithErrors);
    assert_eq!(counts(&report), [("Patient", Some(3_000), Some(3_000))]);
}
