//! A checkpoint is small, survives being stored, and is refused when it is not one.

use fhir_import_records::{ErrorClass, IssueSeverity};
use serde_json::{Value, json};

use super::answers::{answer, broken, empty, json_answer, manifest, outcome, running};
use super::{BASE, Play, defined, expected, input, named, request, sample};
use crate::checkpoint::{Checkpoint, MAX_BYTES};
use crate::outcome::Outcome;
use crate::plan::{MAX_TYPES, Plan};
use crate::progress::CLASSES;
use crate::request::DialectChoice;
use crate::status::Phase;
use crate::transition::{Decision, Next};
use crate::url::MAX_URL;
use crate::{Error, Session};

const POLL: &str = "GET /jobs/1";

/// A type whose name has as many letters as the longest that FHIR defines.
fn kind(n: usize) -> String {
    format!("MedicinalProductUndesirableEff{}", letters(n))
}

fn letters(n: usize) -> String {
    [n / 26 / 26 % 26, n / 26 % 26, n % 26].iter().map(|i| char::from(b'a' + *i as u8)).collect()
}

/// An import of as many types as FHIR R5 has, each with a count that the server tells.
fn broad(types: usize) -> Play {
    let mut request = named("smart-manifest");
    request.inputs = (0..types).map(|n| input(&kind(n), &format!("file{n}"))).collect();
    request.expected = (0..types).map(|n| expected(&kind(n), 1_000_000)).collect();
    request.samples = (0..40).map(|n| sample(&format!("{}/{n}", kind(n)), "")).collect();
    Play::running(request)
}

/// A server that says as much as it can: counts and errors of each type, and twelve error files with long names.
fn talkative(types: usize) -> Play {
    let mut play = broad(types);
    let file = |n: usize| format!("http://127.0.0.1:18090/file{n}.ndjson");
    let output: Vec<Value> = (0..types).map(|n| json!({ "inputUrl": file(n), "count": 999_999_999 })).collect();
    let error: Vec<Value> =
        (0..types).map(|n| json!({ "inputUrl": file(n), "count": 88_888_888, "url": error_file(n % 12) })).collect();
    play.exchange(POLL, manifest(&json!(output), &json!(error)));
    play
}

fn error_file(n: usize) -> String {
    format!("{BASE}/{}{n:02}", "x".repeat(510 - BASE.len() - 2))
}

fn long_errors() -> Vec<u8> {
    let row = |n: usize| {
        let text = format!("{} {}", letters(n), "\u{1f600}\" \\ ".repeat(60));
        let issue = json!([{ "severity": "error", "code": "a".repeat(32), "diagnostics": text }]);
        json!({ "lineId": 1_000_000_000_000_u64 + n as u64, "outcome": { "issue": issue } }).to_string()
    };
    let rows: Vec<String> = (0..40).flat_map(|n| std::iter::repeat_n(row(n), 2)).collect();
    rows.join("\n").into_bytes()
}

#[test]
fn the_most_talkative_server_does_not_burst_it() {
    let mut play = talkative(157);
    for n in 0..12 {
        let path = error_file(n);
        play.exchange(&format!("GET {}", path.strip_prefix(BASE).unwrap()), answer(200, &[], long_errors()));
    }
    let mut largest = 0;
    while !matches!(play.next, Next::Done(_)) {
        let reading = play.status();
        assert_eq!(reading.phase, Phase::Verifying);
        largest = largest.max(play.checkpoint.len());
        play.now_ms += 60_000;
        let mut asked = play.clone();
        let reply = json_answer(200, &json!({ "resourceType": "Bundle", "total": 5 }));
        let crate::Turn::Send(exchange, waiting) = asked.session().call(crate::Call::Step, asked.now_ms).unwrap()
        else {
            panic!("{:?}", play.next);
        };
        let counts = exchange.url.contains("_summary");
        asked.took(waiting.answered(asked.now_ms, if counts { reply } else { empty(404) }));
        play = asked;
    }
    let report = play.ended(Outcome::FinishedWithErrors);
    assert!(largest > MAX_BYTES / 2, "{largest}");
    assert_eq!(report.rejected, Some(157 * 88_888_888));
    let counted: u64 = report.errors.iter().map(|class| class.count).sum();
    assert_eq!(counted, 12 * 40 * 2, "classes that do not fit are counted in one");
}

#[test]
fn the_longest_url_fits_beside_everything_else() {
    let mut play = Play::new(named("smart-manifest"));
    let url = format!("{BASE}/{}", "\"".repeat(MAX_URL - BASE.len() - 1));
    play.exchange("POST /$import", answer(202, &[("Content-Location", &url)], ""));
    let poll = format!("GET {}", url.strip_prefix(BASE).unwrap());
    play.exchange(&poll, answer(202, &[("X-Progress", &"\"".repeat(9000))], ""));
    play.exchange(&poll, empty(401)).resolve(&Decision::Continue).exchange(&poll, running());
    assert_eq!(play.status().job_url, Some(url));
}

#[test]
fn an_answer_of_many_long_errors_is_shown_as_far_as_it_fits() {
    let issue: Vec<Value> = (0..100)
        .map(|n| json!({ "severity": "error", "diagnostics": format!("{} {}", letters(n), "\u{1f600} ".repeat(99)) }))
        .collect();
    let body = json!({ "resourceType": "OperationOutcome", "issue": issue });
    let mut play = Play::new(named("hapi"));
    play.exchange("POST /$import", json_answer(400, &body));
    assert!(play.ended(Outcome::Refused).sentence.ends_with('…'));
    let mut play = Play::running(named("hapi"));
    play.exchange(POLL, json_answer(200, &body));
    play.ended(Outcome::FinishedWithErrors);
}

