//! What the tests share: a practice server and an importer with a virtual clock, the command line, a disk that can
//! be crashed, a real HAPI server.

pub(crate) mod cli;
pub(crate) mod disk;
pub(crate) mod door;
pub(crate) mod engine;
pub(crate) mod files;
pub(crate) mod hapi;
pub(crate) mod http;
pub(crate) mod obelisk;
pub(crate) mod person;
pub(crate) mod restate;
pub(crate) mod rig;
pub(crate) mod riverside;
pub(crate) mod running;
pub(crate) mod scribe;
pub(crate) mod servers;
pub(crate) mod temporal;
pub(crate) mod tls;
pub(crate) mod wire;
