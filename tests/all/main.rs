//! Everything that is tested from outside, one binary. This file is the table of contents.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking; the lint only spares functions that are tests")]

#[path = "../harness/mod.rs"]
mod harness;

/// Bad input by the command line: the sentence, the exit code, nothing half done.
mod bad_input;
/// The commands beside `run`, and going on after a kill.
mod commands;
/// The components: their imports, their size.
mod components;
/// What earlier versions wrote stays readable.
mod corpus;
/// 14 points, 4 classes of recovery, 3 kinds of death.
mod crash_matrix;
/// The journal on a disk that fails, fills up or loses power.
mod disk;
/// The examples run.
mod examples;
/// A real HAPI FHIR server.
mod hapi_server;
/// Whole imports through the component against the practice server, on a virtual clock.
mod journeys;
/// What a server sees of our waiting.
mod politeness;
/// Processes that race for the same imports.
mod races;
/// Thousands of imports with faults from a seed, judged by what the server saw.
mod simulation;
