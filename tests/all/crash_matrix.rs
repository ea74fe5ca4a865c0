//! The crash matrix: 14 points at which the client dies, 4 classes of recovery, 3 kinds of death. Each of the 168 cells is
//! run, on the real journal over a disk that can lose what was not synced, and has its expected result in [`expected`].
//!
//! | point | the client dies |
//! |---|---|
//! | K0 | while it stores the plan |
//! | K1 | when the plan is stored |
//! | K2 | while it stores the intent |
//! | K3 | when the intent is stored, before a byte is sent |
//! | K4 | while it sends the kick-off |
//! | K5 | when the server has accepted, before the answer is read |
//! | K6 | while it stores where the job is |
//! | K7 | when that is stored |
//! | K8 | while it stores that the job ended |
//! | K9 | while it reads an error file |
//! | K10 | while it reads back |
//! | K11 | while it stores the final word |
//! | K12 | when that is stored |
//! | K13 | while it reads the final word for the report |

mod cell;
mod dying;

use cell::{Came, run_cell};

use fhir_import_sandbox::Personality;

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

/// What a second kick-off would do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    /// The same bytes are the same job.
    A,
    /// The caller names the job.
    B,
    /// Jobs can be listed.
    C,
    /// A second job.
    D,
}

/// What must come of a cell: kick-offs that reach the server, and whether a person has to look. In all of them one job
/// runs, and the final word and its counts are those of an import that nothing happened to.
fn expected(point: Point, class: Class, death: Death) -> Came {
    use Class::{A, B, C, D};
    // A process that is killed leaves what it wrote, synced or not: the record that it was storing is there.
    let stored = death == Death::Killed;
    let intent_alone = |class| match class {
        A | B | C => Came { kick_offs: 1, asked: 0 },
        D => Came { kick_offs: 1, asked: 1 },
    };
    match (point, class) {
        (Point::K2, class) if stored => intent_alone(class),
        (Point::K3 | Point::K4, class) => intent_alone(class),
        (Point::K6, _) if stored => Came { kick_offs: 1, asked: 0 },
        // Sent again: the server answers with the job that is there.
        (Point::K5 | Point::K6, A | B) => Came { kick_offs: 2, asked: 0 },
        // Found in the list.
        (Point::K5 | Point::K6, C) => Came { kick_offs: 1, asked: 0 },
        // A person finds the job, and adopts it.
        (Point::K5 | Point::K6, D) => Came { kick_offs: 1, asked: 1 },
        _ => Came { kick_offs: 1, asked: 0 },
    }
}

/// The test dialect of a class.
fn practised(class: Class) -> Personality {
    match class {
        Class::A => Personality::SameBytes,
        Class::B => Personality::CallerKey,
        Class::C => Personality::Listed,
        Class::D => Personality::SmartManifest,
    }
}

/// Built-in dialects of each class: one kind of death a point, and no K9, since none of them reads error files here.
const BUILT_IN: [(Personality, Class); 6] = [
    (Personality::Microsoft, Class::A),
    (Personality::Pathling, Class::A),
    (Personality::AidboxV2, Class::B),
    (Personality::Google, Class::C),
    (Personality::Ibm, Class::D),
    (Personality::Octofhir, Class::D),
];

#[tokio::test]
async fn a_crash_at_each_point_with_servers_of_each_class() {
    for (server, class) in BUILT_IN {
        for (index, point) in Point::ALL.into_iter().enumerate().filter(|(_, point)| *point != Point::K9) {
            let death = Death::ALL[index % Death::ALL.len()];
            let came = run_cell(point, server, death).await;
            assert_eq!(came, expected(point, class, death), "{point:?}, {server}, {death:?}");
        }
    }
}

async fn row(class: Class) {
    let mut cells = 0;
    for point in Point::ALL {
        for death in Death::ALL {
            let came = run_cell(point, practised(class), death).await;
            assert_eq!(came, expected(point, class, death), "{point:?}, class {class:?}, {death:?}");
            cells += 1;
        }
    }
    assert_eq!(cells, 42, "a quarter of 168");
}

#[tokio::test]
async fn a_crash_at_each_point_where_the_same_bytes_are_the_same_job() {
    row(Class::A).await;
}

#[tokio::test]
async fn a_crash_at_each_point_where_the_caller_names_the_job() {
    row(Class::B).await;
}

#[tokio::test]
async fn a_crash_at_each_point_where_jobs_can_be_listed() {
    row(Class::C).await;
}

#[tokio::test]
async fn a_crash_at_each_point_where_nobody_can_know() {
    row(Class::D).await;
}
