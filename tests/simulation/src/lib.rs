//! Whole imports in one process: the real decisions and the real loop against the practice server, on virtual time, with
//! faults from a seed (network, disk, crashes, clocks, servers that forget or lie, and people), judged by what the server
//! saw.
//!
//! One seed is one import. The same seed does the same, byte for byte, each time, and whether the decisions are compiled
//! in or run as `importer.wasm`. A failure names its seed, which plays it again.

mod bindings;
mod chance;
pub mod corpus;
mod death;
mod disk;
mod judge;
mod kinds;
mod machine;
mod many;
mod native;
mod operator;
mod scenario;
pub mod servers;
mod shelf;
mod time;
mod wire;
mod world;

#[expect(dead_code, reason = "nobody inspects a simulated import")]
#[path = "../../../guest/components/importer/src/answer.rs"]
mod answer;
#[path = "../../../guest/components/importer/src/ask.rs"]
mod ask;

pub use death::Death;
pub use judge::{Broken, judge};
pub use kinds::{Jobs, KINDS, Kind, Tells};
pub use many::{Failure, Summary, component, native, run};
pub use native::Native;
pub use scenario::{Operator, Scenario, Weather};
pub use shelf::Shelf;
pub use wire::Sent;
pub use world::{Ended, Make, simulate};
