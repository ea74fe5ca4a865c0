//! The README's first command: a whole import, on a fresh machine.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, ErrorKind};
use std::process::{Child, ExitCode, Stdio};

use anyhow::{Context, Result, ensure};

use crate::run::run;
use crate::set_up;
use crate::workspace::Workspace;

const DATA: &str = "examples/data/synthea-12";

/// Builds the command, starts the practice server as HAPI, imports the sample data and ends as that ends.
pub fn demo(workspace: &Workspace) -> Result<ExitCode> {
    set_up::wasm_target()?;
    run(workspace.cargo().args(["build", "--release", "--locked", "--bin", "fhir-import"]))?;
    let server = PracticeServer::start(workspace)?;
    let state = workspace.target.join("demo");
    match fs::remove_dir_all(&state) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            return Err(error).context("removing the last demo's state");
        }
        _ => {}
    }
    let mut import = workspace.fhir_import();
    import.args(["run", "--server", &server.url, "--poll-max", "2s", "--state"]);
    import.arg(state.strip_prefix(&workspace.root).unwrap_or(&state)).arg(DATA);
    let typed: Vec<_> = import.get_args().map(OsStr::to_string_lossy).collect();
    println!("\n$ fhir-import {}\n", typed.join(" "));
    let status = import.status().context("cannot run fhir-import")?;
    // No code: a signal ended it.
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from))
}

/// The practice server, for as long as this lives.
struct PracticeServer {
    child: Child,
    url: String,
}

impl PracticeServer {
    fn start(workspace: &Workspace) -> Result<Self> {
        let mut command = workspace.fhir_import();
        command.args(["sandbox", "--dialect", "hapi", "--port", "0"]);
        // Its advice is for a person with a second terminal.
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let child = command.spawn().context("cannot start the practice server")?;
        let mut server = Self { child, url: String::new() };
        let stdout = server.child.stdout.take().context("stdout was asked to be piped")?;
        BufReader::new(stdout).read_line(&mut server.url)?;
        server.url.truncate(server.url.trim_end().len());
        ensure!(server.url.starts_with("http://"), "no practice server; `fhir-import sandbox --dialect hapi` says why");
        Ok(server)
    }
}

impl Drop for PracticeServer {
    fn drop(&mut self) {
        // It may have ended by itself, for example by Ctrl-C: then there is nothing to stop.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
