//! Temporal's real server. `xtask test` installs it.

use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::harness::cli::target;
use crate::harness::engine::EngineServer;
use crate::harness::restate::free_port;
use crate::harness::running::{Running, until};

const SERVER: &str = "engines/temporal/bin/temporal";

/// A server with all that it stores in a folder.
pub(crate) fn start(home: &Path) -> EngineServer {
    let address = format!("127.0.0.1:{}", free_port());
    EngineServer { processes: vec![run(home, &address)], address }
}

/// Starts the server again where it was, with what it had stored.
pub(crate) fn again(home: &Path, address: &str) -> Running {
    run(home, address)
}

fn run(home: &Path, address: &str) -> Running {
    let program = target().join(SERVER);
    assert!(program.is_file(), "{} is not installed; run: cargo xtask test", program.display());
    let (ip, port) = address.split_once(':').expect("an address has a port");
    let mut command = Command::new(program);
    command.args(["server", "start-dev", "--ip", ip, "--port", port, "--headless", "--log-level", "error"]);
    // Without its write-ahead log it takes seconds for each of many imports at once.
    command.args(["--sqlite-pragma", "journal_mode=wal", "--sqlite-pragma", "synchronous=normal"]);
    command.arg("--db-filename").arg(home.join("temporal.db")).env("HOME", home);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let server = Running::start(command);
    until("Temporal listens", || TcpStream::connect(address).is_ok());
    server
}
