//! What is there to be tested.

#![expect(non_upper_case_globals, reason = "the names are those of test modules, too")]

use std::path::Path;
use std::process::Command;

use crate::harness::cli::{program, target};
use crate::harness::engine::Adapter;
use crate::harness::{obelisk as obelisk_server, restate as restate_server, temporal as temporal_server};

/// The repository.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ is a folder of the repository")
}

pub(super) static node: Adapter = Adapter {
    name: "Node",
    command: || {
        let mut command = Command::new("node");
        command.arg(root().join("tests/engines/drive.mjs"));
        command
    },
    server: None,
};

pub(super) static python: Adapter = Adapter {
    name: "Python",
    command: || {
        // The environment that has the package: `cargo xtask python` makes it.
        let mut command = Command::new(target().join("engines/python/prefect/bin/python"));
        command.arg(root().join("tests/engines/drive.py"));
        command
    },
    server: None,
};

pub(super) static obelisk: Adapter = Adapter {
    name: "Obelisk",
    command: || {
        let mut command = Command::new("python3");
        command.arg(root().join("tests/engines/drive_obelisk.py"));
        command
    },
    server: Some(obelisk_server::place),
};

pub(super) static temporal: Adapter = Adapter {
    name: "Temporal",
    command: || Command::new(program("fhir-import-temporal")),
    server: Some(temporal_server::start),
};

pub(super) static restate: Adapter = Adapter {
    name: "Restate",
    command: || Command::new(program("fhir-import-restate")),
    server: Some(restate_server::alone),
};

/// The same with three nodes of Restate.
pub(super) static restate_cluster: Adapter = Adapter { server: Some(restate_server::three), ..restate };
