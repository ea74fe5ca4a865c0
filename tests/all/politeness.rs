//! What a server sees of our waiting, on a virtual clock: every number here is counted at the practice server.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use fhir_import::contract::{Event, Next, PauseReason, Request};
use fhir_import::net::{AllowList, PhaseLimits, Sender, TlsRoots};
use fhir_import::secrets::Secrets;
use fhir_import::{End, Importer, Network, SharedClock, Stop, Watch, drive};
use fhir_import_sandbox::{Personality, Script};
use fhir_import_workflow::pace::FLOOR_MS;
use serde_json::{Value, json};

use crate::harness::rig::{Rig, START_MS, engine};
use crate::harness::servers::FIRST;

const PATIENT: [(&str, &str); 1] = [("Patient", "{\"resourceType\":\"Patient\",\"id\":\"p1\"}\n")];
const HOUR_MS: u64 = 3_600_000;

/// When each poll reached the server: the clock stands still while a call lasts, and `next` is told after each.
struct Polls<'a> {
    /// The server's own count.
    count: &'a (dyn Fn() -> usize + Sync),
    clock: &'a SharedClock,
    at_ms: Vec<u64>,
}

impl Watch for Polls<'_> {
    fn happened(&mut self, _: &Event) {}

    fn next(&mut self, _: &Next) {
        self.at_ms.resize((self.count)(), self.clock.now_ms());
    }
}

impl Polls<'_> {
    /// The waits before each poll; the first one since the kick-off, which is sent when the import begins.
    fn waits(&self) -> Vec<u64> {
        let before = std::iter::once(START_MS).chain(self.at_ms.iter().copied());
        self.at_ms.iter().zip(before).map(|(at, before)| at - before).collect()
    }
}

fn script(json: Value) -> Script {
    serde_json::from_value(json).unwrap()
}

/// A job that does not end, and is given up after an hour.
fn endless(with: &Value) -> Script {
    let mut json = json!({ "polls_until_done": 1_000_000, "retry_after": "" });
    json.as_object_mut().unwrap().extend(with.as_object().unwrap().clone());
    script(json)
}

async fn follow(rig: &Rig, request: &Request) -> (End, Vec<u64>) {
    follow_at(rig, request, &|| rig.sandbox.polls()).await
}

async fn follow_at(rig: &Rig, request: &Request, count: &(dyn Fn() -> usize + Sync)) -> (End, Vec<u64>) {
    let id = rig.begin(request).await;
    let mut polls = Polls { count, clock: &rig.clock, at_ms: Vec::new() };
    let end =
        drive(&rig.importer, &rig.journal, &rig.lease(&id), &rig.budget(), &Stop::default(), &mut polls).await.unwrap();
    (end, polls.waits())
}

/// The waits before the polls of an import, of a job that ends or is given up after an hour.
async fn waits(personality: Personality, script: Script) -> (End, Vec<u64>) {
    let rig = Rig::new(personality, script).await;
    follow(&rig, &rig.request(&PATIENT)).await
}

/// The same, for a job that does not end.
async fn hour(personality: Personality, with: &Value) -> Vec<u64> {
    let (end, waits) = waits(personality, endless(with)).await;
    assert!(matches!(&end, End::Paused(pause) if pause.reason == PauseReason::Deadline), "{with}: {end:?}");
    waits
}

