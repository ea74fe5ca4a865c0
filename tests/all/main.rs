//! Everything that is tested from outside, one binary. This file is the table of contents.

#[path = "../harness/mod.rs"]
mod harness;

/// The components: their imports, their size.
mod components;
/// Whole imports through the component against the practice server, on a virtual clock.
mod journeys;
