//! What all commands share.

use std::env;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use fhir_import::Engine;
use fhir_import::contract::{Detection, Pause, PauseReason};
use fhir_import::journal::{ImportId, Journal, SqliteJournal};
use fhir_import::run::{Outcome, RunError, Server, Setup};

use crate::access::Given;
use crate::config::Config;
use crate::exit::{Failure, with_causes};
use crate::render::Talk;

/// What all commands share.
pub struct Context {
    state: State,
    /// Results as JSON.
    pub json: bool,
    /// Where talk goes.
    pub talk: Talk,
    config: Config,
    given: OnceLock<Given>,
}

/// The state folder.
enum State {
    Named(PathBuf),
    Usual(PathBuf),
}

impl Context {
    /// The folder and the file's servers.
    pub fn new(state: Option<PathBuf>, json: bool, config: Config) -> Result<Self, Failure> {
        let state = match state {
            Some(folder) => State::Named(folder),
            None => State::Usual(usual_folder()?),
        };
        Ok(Self { state, json, talk: Talk::new(), config, given: OnceLock::new() })
    }

    /// Engine and journal, for commands that decide something.
    pub fn setup(&self) -> Result<Setup, Failure> {
        Ok(Setup::in_folder(engine()?, self.folder())?)
    }

    /// The journal alone, for commands that only read it: compiling the components would be most of their time.
    pub fn journal(&self) -> Result<SqliteJournal, Failure> {
        Ok(SqliteJournal::open(self.folder()).map_err(RunError::Journal)?)
    }

    fn folder(&self) -> &Path {
        let (State::Named(folder) | State::Usual(folder)) = &self.state;
        folder
    }

    /// The server that was typed, by URL or name.
    pub fn server(&self, typed: &str) -> Result<Server, Failure> {
        Server::parse(self.config.server(typed)).map_err(|error| {
            let names: Vec<_> = self.config.servers().collect();
            let mut failure = Failure::from(error);
            if !typed.contains("://") && !names.is_empty() {
                failure.message += &format!("; the servers in {} are {}", crate::config::FILE, names.join(", "));
            } else if !typed.contains("://") {
                let file = crate::config::FILE;
                failure.message += &format!(
                    "; write it like https://fhir.example.org/fhir, or give {typed} a URL in {file} in this folder \
                     (there is no such file here, or it names no server)"
                );
            }
            failure
        })
    }

    /// The import that was typed.
    pub fn find(&self, journal: &dyn Journal, typed: &str) -> Result<ImportId, Failure> {
        let found = journal.find(typed).map_err(RunError::Journal);
        found.map_err(|error| match error.outcome() {
            Outcome::Usage => Failure::from(error).next(self.line("jobs")),
            _ => error.into(),
        })
    }

    /// Notes the credential that this command was given.
    pub fn was_given(&self, given: Given) {
        // A command reads its credential once.
        let _ = self.given.set(given);
    }

    /// Why an import stands still; where a credential is wanted, also which one was given. Commands that ask no server
    /// are given none, and say nothing of it.
    pub fn pause_text(&self, pause: &Pause) -> String {
        match self.given.get() {
            Some(given) if pause.reason == PauseReason::Credentials => format!("{} {}", pause.message, given.advice()),
            _ => pause.message.clone(),
        }
    }

    /// The command that goes on after a pause for credentials.
    pub fn wait_with_credential(&self, job: ImportId) -> String {
        let flags = self.given.get().cloned().unwrap_or_default().next_flags();
        self.line(&format!("wait {}{flags}", job.short()))
    }

    /// A command about an import, to be typed as it is.
    pub fn command(&self, name: &str, job: ImportId) -> String {
        self.line(&format!("{name} {}", job.short()))
    }

    /// The import that a person who knows the server can start: a dialect that is not sure is named.
    pub fn named_run(&self, server: &str, found: &Detection) -> String {
        let sure = ["high", "configured"].contains(&found.confidence.as_str());
        let flag =
            found.dialect.as_ref().filter(|_| !sure).map_or_else(String::new, |name| format!(" --dialect {name}"));
        self.line(&format!("run --server {}{flag} PATH", quoted(server)))
    }

    /// A command, to be typed as it is.
    pub fn line(&self, rest: &str) -> String {
        match &self.state {
            State::Usual(_) => format!("fhir-import {rest}"),
            State::Named(folder) => format!("fhir-import {rest} --state {}", quoted(&folder.display().to_string())),
        }
    }
}

/// The compiled components.
pub fn engine() -> Result<Engine, Failure> {
    Engine::new().map_err(|error| {
        let text = format!("this machine cannot run the components: {}", with_causes(&error));
        Failure::new(Outcome::InternalError, text)
    })
}

/// By the XDG Base Directory Specification 0.8.
fn usual_folder() -> Result<PathBuf, Failure> {
    let named = |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let state = named("XDG_STATE_HOME").or_else(|| named("HOME").map(|home| home.join(".local/state")));
    let state =
        state.ok_or_else(|| Failure::usage("there is no home folder; say where to keep imports: --state FOLDER"))?;
    Ok(state.join("fhir-import"))
}

/// For a shell.
pub fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "/._-+=:,@".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}
