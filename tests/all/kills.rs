//! `kill -9` of the command line: at the four points round the one dangerous write (reliability.md §4.2, K3 to K6) for
//! each class of recovery, and anywhere else. What the server saw decides.

use std::time::Duration;

use fhir_import_sandbox::{Endpoint, Personality};
use rcgen::{CertifiedKey, KeyPair};
use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};
use tokio::runtime::Handle;

use crate::harness::cli::{Desk, Ran};
use crate::harness::door::{Behind, Door};
use crate::harness::person::{Person, RESOURCES, seed};
use crate::harness::running::{Running, each, until};
use crate::harness::servers::PLAIN;

const AT_ONCE: usize = 5;

/// Where it dies.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Point {
    /// The intent is durable, and no byte of the kick-off has left: the handshake of TLS is not answered.
    K3,
    /// The kick-off has left, and never arrives.
    K4,
    /// The server has accepted the kick-off, and its answer is on its way.
    K5,
    /// The answer is read and shown, and cannot be stored: another program writes to the journal.
    K6,
}

/// What `wait` makes of it.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Then {
    /// It goes on by itself.
    GoesOn,
    /// Only a look at the server can tell: exit 11, and what was found is adopted.
    IsAdopted,
    /// The same, and what was not found is sent again.
    IsResubmitted,
}

struct Cell {
    point: Point,
    personality: Personality,
    then: Then,
    /// How many kick-offs the server has seen at the end. It has one job.
    kick_offs: usize,
}

