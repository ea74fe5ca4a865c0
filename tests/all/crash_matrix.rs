//! The crash matrix: 14 points at which the client dies, 21 servers (each built-in dialect, and one more of each class but
//! D), 3 kinds of death. Each cell is run, on the real journal over a disk that can lose what was not synced, and has its
//! expected result in [`expected`]. What is different with a server is in [`manners`], with the reason.
//!
//! | point | the client dies |
//! |---|---|
//! | K0 | while it stores the plan |
//! | K1 | when the plan is stored |
//! | K2 | while it stores the intent |
//! | K3 | when the intent is stored, before a byte is sent |
//! | K4 | while it sends the kick-off |
//! | K5 | when the server has accepted, before the answer is read |
//! | K6 | while it stores where the job is, or what the answer said |
//! | K7 | when that is stored |
//! | K8 | while it stores that the job ended |
//! | K9 | while it reads an error file |
//! | K10 | while it reads back |
//! | K11 | while it stores the final word |
//! | K12 | when that is stored |
//! | K13 | while it reads the final word for the report |

mod cell;
mod dying;
mod manners;
mod stage;

use cell::{Calm, Came, run_cell};
use manners::{absent, booked, kick_offs};
use stage::{dialect, text};

use fhir_import::contract::DialectChoice;
use fhir_import_sandbox::{Personality, Sandbox};
use fhir_import_workflow::dialect::RecoveryClass;

use crate::harness::disk::Death;

/// When the client dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Point {
    K0,
    K1,
    K2,
    K3,
    K4,
    K5,
    K6,
    K7,
    K8,
    K9,
    K10,
    K11,
    K12,
    K13,
}

impl Point {
    const ALL: [Self; 14] = [
        Self::K0,
        Self::K1,
        Self::K2,
        Self::K3,
        Self::K4,
        Self::K5,
        Self::K6,
        Self::K7,
        Self::K8,
        Self::K9,
        Self::K10,
        Self::K11,
        Self::K12,
        Self::K13,
    ];
}

/// A point, of one of the kick-offs of an import where it belongs to one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Moment {
    point: Point,
    kick_off: u32,
}

/// What must come of a cell: kick-offs that reach the server, the jobs that come of them, and whether a person has to
/// look. In all of them the final word and its counts are those of an import that nothing happened to.
fn expected(point: Point, class: RecoveryClass, death: Death) -> Came {
    use RecoveryClass::{CallerKey, List, SameBytes, Unknowable};
    let calm = Came { kick_offs: 1, jobs: 1, asked: 0 };
    let asks = Came { asked: 1, ..calm };
    let sent_again = Came { kick_offs: 2, ..calm };
    // A process that is killed leaves what it wrote, synced or not: the record that it was storing is there.
    let stored = death == Death::Killed;
    match (point, class) {
        (Point::K2, _) if !stored => calm,
        // The intent alone: nothing has arrived.
        (Point::K2 | Point::K3 | Point::K4, SameBytes | CallerKey | List) => calm,
        (Point::K2 | Point::K3 | Point::K4, Unknowable) => asks,
        (Point::K6, _) if stored => calm,
        // The server answers with the job that is there.
        (Point::K5 | Point::K6, SameBytes | CallerKey) => sent_again,
        // Found in the list.
        (Point::K5 | Point::K6, List) => calm,
        // A person finds the job, and adopts it.
        (Point::K5 | Point::K6, Unknowable) => asks,
        _ => calm,
    }
}

/// Cells of one kind of death: 21 servers, less what is absent, and once more what sazare has twice.
const CELLS: usize = 21 * 14 - 15 + 6;

/// Every server, at every point that it has.
async fn matrix(death: Death) {
    let (mut cells, mut wrong) = (0, Vec::new());
    for server in Personality::EVERY {
        let (class, calm) = (dialect(server).recovery.class, Calm::of(server).await);
        for moment in moments(server, &calm) {
            let came = run_cell(moment, &calm, death).await;
            if came != booked(server, expected(moment.point, class, death)) {
                wrong.push(format!("{server}, {class:?}, {moment:?}, {death:?}: {came:?}\n"));
            }
            cells += 1;
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.concat());
    assert_eq!(cells, CELLS);
}

/// When the client dies with a server: at every point that an import comes past, and no other is absent.
fn moments(server: Personality, calm: &Calm) -> Vec<Moment> {
    let mut moments = Vec::new();
    for point in Point::ALL {
        let why_not = absent(server, point);
        assert_eq!(calm.passes(point), why_not.is_none(), "{server}, {point:?}: {why_not:?}");
        let times = if why_not.is_none() { kick_offs(server, point) } else { 0 };
        moments.extend((1..=times).map(|kick_off| Moment { point, kick_off }));
    }
    moments
}

#[tokio::test]
async fn each_server_at_each_point_when_the_process_is_killed() {
    matrix(Death::Killed).await;
}

#[tokio::test]
async fn each_server_at_each_point_when_the_power_is_cut() {
    matrix(Death::UnsyncedLost).await;
}

#[tokio::test]
async fn each_server_at_each_point_when_the_power_is_cut_in_the_middle_of_a_write() {
    matrix(Death::TornWrite).await;
}

#[test]
fn every_built_in_dialect_is_in_the_matrix() {
    let servers = Personality::EVERY.map(Personality::name);
    for dialect in fhir_import_dialects::all() {
        assert!(servers.contains(&dialect.name.as_str()), "{}", dialect.name);
    }
}

/// Jobs and resources at a server.
fn books(sandbox: &Sandbox) -> (usize, usize) {
    (sandbox.jobs(), sandbox.stored())
}

/// The classes that [`expected`] goes by are the dialects'. This asks the servers themselves.
#[tokio::test]
async fn a_second_kick_off_does_at_each_server_what_its_dialect_says() {
    for server in Personality::EVERY {
        let calm = Calm::of(server).await;
        let (jobs, stored) = books(calm.sandbox());
        calm.kick_off_again().await;
        let more = usize::from(match dialect(server).recovery.class {
            RecoveryClass::SameBytes | RecoveryClass::CallerKey => server == Personality::Sazare,
            RecoveryClass::List | RecoveryClass::Unknowable => true,
        });
        assert_eq!(books(calm.sandbox()), (jobs + more, stored), "{server}");
    }
}

/// A class that promises too much makes a second job, which the cells count.
#[tokio::test]
async fn a_dialect_that_promises_too_much_is_found_out() {
    let careful = [RecoveryClass::List, RecoveryClass::Unknowable];
    for server in Personality::EVERY.into_iter().filter(|server| careful.contains(&dialect(*server).recovery.class)) {
        let mut wrong: serde_json::Value = serde_json::from_str(&text(server)).unwrap();
        wrong["recovery"] = serde_json::json!({ "class": "same-bytes" });
        let calm = Calm::of_dialect(server, DialectChoice::Defined(wrong.to_string())).await;
        let came = run_cell(Moment { point: Point::K5, kick_off: 1 }, &calm, Death::Killed).await;
        assert_eq!(came, Came { kick_offs: 2, jobs: 2, asked: 0 }, "{server}");
    }
}
