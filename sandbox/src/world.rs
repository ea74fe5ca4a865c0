//! What surrounds a server: time, files and chance.

use crate::clock::{Clock, MachineClock};
use crate::fetch::Reader;
use crate::files::Files;
use crate::identity::Ids;
use std::sync::Arc;

/// What surrounds a server without a socket. Two servers with the same seed, clock, files and requests do the same.
#[derive(Clone)]
pub struct World {
    /// The time it goes by.
    pub clock: Arc<dyn Clock>,
    /// Where its jobs read their inputs.
    pub files: Arc<dyn Files>,
    /// What the ids it makes up come from. `None`: they are random.
    pub seed: Option<u64>,
}

/// The machine's clock, no files, and random ids.
impl Default for World {
    fn default() -> Self {
        Self { clock: Arc::new(MachineClock), files: Arc::new(|_: &str| None), seed: None }
    }
}

/// Whose business it is that time passes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Pace {
    /// The server's: jobs run beside the requests, and delays are waited for.
    Waits,
    /// The caller's: a job is worked off within its kick-off, and delays are only told.
    Tells,
}

/// The world as the server uses it.
pub(crate) struct Surroundings {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) reader: Reader,
    pub(crate) ids: Ids,
    pub(crate) pace: Pace,
}

impl Surroundings {
    /// Of a server with a socket.
    pub(crate) fn network(clock: Arc<dyn Clock>) -> Self {
        Self { clock, reader: Reader::Http, ids: Ids::random(), pace: Pace::Waits }
    }
}

impl From<World> for Surroundings {
    fn from(world: World) -> Self {
        let ids = world.seed.map_or_else(Ids::random, Ids::seeded);
        Self { clock: world.clock, reader: Reader::Given(world.files), ids, pace: Pace::Tells }
    }
}
