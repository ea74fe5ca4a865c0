//! Every decision in every state: taken where it is offered, refused everywhere else.

use serde_json::json;

use super::answers::{accepted, broken, denied, empty, manifest, page, recorded, running};
use super::{DEADLINE_MS, MINUTE_MS, Play, START_MS, defined, dialect, input, named, request, sample};
use crate::Error;
use crate::outcome::Outcome;
use crate::request::{DialectChoice, Purpose};
use crate::state::Reply;
use crate::status::Phase;
use crate::transition::{Decision, DecisionKind, EventKind, Next};

const POLL: &str = "GET /jobs/1";

fn all() -> [Decision; 6] {
    [
        Decision::Adopt("/fhir/jobs/2".to_owned()),
        Decision::Resubmit,
        Decision::Extend(MINUTE_MS),
        Decision::Cancel,
        Decision::GiveUp,
        Decision::Continue,
    ]
}

/// Tries every decision on a copy, and answers the kinds that are taken.
fn taken(play: &Play) -> Vec<DecisionKind> {
    let mut kinds = Vec::new();
    for decision in all() {
        let mut copy = play.clone();
        match play.session().resolve(&decision, play.now_ms) {
            Ok(transition) => {
                copy.take(transition);
                copy.told(EventKind::Resolved);
                kinds.push(decision.kind());
            }
            Err(Error::InvalidCall(text)) => assert!(text.contains(&play.status().phase.to_string()), "{text}"),
            Err(other) => panic!("{other}"),
        }
    }
    kinds
}

fn polled(dialect: &str, reply: &Reply, times: usize) -> Play {
    let mut play = Play::running(named(dialect));
    for _ in 0..times {
        play.exchange(POLL, reply.clone());
    }
    play
}

#[test]
fn a_state_that_goes_on_by_itself_takes_a_cancel() {
    use DecisionKind::{Cancel, Continue};
    let mut verifying = named("hapi");
    verifying.samples = vec![sample("Patient/p1", "")];
    let mut verifying = Play::running(verifying);
    verifying.exchange(POLL, recorded!("poll-ended"));
    let mut lost = Play::new(named("hapi"));
    lost.exchange("POST /$import", broken());
    let mut cancelling = Play::running(named("smart-manifest"));
    cancelling.resolve(&Decision::Cancel);
    let detecting = Play::new(request(DialectChoice::Detect));
    assert_eq!(taken(&lost), [DecisionKind::Adopt, Cancel, DecisionKind::GiveUp], "nobody need wait for a list");
    for play in [detecting, Play::new(named("hapi")), polled("hapi", &running(), 1), verifying, cancelling] {
        assert_eq!(taken(&play), [Cancel, Continue], "{}", play.status().phase);
    }
}

#[test]
fn a_pause_takes_what_it_offers() {
    use DecisionKind::{Adopt, Cancel, Continue, Extend, GiveUp, Resubmit};
    let mut unknown = Play::new(named("hapi"));
    unknown.exchange("POST /$import", broken()).recover();
    let mut late = Play::running(named("hapi"));
    late.now_ms = START_MS + DEADLINE_MS;
    late.exchange(POLL, running());
    let mut foreign = Play::new(named("hapi"));
    foreign.exchange("POST /$import", accepted("https://x.example/1")).exchange("GET https://x.example/1", denied());
    let cases: [(Play, &[DecisionKind]); 6] = [
        (unknown, &[Adopt, Resubmit, Cancel, GiveUp]),
        (late, &[Extend, Cancel, GiveUp]),
        (foreign, &[Adopt, Cancel, GiveUp, Continue]),
        (polled("hapi", &empty(401), 1), &[Cancel, GiveUp, Continue]),
        (polled("hapi", &recorded!("poll-unknown"), 3), &[Adopt, Resubmit, Cancel, GiveUp, Continue]),
        (polled("hapi", &page(200), 5), &[Cancel, GiveUp, Continue]),
    ];
    for (play, kinds) in cases {
        assert_eq!(taken(&play), kinds, "{}", play.pause().message);
        assert!(play.pause().decisions.iter().all(|kind| kinds.contains(kind)));
        assert!(!play.pause().decisions.contains(&Cancel), "this server has no cancel to offer");
        let mut given_up = play.clone();
        given_up.resolve(&Decision::GiveUp);
        let report = given_up.ended(play.pause().outcome);
        assert!(report.sentence.starts_with("Given up: ") && !report.advice.is_empty(), "{report:?}");
    }
}

#[test]
fn where_the_server_has_a_cancel_a_pause_offers_it() {
    let play = polled("smart-manifest", &empty(401), 1);
    assert_eq!(play.pause().decisions, [DecisionKind::Continue, DecisionKind::Cancel, DecisionKind::GiveUp]);
    assert_eq!(taken(&play), [DecisionKind::Cancel, DecisionKind::GiveUp, DecisionKind::Continue]);
}

