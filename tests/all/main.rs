//! Everything that is tested from outside, one binary. This file is the table of contents.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking; the lint only spares functions that are tests")]

#[path = "../harness/mod.rs"]
mod harness;

/// Bad input by the command line: the sentence, the exit code, nothing half done.
mod bad_input;
/// Answers as they really come, a folder each.
mod cases;
/// The commands beside `run`, and going on after a kill.
mod commands;
/// The components: their imports, their size.
mod components;
/// What earlier versions wrote stays readable.
mod corpus;
/// 14 points, every built-in dialect, 3 kinds of death.
mod crash_matrix;
/// Every dialect against the practice server of its name.
mod dialects;
/// The journal on a disk that fails, fills up or loses power.
mod disk;
/// Documents that a plan asks to publish.
mod documents;
/// Adapters to workflow engines: one suite for all.
mod engines;
/// The examples run.
mod examples;
/// A real HAPI FHIR server.
mod hapi_server;
/// Who asks for the same again: keys, the same files, two at once, files and stores that changed.
mod identity;
/// Whole imports through the component against the practice server, on a virtual clock.
mod journeys;
/// `kill -9` of the command line, round the one dangerous write and anywhere else.
mod kills;
/// That Obelisk can load what it is given.
mod obelisk;
/// A server that nothing here knows, described by an operator's file alone.
mod own_dialect;
/// Bugs that other tools had, each with a test of its name.
mod peer_bugs;
/// What a server sees of our waiting.
mod politeness;
/// The practice server as a command.
mod practice;
/// Processes that race for the same imports.
mod races;
/// Ctrl-C and SIGTERM at random moments.
mod signals;
/// Signatures of AWS.
mod signatures;
/// Thousands of imports with faults from a seed, judged by what the server saw.
mod simulation;
/// What is written down of all exchanges.
mod transcripts;
/// What each answer means for the job, and what a person can do next.
mod truth_table;
/// Files that are sent instead of fetched.
mod uploads;
