//! What is different with a server: points that it has not, and what it does when it is asked twice.

use fhir_import::contract::ErrorClass;
use fhir_import_sandbox::Personality as P;

use super::{Came, Point};
use crate::harness::disk::Death;

const COUNTS: &str = "it tells in its answers what it rejected, and names no error file";
const SILENT: &str = "it tells nothing of what it rejected";
const AT_ONCE: &str = "the answer to the kick-off is the result: that the job ended is stored with it, at K6";
const NOWHERE: &str = "it has no status: nothing says that the job ended";
const STORE: &str = "error files are names in a store of the operator's, and are not asked for";

/// Why a point never comes with a server; none when it comes.
pub(super) fn absent(server: P, point: Point) -> Option<&'static str> {
    match (point, server) {
        (Point::K8, P::Sazare) => Some(AT_ONCE),
        (Point::K8, P::Onfhir) => Some(NOWHERE),
        (Point::K9, P::Ibm) => Some(STORE),
        (Point::K9, P::Onfhir | P::Pathling | P::Pathling7) => Some(SILENT),
        (
            Point::K9,
            P::Aidbox
            | P::AidboxV2
            | P::Google
            | P::Hapi
            | P::Healthlake
            | P::Octofhir
            | P::Sazare
            | P::Smile
            | P::UdsPlus,
        ) => Some(COUNTS),
        _ => None,
    }
}

/// What comes of a cell by the books of a server. To sazare each file is sent apart, and is a job of its own; what is sent
/// again is stored again, under the same ids.
pub(super) fn booked(server: P, came: Came) -> Came {
    let sent = came.kick_offs + 1;
    if server == P::Sazare { Came { kick_offs: sent, jobs: sent, ..came } } else { came }
}

/// The kick-offs at which the client dies.
pub(super) fn kick_offs(server: P, point: Point) -> u32 {
    if server == P::Sazare && (Point::K2..=Point::K7).contains(&point) { 2 } else { 1 }
}

/// The errors that an import ends with which died at a point, given those of one that nothing happened to. deqm writes
/// its rows down once more for each poll that it answers with the end, which is asked for again when it was not stored.
pub(super) fn errors(server: P, point: Point, death: Death, calm: &[ErrorClass]) -> Vec<ErrorClass> {
    let asked_again = point == Point::K8 && death != Death::Killed;
    let times = if server == P::BulkSubmitArgonaut && asked_again { 2 } else { 1 };
    calm.iter().map(|class| ErrorClass { count: class.count * times, ..class.clone() }).collect()
}