/// Every point for every class: A same bytes, B the caller's key, C a list of jobs, D unknowable.
fn cells() -> Vec<Cell> {
    use Personality::{CallerKey, Hapi, Listed, SameBytes, SmartManifest};
    use Point::{K3, K4, K5, K6};
    use Then::{GoesOn, IsAdopted, IsResubmitted};
    let cell = |(point, personality, then, kick_offs)| Cell { point, personality, then, kick_offs };
    let table = [
        (K3, SameBytes, GoesOn, 1),
        (K3, CallerKey, GoesOn, 1),
        (K3, Listed, GoesOn, 1),
        (K3, Hapi, IsResubmitted, 1),
        (K4, SameBytes, GoesOn, 1),
        (K4, CallerKey, GoesOn, 1),
        (K4, Listed, GoesOn, 1),
        (K4, SmartManifest, IsResubmitted, 1),
        (K5, SameBytes, GoesOn, 2),
        (K5, CallerKey, GoesOn, 2),
        (K5, Listed, GoesOn, 1),
        (K5, Hapi, IsAdopted, 1),
        (K6, SameBytes, GoesOn, 2),
        (K6, CallerKey, GoesOn, 2),
        (K6, Listed, GoesOn, 1),
        (K6, SmartManifest, IsAdopted, 1),
    ];
    table.map(cell).into()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_round_the_kick_off_is_recovered_by_the_class_of_the_server() {
    each(cells(), AT_ONCE, die_and_recover).await;
}

#[expect(clippy::needless_pass_by_value, reason = "each thread owns its cell")]
fn die_and_recover(cell: Cell) {
    let what = format!("{:?}, {}", cell.point, cell.personality);
    let person = Person::at(cell.personality, script(&cell));
    let key = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let door = Handle::current().block_on(door(&person, &cell, &key));
    let ca = person.desk.write("ca.pem", &key.cert.pem());
    let words = person.run_words(&door.base_url(), &["--ca", ca.to_str().unwrap(), "Patient.ndjson"]);
    let mut run = Running::start(person.desk.command(words));
    let before = let_the_first_through(&person, &cell, &door);
    let shown = die_at(cell.point, &person, &door, before, &mut run);
    door.put_behind(Behind::Server(person.port()));

    let job = person.desk.only_job();
    let waited = person.types(["wait", &job, "--json"]);
    let ended = match cell.then {
        Then::GoesOn => waited,
        Then::IsAdopted | Then::IsResubmitted => decide(&person, &waited, &cell, shown.as_deref()),
    };
    assert_eq!(ended.code, 0, "{what}: {ended:?}");
    assert_eq!(ended.json()["verdict"], "verified", "{what}: {ended:?}");
    person.has_one_job(&what);
    assert_eq!(person.server.kick_offs(), cell.kick_offs, "{what}");
}

/// What is asked before the kick-off, for the server's time, and how a fault names it.
fn asked_before(personality: Personality) -> Option<(Endpoint, &'static str)> {
    match personality {
        Personality::Listed => Some((Endpoint::List, "list")),
        Personality::SameBytes => Some((Endpoint::Metadata, "metadata")),
        _ => None,
    }
}

/// Where something is asked before the kick-off, it goes through the same door. So its answer is late, which gives time
/// to change what stands behind the door, or the server itself holds the answer to the kick-off back.
fn script(cell: &Cell) -> Value {
    let before = asked_before(cell.personality);
    let fault = match cell.point {
        Point::K3 | Point::K4 => {
            json!({ "on": before.map(|(_, name)| name), "nth": 1, "action": { "delay-ms": 2000 } })
        }
        Point::K5 => json!({ "on": "kick-off", "nth": 1, "action": { "accept-then-delay-ms": 60_000 } }),
        Point::K6 => json!({ "on": "kick-off", "nth": 1, "action": { "accept-then-delay-ms": 5_000 } }),
    };
    let faults = if before.is_some() { json!([fault]) } else { json!([]) };
    json!({ "retry_after": "1", "polls_until_done": 1, "faults": faults })
}

async fn door(person: &Person, cell: &Cell, key: &CertifiedKey<KeyPair>) -> Door {
    let behind = match asked_before(cell.personality) {
        Some(_) => Behind::Server(person.port()),
        None => behind(person, cell.point),
    };
    if cell.point == Point::K3 { Door::open_tls(key, behind).await } else { Door::open(behind).await }
}

/// What the kick-off meets.
fn behind(person: &Person, point: Point) -> Behind {
    match point {
        Point::K3 => Behind::Nobody,
        Point::K4 => Behind::Swallow,
        Point::K5 | Point::K6 => Behind::Holds(person.port()),
    }
}

/// What is asked before the kick-off reaches the server. Answers how many connections that took.
fn let_the_first_through(person: &Person, cell: &Cell, door: &Door) -> usize {
    let before = asked_before(cell.personality).filter(|_| matches!(cell.point, Point::K3 | Point::K4));
    let Some((endpoint, _)) = before else { return 0 };
    let asked = || person.server.log().iter().any(|seen| seen.endpoint == Some(endpoint));
    until("the server is asked before the kick-off", asked);
    door.put_behind(behind(person, cell.point));
    door.connections()
}

/// Waits for the point and kills. Answers the status URL when it was shown.
fn die_at(point: Point, person: &Person, door: &Door, before: usize, run: &mut Running) -> Option<String> {
    until("the intent is durable", || intents(&person.desk) == 1);
    match point {
        Point::K3 => until("somebody came", || door.connections() > before),
        Point::K4 => until("the kick-off has left", || door.swallowed().ends_with('}')),
        Point::K5 | Point::K6 => until("the server has done its work", || person.server.stored() == RESOURCES),
    }
    let lock = (point == Point::K6).then(|| {
        let lock = Connection::open(person.desk.path("state/journal.sqlite")).unwrap();
        lock.execute_batch("BEGIN IMMEDIATE").unwrap();
        door.put_behind(Behind::Server(person.port()));
        assert!(run.says("its status is at"), "{}", run.talk());
        lock
    });
    assert!(!run.has_left(), "{point:?}: {}", run.talk());
    run.kill();
    lock.map(|_| status_url(&run.talk()))
}

/// The status URL that was shown before it could be stored.
fn status_url(talk: &str) -> String {
    let (_, url) = talk.split_once("its status is at ").unwrap();
    url.lines().next().unwrap().to_owned()
}

/// Where nobody can know, a person is asked and looks: at what was shown, else at the server.
fn decide(person: &Person, waited: &Ran, cell: &Cell, shown: Option<&str>) -> Ran {
    let (json, job) = (waited.json(), person.desk.only_job());
    assert_eq!((waited.code, json["paused"].as_str()), (11, Some("submit-unknown")), "{waited:?}");
    assert_eq!(person.server.jobs(), usize::from(cell.then == Then::IsAdopted), "nothing was sent again");
    if let Some(shown) = shown {
        assert_eq!(person.server.job_urls(), [shown], "what was shown is the job");
    }
    let resolved = person.decide(&job);
    assert_eq!(resolved.code, 9, "{resolved:?}");
    person.types(["wait", &job, "--json"])
}

/// How many kick-offs were about to be sent, as the journal says.
fn intents(desk: &Desk) -> u32 {
    let path = desk.path("state/journal.sqlite");
    let count = || {
        let journal = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        journal.query_row("SELECT count(*) FROM intent", [], |row| row.get(0))
    };
    count().unwrap_or(0)
}

/// A run that dies somewhere.
struct Death {
    personality: Personality,
    after: Duration,
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_anywhere_is_recovered_to_one_job_and_the_right_end() {
    let mut chance = fastrand::Rng::with_seed(seed("kills"));
    let death = |index: usize| Death {
        personality: PLAIN[index % PLAIN.len()],
        after: Duration::from_millis(chance.u64(0..6_000)),
    };
    each((0..20).map(death).collect(), AT_ONCE, die_anywhere).await;
}

#[expect(clippy::needless_pass_by_value, reason = "each thread owns its death")]
fn die_anywhere(death: Death) {
    let what = format!("{} after {:?}", death.personality, death.after);
    let person = Person::at(death.personality, json!({ "retry_after": "1", "polls_until_done": 1 }));
    let words = person.run_words(&person.server.base_url(), &["--json", "Patient.ndjson"]);
    let mut run = Running::start(person.desk.command(&words));
    // Counted from its first word when it has much time, so that few of them die before they begin.
    if death.after > Duration::from_secs(2) {
        run.says("from any terminal");
    }
    std::thread::sleep(death.after / 2);
    run.kill();
    let jobs = person.types(["jobs", "--json"]);
    let ended = match jobs.json()["jobs"].as_array().map(Vec::as_slice) {
        Some([one]) => person.bring_to_end(one["job"].as_str().unwrap()),
        _ => person.types(&words),
    };
    assert_eq!((person.server.jobs(), person.server.deletes()), (1, 0), "{what}: {ended:?}");
    // A server that came for the files after the kill says so, and so must we.
    let right = if person.server.stored() == RESOURCES { ended.code == 0 } else { [6, 7, 8].contains(&ended.code) };
    assert!(right, "{what}: {} stored, {ended:?}", person.server.stored());
}
