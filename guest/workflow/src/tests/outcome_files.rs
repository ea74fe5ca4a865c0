//! Results that only name files of outcomes: what is not read is not known, and nothing is called clean that is not.

use serde_json::{Value, json};

use super::answers::{answer, empty, json_answer};
use super::{BASE, Play, defined, dialect};
use crate::checkpoint::MAX_BYTES;
use crate::dialect::ResultShape;
use crate::exchange::Answer;
use crate::outcome::Outcome;
use crate::state::Reply;
use crate::url::MAX_URL;

const POLL: &str = "GET /jobs/1";
const FILE: &str = "GET /outcomes/1";

/// A job that ended with these rows.
fn ended(outcome: &Value) -> Play {
    let mut play = running();
    play.exchange(POLL, page(outcome, None));
    play
}

/// A job whose result is a list of files of outcomes.
pub(super) fn running() -> Play {
    let mut files = dialect("smart-manifest");
    files.result.shape = ResultShape::OutcomeFiles;
    Play::running(defined(files))
}

/// A page of that list.
pub(super) fn page(outcome: &Value, next: Option<&str>) -> Reply {
    let link: Vec<Value> = next.map(|url| json!({ "relation": "next", "url": url })).into_iter().collect();
    let body = json!({ "transactionTime": "2026-01-01T00:00:00Z", "outcome": outcome, "link": link });
    answer(200, &[("content-type", "application/json")], body.to_string())
}

fn row(counts: &Value) -> Value {
    json!([{ "url": format!("{BASE}/outcomes/1"), "countSeverity": counts }])
}

fn outcome(severity: &str) -> String {
    format!("{{\"issue\":[{{\"severity\":\"{severity}\",\"code\":\"invalid\"}}]}}\n")
}

fn cut(reply: Reply) -> Reply {
    reply.map(|answer| Answer { cut: true, ..answer })
}

#[test]
fn a_file_that_is_read_in_part_may_hold_errors_behind_it() {
    let well = outcome("information");
    let long = [well.as_bytes(), &vec![b'x'; 256 << 10]].concat();
    let parts = [
        cut(answer(200, &[], well.as_bytes())),
        cut(answer(206, &[("Content-Range", "bytes 0-262143/900000")], vec![b'x'; 256 << 10])),
        cut(answer(200, &[], long)),
    ];
    for part in parts {
        let mut play = ended(&row(&Value::Null));
        play.exchange(FILE, part);
        let report = play.ended(Outcome::FinishedWithErrors);
        assert!(report.sentence.contains("could not be read to the end"), "{}", report.sentence);
        assert_eq!(report.rejected.unwrap_or(0), 0, "the server did not say that it rejected anything");
    }
}

#[test]
fn a_file_that_is_gone_is_not_said_to_be_a_rejection() {
    let mut play = ended(&row(&Value::Null));
    play.exchange(FILE, empty(404));
    let report = play.ended(Outcome::FinishedWithErrors);
    assert!(report.sentence.contains("1 of the files"), "{}", report.sentence);
}

#[test]
fn a_file_is_opened_when_its_counts_cannot_be_read() {
    let unclear = [
        json!([]),
        json!([{ "code": "error", "count": "three" }]),
        json!([{ "code": "error" }]),
        json!({ "error": "some" }),
        json!({ "warning": 1 }),
        json!("many"),
    ];
    for counts in unclear {
        let mut play = ended(&row(&counts));
        play.exchange(FILE, answer(200, &[], outcome("error")));
        assert_eq!(play.ended(Outcome::FinishedWithErrors).rejected, Some(1), "{counts}");
    }
}

#[test]
fn counts_are_numbers_or_their_text_and_fatal_is_an_error() {
    let counted = [
        (json!([{ "code": "error", "count": "2" }, { "code": "fatal", "count": 1 }]), 3),
        (json!({ "error": 0, "fatal": 3 }), 3),
        (json!({ "error": "1" }), 1),
    ];
    for (counts, wanted) in counted {
        let mut play = ended(&row(&counts));
        play.exchange(FILE, answer(200, &[], outcome("error")));
        assert_eq!(play.ended(Outcome::FinishedWithErrors).rejected, Some(wanted), "{counts}");
    }
    ended(&row(&json!([{ "code": "error", "count": 0 }, { "code": "information", "count": 9 }])))
        .ended(Outcome::Succeeded);
}

#[test]
fn pages_of_long_urls_fit_into_a_checkpoint_and_what_does_not_is_not_known() {
    let mut play = running();
    let long = |n: usize| format!("{BASE}/{}{n:02}", "\"".repeat(MAX_URL - BASE.len() - 3));
    let rows = |page: usize| -> Value { (0..13).map(|n| json!({ "url": long(page * 13 + n) })).collect() };
    play.exchange(POLL, page(&rows(0), Some(&format!("{BASE}/page1"))));
    for number in 1..3 {
        let next = format!("{BASE}/page{}", number + 1);
        play.exchange(&format!("GET /page{number}"), page(&rows(number), Some(&next)));
        assert!(play.checkpoint.len() <= MAX_BYTES, "{}", play.checkpoint.len());
    }
    play.exchange("GET /page3", page(&json!([]), None));
    play.exchange(&format!("GET {}", long(0).strip_prefix(BASE).unwrap()), answer(200, &[], ""));
    let report = play.ended(Outcome::FinishedWithErrors);
    assert!(report.sentence.contains("38 of the files"), "{}", report.sentence);
}

#[test]
fn an_error_that_is_listed_beside_a_count_of_none_is_an_error_in_every_job() {
    let mut counts = dialect("smart-manifest");
    counts.result.shape = ResultShape::Members;
    counts.result.members = Some(toml::from_str("imported = [\"ok\"]\nrejected = [\"bad\"]").unwrap());
    let listed = json!({
        "ok": 4, "bad": 0,
        "error": { "resourceType": "OperationOutcome", "issue": [{ "severity": "error", "code": "invalid" }] },
    });
    let mut play = Play::running(defined(counts));
    play.exchange(POLL, json_answer(200, &listed));
    assert_eq!(play.ended(Outcome::FinishedWithErrors).rejected, Some(1));
}