#[test]
fn what_a_plan_may_hold_at_most_fits_even_when_all_goes_wrong() {
    let plan = Plan::new(
        {
            let mut request = named("smart-manifest");
            request.expected = (0..MAX_TYPES)
                .map(|n| expected(&"x".repeat(61).chars().chain(letters(n).chars()).collect::<String>(), 1))
                .collect();
            request.samples = vec![sample("Patient/p", ""); 200];
            request
        },
        &super::builtin(),
    )
    .unwrap();
    let session = Play::running(named("smart-manifest")).session();
    let mut progress = session.progress().clone();
    let class = |n: u32| ErrorClass {
        severity: IssueSeverity::Error,
        code: "a".repeat(32),
        text: format!("{n}{}", "\u{1f600}".repeat(198)),
        count: u64::MAX,
        lines: vec![u64::MAX; 10],
    };
    progress.tally.errors = (0..CLASSES).map(class).collect();
    progress.read_back.missing = (0..200).collect();
    progress.read_back.different = (0..200).collect();
    progress.read_back.short = (0..200).collect();
    for expected in &plan.expected {
        progress.tally.add_imported(Some(&expected.resource_type), u64::MAX);
        progress.tally.add_rejected(Some(&expected.resource_type), u64::MAX);
        *progress.read_back.totals.entry(&expected.resource_type) = u64::MAX;
    }
    let mut checkpoint = Checkpoint::new(&plan, progress, session.state().clone());
    let text = checkpoint.encode();
    assert!(text.len() <= MAX_BYTES, "{}", text.len());
    assert_eq!(Checkpoint::decode(&text, &plan).unwrap(), checkpoint);
}

#[test]
fn a_checkpoint_survives_being_stored_in_every_state() {
    for play in every_state() {
        let plan = Plan::decode(&play.plan).unwrap();
        let mut checkpoint = Checkpoint::decode(&play.checkpoint, &plan).unwrap();
        assert_eq!(checkpoint.encode(), play.checkpoint);
        assert_eq!(plan.encode(), play.plan);
    }
}

/// One import in each state.
pub fn every_state() -> Vec<Play> {
    let detecting = Play::new(request(DialectChoice::Detect));
    let mut lost = Play::new(named("hapi"));
    lost.exchange("POST /$import", broken());
    let mut unknown = lost.clone();
    unknown.recover();
    let mut busy = Play::new(named("hapi"));
    busy.exchange("POST /$import", empty(429));
    let mut doubtful = Play::running(named("smart-manifest"));
    doubtful.exchange(POLL, outcome(500, "it broke"));
    let mut refused = Play::running(named("smart-manifest"));
    refused.exchange(POLL, empty(401));
    let mut cancelling = Play::running(named("smart-manifest"));
    cancelling.resolve(&Decision::Cancel);
    let mut verifying = named("smart-manifest");
    verifying.samples = vec![sample("Patient/p1", "")];
    let mut verifying = Play::running(verifying);
    verifying.exchange(POLL, manifest(&json!([]), &json!([])));
    verifying.exchange("GET /Patient/p1", empty(404));
    let mut done = Play::running(named("smart-manifest"));
    done.exchange(POLL, manifest(&json!([{ "count": 1 }]), &json!([])));
    let looking = Play::new(defined(super::listed::listed()));
    vec![
        detecting,
        looking,
        super::listed::lost(),
        Play::new(named("hapi")),
        lost,
        unknown,
        busy,
        doubtful,
        refused,
        talkative(3),
        cancelling,
        verifying,
        done,
    ]
}

fn refused(plan: &str, checkpoint: &str) -> String {
    match Session::open(plan, checkpoint) {
        Err(Error::InvalidCheckpoint(text) | Error::InvalidPlan(text)) => text,
        Err(other) => panic!("{other}"),
        Ok(session) => panic!("taken: {:?}", session.state()),
    }
}

#[test]
fn what_is_no_checkpoint_of_this_plan_is_refused_with_a_reason() {
    let play = Play::running(named("hapi"));
    let mut value: Value = serde_json::from_str(&play.checkpoint).unwrap();
    value["version"] = json!(2);
    value["state"] = json!("a-state-of-the-future");
    assert!(refused(&play.plan, &value.to_string()).contains("it has form 2, this component reads form 1"));
    let (head, _) = play.plan.split_once('\n').unwrap();
    let mut value: Value = serde_json::from_str(head).unwrap();
    value["version"] = json!(2);
    assert!(refused(&value.to_string(), &play.checkpoint).contains("the plan has form 2"));

    let mut other = named("hapi");
    other.id = "f".repeat(32);
    let other = Play::running(other);
    assert_eq!(refused(&play.plan, &other.checkpoint), "it belongs to another import");
    assert!(refused(&play.plan, &" ".repeat(MAX_BYTES + 1)).contains("more than the 16384"));
    for nonsense in ["", "null", "[]", "{}", "{\"version\":1}", &"[".repeat(10_000)] {
        refused(&play.plan, nonsense);
        refused(nonsense, &play.checkpoint);
    }
}

#[test]
fn a_text_that_was_cut_off_is_refused() {
    for play in every_state() {
        let plan = Plan::decode(&play.plan).unwrap();
        for at in 0..play.checkpoint.len() {
            assert!(Checkpoint::decode(&play.checkpoint[..at], &plan).is_err(), "{at}");
        }
    }
    let play = Play::new(named("hapi"));
    for at in (0..play.plan.len()).step_by(7) {
        refused(&play.plan[..at], &play.checkpoint);
    }
}
