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
    let again = {
        let (home, address) = (home.to_owned(), address.clone());
        move |_| run(&home, &address)
    };
    EngineServer { processes: vec![again(0)], address, again: Box::new(again) }
}

fn run(home: &Path, address: &str) -> Running {
    let (ip, port) = address.split_once(':').expect("an address has a port");
    let mut command = temporal_command();
    command.args(["server", "start-dev", "--ip", ip, "--port", port, "--headless", "--log-level", "error"]);
    // Without its write-ahead log it takes seconds for each of many imports at once.
    command.args(["--sqlite-pragma", "journal_mode=wal", "--sqlite-pragma", "synchronous=normal"]);
    command.arg("--db-filename").arg(home.join("temporal.db")).env("HOME", home);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let server = Running::start(command);
    until("Temporal listens", || TcpStream::connect(address).is_ok());
    server
}

/// The program, which is the server and its command line.
pub(crate) fn temporal_command() -> Command {
    let program = target().join(SERVER);
    assert!(program.is_file(), "{} is not installed; run: cargo xtask test", program.display());
    Command::new(program)
}
