//! Files that are sent in pieces: what is stored already stays told, whatever becomes of the next piece.

use serde_json::json;

use super::answers::{answer, broken, denied, empty, outcome, unreachable};
use super::{DEADLINE_MS, Play, START_MS, defined, dialect, expected};
use crate::dialect::{Delivery, Handle, RecoveryClass};
use crate::outcome::Outcome;
use crate::pace::FLOOR_MS;
use crate::request::{Expected, Request};
use crate::state::Reply;
use crate::transition::{Decision, Next, PauseReason};

const PIECE: &str = "POST /$import";

fn uploads() -> Request {
    let mut dialect = dialect("smart-manifest");
    dialect.inputs.delivery = Delivery::Upload(50);
    dialect.kick_off.body = json!("${job.upload}");
    dialect.kick_off.handle = Handle::Answer;
    dialect.kick_off.accepted = vec![200];
    dialect.recovery.class = RecoveryClass::SameIds;
    let mut request = defined(dialect);
    request.inputs.pop();
    request.expected = vec![expected("Patient", 9)];
    request
}

/// The first half of the file is stored, a second ago.
fn half_way() -> Play {
    let mut play = Play::new(uploads());
    play.exchange(PIECE, stored(50));
    play.now_ms += FLOOR_MS;
    play
}

/// So many bytes of a hundred were stored.
fn stored(end: u32) -> Reply {
    let body = json!({ "output": [], "error": [] }).to_string();
    let uploaded = format!("bytes 0-{end}/100");
    answer(200, &[("Content-Type", "application/json"), ("fhir-import-uploaded", &uploaded)], body)
}

#[test]
fn a_second_piece_that_is_refused_does_not_undo_the_first() {
    for reply in [outcome(422, "no"), denied(), empty(404)] {
        let mut play = half_way();
        play.exchange(PIECE, reply);
        play.exchange("GET /Patient?_summary=count", outcome(404, "no search"));
        let report = play.report();
        assert_eq!(report.outcome, Outcome::Failed, "{report:?}");
        assert!(report.sentence.starts_with("0 of 1 jobs ended, and the next one stopped midway."), "{report:?}");
        assert!(report.advice.starts_with("A part of the files is imported."), "{report:?}");
    }
}

#[test]
fn a_server_that_is_gone_after_the_first_piece_was_not_sent_nothing() {
    let mut play = half_way();
    for _ in 0..3 {
        play.exchange(PIECE, unreachable());
    }
    assert!(!matches!(play.next, Next::Done(_)), "what is there is read back first: {:?}", play.next);
}

#[test]
fn after_the_first_piece_neither_a_cancel_nor_giving_up_says_that_nothing_was_started() {
    let mut play = half_way();
    assert_eq!(play.status().sentence, "Ready to submit.");
    let report = play.report_of(&Decision::Cancel);
    assert_eq!(report.sentence, "Cancelled; 0 of 1 jobs had ended, and 50 bytes of the next file had been uploaded.");
    assert_eq!(report.advice, "What was imported stays on the server.");
    play.exchange(PIECE, empty(401));
    assert_eq!(play.report_of(&Decision::GiveUp).advice, "What was imported before stays on the server.");
}

#[test]
fn a_lost_piece_is_sent_again_only_where_every_resource_has_an_id_of_its_own() {
    let mut play = Play::new(uploads());
    play.exchange(PIECE, broken()).recover().exchange(PIECE, stored(50));
    let unnamed = Expected { distinct_ids: Some(8), ..expected("Patient", 9) };
    let unknown = Expected { distinct_ids: None, ..expected("Patient", 9) };
    for kinds in [vec![expected("Group", 1), unnamed], vec![unknown], vec![]] {
        let mut play = Play::new(Request { expected: kinds, ..uploads() });
        play.exchange(PIECE, broken()).recover();
        let pause = play.paused(PauseReason::SubmitUnknown);
        assert!(pause.message.contains("without an id"), "{}", pause.message);
        play.now_ms += FLOOR_MS;
        play.resolve(&Decision::Resubmit).exchange(PIECE, stored(100));
    }
}

#[test]
fn an_answer_that_is_no_result_is_not_asked_for_until_the_deadline() {
    let mut play = Play::new(uploads());
    for _ in 0..4 {
        play.exchange(PIECE, empty(200)).recover();
    }
    play.exchange(PIECE, empty(200));
    let pause = play.paused(PauseReason::SubmitUnknown);
    assert!(
        pause.message.starts_with("The answer to the kick-off is no result, after 5 tries: 200"),
        "{}",
        pause.message
    );
    assert!(play.now_ms < START_MS + DEADLINE_MS);
}
