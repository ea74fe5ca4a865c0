//! The command line, run as a person runs it: its own process, an empty environment, its own state folder.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// Where cargo builds.
pub(crate) fn target() -> PathBuf {
    let test = std::env::current_exe().expect("a test runs from a file");
    test.ancestors().nth(3).expect("tests lie in target/PROFILE/deps").to_owned()
}

/// The built program: `xtask test` builds it before the tests.
pub(crate) fn program(name: &str) -> PathBuf {
    let path = target().join("release").join(name);
    assert!(path.is_file(), "{} is not built; run: cargo xtask test", path.display());
    path
}

/// A state folder and a place for input files.
pub(crate) struct Desk {
    folder: TempDir,
}

/// What a command left behind.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    /// Standard output as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("not JSON ({error}): {self:?}"))
    }

    /// Everything that was said.
    pub(crate) fn said(&self) -> String {
        format!("{}\n{}", self.stdout, self.stderr)
    }
}

impl Desk {
    pub(crate) fn new() -> Self {
        Self { folder: TempDir::new().unwrap() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes an input file.
    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    pub(crate) fn command<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Command {
        let mut command = Command::new(program("fhir-import"));
        command.env_clear().env("HOME", self.folder.path()).env("NO_COLOR", "1");
        command.env("FHIR_IMPORT_STATE", self.path("state")).current_dir(self.folder.path());
        command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs a command to its end.
    pub(crate) fn run<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Ran {
        ran(&self.command(args).output().unwrap())
    }

    /// Types a line that was printed into a shell.
    pub(crate) fn type_in(&self, line: &str) -> Ran {
        let (before, words) =
            line.split_once("fhir-import ").unwrap_or_else(|| panic!("{line:?} is no command of ours"));
        let plain = before.is_empty() || before.starts_with("export ") && before.ends_with("; ");
        assert!(plain, "{line:?} is no command of ours");
        let like = self.command::<&str>([]);
        let mut shell = Command::new("/bin/sh");
        shell.env_clear().envs(like.get_envs().filter_map(|(name, value)| Some((name, value?))));
        shell.current_dir(self.folder.path()).stdin(Stdio::null());
        ran(&shell.args(["-c", &format!("{before}'{}' {words}", like.get_program().display())]).output().unwrap())
    }

    /// The id of the only job of this desk.
    pub(crate) fn only_job(&self) -> String {
        let jobs = self.run(["jobs", "--json"]).json();
        assert_eq!(jobs["jobs"].as_array().map(Vec::len), Some(1), "{jobs}");
        jobs["jobs"][0]["job"].as_str().unwrap().to_owned()
    }

    /// Waits until the only job of this desk is in a phase, and answers its id.
    pub(crate) fn wait_for_phase(&self, phase: &str, limit: Duration) -> String {
        let until = Instant::now() + limit;
        loop {
            let jobs = self.run(["jobs", "--json"]);
            let job = jobs
                .stdout
                .lines()
                .next()
                .map(|_| jobs.json())
                .and_then(|jobs| jobs["jobs"][0]["job"].as_str().map(str::to_owned));
            if let Some(job) = job
                && self.run(["status", &job, "--json"]).json()["phase"] == phase
            {
                return job;
            }
            assert!(Instant::now() < until, "no job is {phase}: {jobs:?}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Starts a command.
    pub(crate) fn start<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Child {
        self.command(args).spawn().unwrap()
    }
}

/// Waits until something is so, which a practice server in this process tells.
///
/// # Panics
/// When it is not so after a minute.
pub(crate) async fn until(so: impl Fn() -> bool) {
    let limit = Instant::now() + Duration::from_secs(60);
    while !so() {
        assert!(Instant::now() < limit, "it did not come to be");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

pub(crate) fn ran(output: &std::process::Output) -> Ran {
    Ran {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}
