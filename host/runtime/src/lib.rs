//! Room 6.
pub mod files;
pub mod journal;
pub mod net;
pub mod secrets;
pub mod serve;
