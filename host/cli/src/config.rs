//! `fhir-import.toml` in the current folder: defaults for flags, by the names of the flags, and named servers.
//!
//! The defaults are given to the command line parser itself, so that a flag, then its variable, then the file wins,
//! and so that a key without a flag is a mistake.

use std::collections::BTreeMap;
use std::{fs, io};

use clap::Command;
use serde::Deserialize;
use toml::{Spanned, Value};

use fhir_import::did_you_mean;

use crate::exit::Failure;

/// The file.
pub const FILE: &str = "fhir-import.toml";

/// Decisions are made by a person, each time anew; and a dialect to import with is not one to practise with.
const NO_DEFAULTS: [&str; 2] = ["resolve", "sandbox"];

/// What the file says.
#[derive(Debug, Default)]
pub struct Config {
    defaults: BTreeMap<String, Vec<String>>,
    servers: BTreeMap<String, Server>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Server {
    url: String,
}

impl Config {
    /// Reads the file; without one, nothing is configured.
    pub fn read(command: &Command) -> Result<Self, Failure> {
        match fs::read_to_string(FILE) {
            Ok(text) => Self::parse(&text, command),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(Failure::usage(format!("{FILE} cannot be read: {error}"))),
        }
    }

    fn parse(text: &str, command: &Command) -> Result<Self, Failure> {
        let wrong = |at: usize, what: &str| Failure::usage(format!("{FILE}:{}: {what}", line(text, at)));
        let of_toml = |error: &toml::de::Error| wrong(error.span().map_or(0, |span| span.start), error.message());
        let table: BTreeMap<Spanned<String>, Value> = toml::from_str(text).map_err(|error| of_toml(&error))?;
        let mut config = Self::default();
        for (key, value) in table {
            let at = key.span().start;
            if key.get_ref() == "servers" {
                config.servers = value.try_into().map_err(|error: toml::de::Error| wrong(at, error.message()))?;
                continue;
            }
            if !knows(command, key.get_ref()) {
                return Err(wrong(at, &unknown(command, key.get_ref())));
            }
            let values = texts(value).ok_or_else(|| wrong(at, "write a text, a number, true or false, or a list"))?;
            config.defaults.insert(key.into_inner(), values);
        }
        Ok(config)
    }

    /// The command line with the file's defaults.
    pub fn apply(&self, command: Command) -> Command {
        let names: Vec<String> = command.get_subcommands().map(|sub| sub.get_name().to_owned()).collect();
        let command = self.apply_to(command);
        names
            .into_iter()
            .filter(|name| !NO_DEFAULTS.contains(&name.as_str()))
            .fold(command, |command, name| command.mut_subcommand(name, |sub| self.apply_to(sub)))
    }

    fn apply_to(&self, command: Command) -> Command {
        command.mut_args(|arg| match arg.get_long().and_then(|long| self.defaults.get(long)) {
            Some(values) => arg.required(false).default_values(values.clone()),
            None => arg,
        })
    }

    /// The URL of a server that is named here; else the text itself.
    pub fn server<'a>(&'a self, typed: &'a str) -> &'a str {
        self.servers.get(typed).map_or(typed, |server| server.url.as_str())
    }

    /// The names of the servers.
    pub fn servers(&self) -> impl Iterator<Item = &str> {
        self.servers.keys().map(String::as_str)
    }
}

fn knows(command: &Command, flag: &str) -> bool {
    flags(command).any(|known| known == flag)
}

fn flags(command: &Command) -> impl Iterator<Item = &str> {
    let subcommands = command.get_subcommands().filter(|sub| !NO_DEFAULTS.contains(&sub.get_name()));
    let args = command.get_arguments().chain(subcommands.flat_map(Command::get_arguments));
    args.filter_map(clap::Arg::get_long)
}

fn unknown(command: &Command, key: &str) -> String {
    let known: Vec<&str> = flags(command).chain(["servers"]).collect();
    format!("`{key}` is no flag of fhir-import{}, nor is it `servers`", did_you_mean(key, &known))
}

fn texts(value: Value) -> Option<Vec<String>> {
    match value {
        Value::Array(values) => values.into_iter().map(text).collect(),
        value => Some(vec![text(value)?]),
    }
}

fn text(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text),
        Value::Integer(number) => Some(number.to_string()),
        Value::Boolean(truth) => Some(truth.to_string()),
        _ => None,
    }
}

fn line(text: &str, at: usize) -> usize {
    text.get(..at).map_or(1, |head| head.matches('\n').count() + 1)
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, FromArgMatches};

    use super::*;
    use crate::args::{self, Cli};

    fn run(file: &str, line: &[&str]) -> args::Run {
        let config = Config::parse(file, &Cli::command()).unwrap();
        let matches = config.apply(Cli::command()).try_get_matches_from(line).unwrap();
        match Cli::from_arg_matches(&matches).unwrap().command {
            args::Command::Run(run) => *run,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_flag_wins_over_the_file_and_the_file_over_the_default() {
        let file = "server = \"here\"\npoll-max = \"1s\"\nno-check = true\nset = [\"a=1\", \"b=2\"]\nsample = 7\n";
        let typed = run(file, &["fhir-import", "run", "data", "--sample", "9"]);
        assert_eq!((typed.server.as_str(), typed.sample, typed.no_check, typed.set.len()), ("here", 9, true, 2));
        assert_eq!((typed.poll_max.as_secs(), typed.max_errors), (1, 0));
    }

    #[test]
    fn a_mistake_is_named_with_its_line() {
        for (file, wanted) in [
            ("\nservr = \"x\"\n", "fhir-import.toml:2: `servr` is no flag of fhir-import (did you mean `server`?)"),
            (
                "[serverz.test]\nurl = \"x\"\n",
                "fhir-import.toml:1: `serverz` is no flag of fhir-import (did you mean `servers`?)",
            ),
            ("a = \n", "fhir-import.toml:1: "),
            ("sample = 1\nset = { a = 1 }\n", "fhir-import.toml:2: write a text"),
            ("[servers.test]\nulr = \"x\"\n", "fhir-import.toml:1: unknown field"),
        ] {
            let message = Config::parse(file, &Cli::command()).unwrap_err().message;
            assert!(message.starts_with(wanted), "{message}");
        }
    }

    #[test]
    fn a_server_has_a_name() {
        let config = Config::parse("[servers.test]\nurl = \"http://h/fhir\"\n", &Cli::command()).unwrap();
        assert_eq!((config.server("test"), config.server("http://x")), ("http://h/fhir", "http://x"));
    }
}