#[test]
fn what_is_over_is_over() {
    let play = polled("hapi", &recorded!("poll-ended"), 1);
    assert_eq!(taken(&play), []);
    for decision in all() {
        play.refuses(&decision);
    }
}

#[test]
fn going_on_while_it_goes_on_changes_nothing() {
    let mut play = Play::running(named("hapi"));
    let before = (play.checkpoint.clone(), play.next.clone());
    play.resolve(&Decision::Continue);
    assert_eq!((play.checkpoint, play.next), before);
}

#[test]
fn a_status_url_that_cannot_be_kept_is_not_adopted() {
    let mut play = Play::new(named("hapi"));
    play.exchange("POST /$import", broken()).recover();
    for url in [String::new(), "x".repeat(3000)] {
        play.refuses(&Decision::Adopt(url));
    }
    play.resolve(&Decision::Adopt("http://fhir.internal/fhir/jobs/7".to_owned())).exchange("GET /jobs/7", running());
}

#[test]
fn a_resubmit_is_the_only_way_to_a_second_kick_off() {
    let mut play = Play::new(named("hapi"));
    play.exchange("POST /$import", broken()).recover();
    for _ in 0..3 {
        play.resolve(&Decision::Resubmit);
        assert_eq!(play.next, Next::Submit);
        play.now_ms += MINUTE_MS;
        play.exchange("POST /$import", page(502)).recover();
    }
    assert_eq!(play.kick_offs(), 4);
}

#[test]
fn who_gives_up_is_told_what_is_left_behind() {
    let mut split = dialect("smart-manifest");
    split.inputs.per_job = Some(1);
    let mut request = defined(split);
    request.inputs = vec![input("Patient", "a"), input("Patient", "b")];
    let mut play = Play::new(request);
    let mut first = play.clone();
    first.exchange("POST /$import", empty(401));
    assert_eq!(first.report_of(&Decision::GiveUp).advice, "No import was started.");

    play.exchange("POST /$import", accepted("/jobs/1")).exchange(POLL, manifest(&json!([]), &json!([])));
    play.exchange("POST /$import", empty(401));
    assert_eq!(play.report_of(&Decision::GiveUp).advice, "What was imported before stays on the server.");
    play.resolve(&Decision::Continue);
    play.now_ms += MINUTE_MS;
    play.exchange("POST /$import", accepted("/jobs/2")).exchange("GET /jobs/2", empty(401));
    assert_eq!(play.report_of(&Decision::GiveUp).advice, "The job may still be running on the server.");
}

#[test]
fn a_deadline_is_extended_from_now_or_from_itself_whichever_is_later() {
    let mut play = Play::running(named("hapi"));
    play.now_ms = START_MS + 2 * DEADLINE_MS;
    play.exchange(POLL, running());
    play.now_ms += MINUTE_MS;
    play.resolve(&Decision::Extend(5));
    assert_eq!(play.status().deadline_at_ms, play.now_ms + 5);
}

#[test]
fn a_cancel_that_is_asked_for_twice_is_the_same_cancel() {
    let mut play = Play::running(named("smart-manifest"));
    play.resolve(&Decision::Cancel);
    let before = (play.checkpoint.clone(), play.next.clone());
    play.resolve(&Decision::Cancel);
    assert_eq!((play.checkpoint.clone(), play.next.clone(), play.events.len()), (before.0, before.1, 1));
}

#[test]
fn a_server_without_a_word_about_cancelling_is_not_sent_a_cancel_from_a_pause_either() {
    let mut play = polled("hapi", &empty(401), 1);
    play.resolve(&Decision::Cancel);
    assert!(play.told(EventKind::Cancel).contains("only its operator can"), "{:?}", play.events);
    assert_eq!(play.status().phase, Phase::Paused);
}

#[test]
fn a_cancel_ends_what_only_asks_what_the_server_is() {
    let mut play = Play::new(request(DialectChoice::Detect));
    play.resolve(&Decision::Cancel);
    play.ended(Outcome::Cancelled);
    let mut play = Play::new(request(DialectChoice::Detect));
    play.exchange("GET /metadata", recorded!("capabilities"));
    assert!(matches!(play.next, Next::Step), "{:?}", play.next);
    play.resolve(&Decision::Cancel);
    assert_eq!(play.ended(Outcome::Cancelled).sentence, "Cancelled before a job was started.");
}

#[test]
fn who_only_asks_what_the_server_is_asks_although_the_dialect_is_named() {
    let mut detect = named("hapi");
    detect.purpose = Purpose::Detect;
    let play = Play::new(detect);
    assert_eq!((play.status().phase, &play.next), (Phase::Detecting, &Next::Step));
}