#[tokio::test]
async fn no_two_polls_are_closer_than_the_floor_whatever_the_server_asks() {
    let past = "Thu, 01 Jan 1970 00:00:00 GMT";
    let shapes = ["0", "-1", "1e12", "1000000000000", "NaN", "1.5", "soon", "99999999999999999999999", past];
    for personality in FIRST {
        for shape in shapes {
            let asked = json!({ "polls_until_done": 8, "retry_after": shape });
            let (end, waits) = waits(personality, script(asked)).await;
            assert!(matches!(end, End::Done(_)), "{personality} {shape:?}: {end:?}");
            assert!(
                waits.len() >= 9 && waits.iter().all(|wait| *wait >= FLOOR_MS),
                "{personality} {shape:?}: {waits:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_date_is_waited_for_by_the_servers_clock() {
    for personality in FIRST {
        let asked = json!({ "polls_until_done": 5, "retry_after": "7", "retry_after_date": true });
        let (_, waits) = waits(personality, script(asked)).await;
        let asked = &waits[1..];
        // Its clock is the real one, ours stands in another month; both its dates are whole seconds.
        assert!(
            asked.len() >= 4 && asked.iter().all(|wait| (6_000..=8_000).contains(wait)),
            "{personality}: {waits:?}"
        );
    }
}

#[tokio::test]
async fn two_hours_are_too_long_between_polls() {
    let waits = hour(Personality::SmartManifest, &json!({ "retry_after": "7200" })).await;
    assert_eq!(waits, [1_000, 600_000, 600_000, 600_000, 600_000, 600_000, 599_000]);
}

#[tokio::test]
async fn a_busy_server_is_left_alone_for_two_hours_but_not_beyond_the_deadline() {
    let busy =
        json!([{ "on": "poll", "action": { "answer": { "status": 503, "headers": { "Retry-After": "7200" } } } }]);
    let rig = Rig::new(Personality::SmartManifest, endless(&json!({ "faults": busy }))).await;
    let mut request = rig.request(&PATIENT);
    request.policy.deadline_ms = 3 * HOUR_MS;
    let (end, waits) = follow(&rig, &request).await;
    assert!(matches!(&end, End::Paused(pause) if pause.reason == PauseReason::Deadline), "{end:?}");
    assert_eq!(waits, [1_000, 2 * HOUR_MS, HOUR_MS - 1_000]);
}

/// What goes wrong, as the action of a fault.
fn troubles() -> [Value; 8] {
    let answer = |status: u16, headers: Value, body: &str, kind: &str| json!({ "answer": { "status": status, "headers": headers, "body": body, "content_type": kind } });
    let html = "<html><body>Something went wrong.</body></html>";
    [
        json!("drop"),
        json!("html-page"),
        json!("garbage-json"),
        answer(500, json!({}), html, "text/html"),
        answer(503, json!({}), "", "text/plain"),
        answer(503, json!({ "Retry-After": "0" }), "", "text/plain"),
        answer(429, json!({}), "", "text/plain"),
        answer(429, json!({ "Retry-After": "1" }), "", "text/plain"),
    ]
}

#[tokio::test]
async fn a_server_in_trouble_is_asked_no_more_often_than_a_healthy_one() {
    for personality in FIRST {
        let healthy = hour(personality, &json!({})).await.len();
        assert!((60..70).contains(&healthy), "{personality}: {healthy}");
        for trouble in troubles() {
            // From the first poll on, and of a job that was polled a while.
            for nth in [1, 20] {
                let fault = json!([{ "on": "poll", "nth": nth, "times": 1_000_000, "action": trouble }]);
                let failing = hour(personality, &json!({ "faults": fault })).await.len();
                assert!(10 * failing <= 11 * healthy, "{personality} {trouble} {nth}: {failing} instead of {healthy}");
            }
        }
    }
}

#[tokio::test]
async fn what_a_healthy_server_asked_for_holds_while_it_is_in_trouble() {
    let asks = json!({ "retry_after": "120" });
    let healthy = hour(Personality::Hapi, &asks).await.len();
    for trouble in troubles() {
        let fault = json!([{ "on": "poll", "nth": 2, "times": 1_000_000, "action": trouble }]);
        let failing = hour(Personality::Hapi, &json!({ "retry_after": "120", "faults": fault })).await.len();
        assert!(10 * failing <= 11 * healthy, "{trouble}: {failing} instead of {healthy}");
    }
}

#[tokio::test]
async fn every_second_poll_that_fails_makes_no_storm() {
    let healthy = hour(Personality::Hapi, &json!({})).await.len();
    let faults: Vec<Value> = (0..100).map(|n| json!({ "on": "poll", "nth": 2 * n + 8, "action": "drop" })).collect();
    let flapping = hour(Personality::Hapi, &json!({ "faults": faults })).await.len();
    assert!(10 * flapping <= 11 * healthy, "{flapping} instead of {healthy}");
}

#[tokio::test]
async fn a_busy_server_gets_a_kick_off_no_more_often_than_a_poll() {
    let healthy = hour(Personality::Hapi, &json!({})).await.len();
    for status in [429, 503] {
        let own = json!({ "resourceType": "OperationOutcome", "issue": [] }).to_string();
        let said = json!({ "status": status, "body": own, "content_type": "application/fhir+json" });
        let busy = json!([{ "on": "kick-off", "action": { "answer": said } }]);
        let rig = Rig::new(Personality::Hapi, script(json!({ "faults": busy }))).await;
        let (end, _) = follow(&rig, &rig.request(&PATIENT)).await;
        assert!(matches!(end, End::Done(_)), "{end:?}");
        assert!(10 * rig.sandbox.kick_offs() <= 11 * healthy, "{}", rig.sandbox.kick_offs());
        assert!(rig.sandbox.kick_offs() >= 30, "it is tried until the deadline: {}", rig.sandbox.kick_offs());
    }
}

/// A server that accepts every kick-off, and answers each poll with two headers that do not agree. Its base URL, and how
/// often it was polled.
fn of_two_minds() -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}/fhir", listener.local_addr().unwrap());
    let polls = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&polls);
    // It ends with the process: a thread that accepts cannot be asked to stop.
    std::thread::spawn(move || listener.incoming().flatten().for_each(|stream| disagree(&stream, &seen)));
    (base, polls)
}

fn disagree(mut stream: &TcpStream, polls: &AtomicUsize) {
    let mut reader = BufReader::new(stream);
    let head: Vec<String> = reader.by_ref().lines().map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
    let length_of = |line: &String| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse::<u64>().ok();
    let length = head.iter().filter_map(length_of).sum();
    std::io::copy(&mut reader.by_ref().take(length), &mut std::io::sink()).unwrap();
    let headers = if head[0].starts_with("POST") {
        "Content-Location: /fhir/jobs/1\r\n"
    } else {
        polls.fetch_add(1, Ordering::SeqCst);
        "Retry-After: 5\r\nRetry-After: 120\r\n"
    };
    write!(stream, "HTTP/1.1 202 Accepted\r\n{headers}Content-Length: 0\r\nConnection: close\r\n\r\n").unwrap();
}

#[tokio::test]
async fn of_two_headers_the_longer_counts() {
    let mut rig = Rig::new(Personality::SmartManifest, Script::default()).await;
    let mut request = rig.request(&PATIENT);
    let (base, polls) = of_two_minds();
    let network = Network::new(
        AllowList::new(&base.parse().unwrap()).unwrap(),
        Secrets::default(),
        Arc::new(Sender::new(&TlsRoots::default(), PhaseLimits::default()).unwrap()),
    );
    request.base_url = base;
    request.policy.deadline_ms = 301_000;
    rig.importer = Importer::new(engine(), Arc::clone(&rig.clock), network);
    let (end, waits) = follow_at(&rig, &request, &|| polls.load(Ordering::SeqCst)).await;
    assert!(matches!(&end, End::Paused(pause) if pause.reason == PauseReason::Deadline), "{end:?}");
    assert_eq!(waits, [1_000, 120_000, 120_000, 60_000]);
}
