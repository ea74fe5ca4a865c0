//! A practice FHIR server with the import behaviour of real ones.
//!
//! It is written from evidence: what running servers answered, and where none runs, what its specification says. It
//! knows nothing of the client it is used to test, so the two cannot share a mistake. It listens on the loopback
//! address, or answers within the process ([`Sandbox::in_process`]), keeps everything in memory, and really fetches,
//! stores and serves what it is asked to import.
//!
//! A [`Script`] makes it late, forgetful, broken or untruthful. [`Sandbox::log`] says what really reached it,
//! [`Sandbox::stored`] what it really holds, and [`Sandbox::job_records`] what it really did: a test asks these,
//! never the client.

mod clock;
mod config;
mod connection;
mod cut;
mod exchange;
mod export;
mod fetch;
mod files;
mod front;
mod identity;
mod intake;
mod job;
mod json;
mod ledger;
mod load;
mod loading;
#[cfg(test)]
mod local;
mod moment;
mod outcome;
mod parameters;
mod personality;
#[cfg(test)]
mod probe;
mod r4;
#[cfg(test)]
mod recorded;
mod reply;
mod resource;
mod rest;
mod sandbox;
mod script;
mod seen;
mod server;
mod statement;
mod store;
mod stores;
mod wire;
mod world;

pub use clock::{Clock, MachineClock};
pub use config::Config;
pub use exchange::Outcome;
pub use files::Files;
pub use ledger::{Fate, JobRecord, Starter};
pub use personality::{Personality, UnknownPersonality};
pub use sandbox::{Restart, Sandbox};
pub use script::{Action, Canned, Endpoint, Fault, Script, SigningKey};
pub use seen::Seen;
pub use world::World;
