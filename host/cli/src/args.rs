//! The command line, as typed. What the texts mean is decided later.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::FalseyValueParser;
use clap::{Args, Parser, Subcommand};
use url::Url;

/// Load NDJSON into any FHIR server, and know that it arrived.
#[derive(Debug, Parser)]
#[command(name = "fhir-import", version, max_term_width = 100, subcommand_required = true)]
pub struct Cli {
    /// Where imports are kept [default: $XDG_STATE_HOME/fhir-import or ~/.local/state/fhir-import]
    #[arg(long, global = true, value_name = "FOLDER", env = "FHIR_IMPORT_STATE")]
    pub state: Option<PathBuf>,
    /// Results as JSON on stdout
    #[arg(long, global = true, env = "FHIR_IMPORT_JSON", value_parser = FalseyValueParser::new())]
    pub json: bool,
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Find out what a server is, how sure that is, and why. Sends GETs only
    Detect(Detect),
    /// Look at every line of files. Sends nothing
    Check(Check),
    /// Import files, and read a sample back
    Run(Box<Run>),
    /// Go on with an import where it stopped
    Wait(Wait),
    /// Where an import stands. Sends nothing
    Status(Job),
    /// All imports
    Jobs,
    /// Ask the server to cancel an import
    Cancel(Cancel),
    /// Decide what an import that stands still waits for
    Resolve(Resolve),
    /// Why resources were rejected
    Errors(Job),
    /// Read the samples of an import back once more
    Verify(Reach),
    /// The report of an import
    Report(Job),
    /// What is known about servers
    Dialects(Dialects),
    /// A FHIR server to practise on
    Sandbox(Sandbox),
}

/// How a server is reached.
#[derive(Debug, Args)]
pub struct AccessArgs {
    /// Also allow requests to this origin, or pattern such as https://*.example.org
    #[arg(long, value_name = "ORIGIN", env = "FHIR_IMPORT_ALLOW_ORIGIN", value_delimiter = ',')]
    pub allow_origin: Vec<String>,
    /// Also trust the authorities in this PEM file
    #[arg(long, value_name = "FILE", env = "FHIR_IMPORT_CA")]
    pub ca: Option<PathBuf>,
    /// A file that holds an access token (or set FHIR_IMPORT_BEARER)
    #[arg(long, value_name = "FILE", env = "FHIR_IMPORT_BEARER_FILE", conflicts_with_all = ["basic_file", "aws_region"])]
    pub bearer_file: Option<PathBuf>,
    /// A file that holds user:password (or set FHIR_IMPORT_BASIC)
    #[arg(long, value_name = "FILE", env = "FHIR_IMPORT_BASIC_FILE")]
    pub basic_file: Option<PathBuf>,
    /// Sign requests for AWS in this region, with AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN
    #[arg(long, value_name = "REGION[/SERVICE]", env = "FHIR_IMPORT_AWS_REGION", conflicts_with = "basic_file")]
    pub aws_region: Option<String>,
    /// Write all exchanges down in this folder, without secrets, hosts and what may tell of a patient
    #[arg(long, value_name = "FOLDER", env = "FHIR_IMPORT_RECORD")]
    pub record: Option<PathBuf>,
}

/// `detect`.
#[derive(Debug, Args)]
pub struct Detect {
    /// The FHIR base URL, or a server's name in fhir-import.toml
    #[arg(value_name = "URL")]
    pub server: String,
    #[command(flatten)]
    pub access: AccessArgs,
}

/// `check`.
#[derive(Debug, Args)]
pub struct Check {
    /// Files, folders, or Type=path
    #[arg(required = true)]
    pub paths: Vec<String>,
}

/// `run`.
#[derive(Debug, Args)]
pub struct Run {
    /// Files, folders, URLs of any scheme that the server reads, store:NAME in its own store; each also as Type=…
    #[arg(required = true)]
    pub paths: Vec<String>,
    /// The FHIR base URL, or a server's name in fhir-import.toml
    #[arg(long, value_name = "URL", env = "FHIR_IMPORT_SERVER")]
    pub server: String,
    /// What the server is: a name that `dialects` lists, or a .toml file [default: found out]
    #[arg(long, value_name = "NAME|FILE", env = "FHIR_IMPORT_DIALECT")]
    pub dialect: Option<String>,
    /// Serve local files at this address while the import runs; port 0 takes a free one
    #[arg(long, value_name = "BIND", env = "FHIR_IMPORT_SERVE")]
    pub serve: Option<SocketAddr>,
    /// How the FHIR server reaches that address
    #[arg(long, value_name = "URL", env = "FHIR_IMPORT_ADVERTISE")]
    pub advertise: Option<Url>,
    /// A value that the dialect needs
    #[arg(long, value_name = "NAME=VALUE", env = "FHIR_IMPORT_SET", value_parser = setting, value_delimiter = ',')]
    pub set: Vec<(String, String)>,
    /// Your name for this import: with the same key and files, go on with it or show its result
    #[arg(long, value_name = "TEXT", env = "FHIR_IMPORT_KEY")]
    pub key: Option<String>,
    /// Start another import even if one of the same files is not over
    #[arg(long, env = "FHIR_IMPORT_AGAIN", value_parser = FalseyValueParser::new(), conflicts_with = "key")]
    pub again: bool,
    /// Send without looking at the lines first; nothing is counted or read back
    #[arg(long, env = "FHIR_IMPORT_NO_CHECK", value_parser = FalseyValueParser::new())]
    pub no_check: bool,
    /// How many resources to read back
    #[arg(long, value_name = "N", env = "FHIR_IMPORT_SAMPLE", default_value_t = 50, value_parser = clap::value_parser!(u32).range(0..=200))]
    pub sample: u32,
    /// How many rejected resources still count as success
    #[arg(long, value_name = "N", env = "FHIR_IMPORT_MAX_ERRORS", default_value_t = 0)]
    pub max_errors: u64,
    /// The longest wait between two polls, whatever the server asks for
    #[arg(long, value_name = "DURATION", env = "FHIR_IMPORT_POLL_MAX", default_value = "10m", value_parser = duration)]
    pub poll_max: Duration,
    /// When to give up waiting (the job is not cancelled)
    #[arg(long, value_name = "DURATION", env = "FHIR_IMPORT_DEADLINE", default_value = "24h", value_parser = duration)]
    pub deadline: Duration,
    #[command(flatten)]
    pub access: AccessArgs,
}

/// `wait`.
#[derive(Debug, Args)]
pub struct Wait {
    /// The import, or the first digits of it
    pub job: String,
    /// When its deadline has passed: wait for so much longer
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub extend: Option<Duration>,
    #[command(flatten)]
    pub access: AccessArgs,
}

/// A command about an import that sends nothing.
#[derive(Debug, Args)]
pub struct Job {
    /// The import, or the first digits of it
    pub job: String,
}

/// A command about an import that asks its server.
#[derive(Debug, Args)]
pub struct Reach {
    /// The import, or the first digits of it
    pub job: String,
    #[command(flatten)]
    pub access: AccessArgs,
}

/// `cancel`.
#[derive(Debug, Args)]
pub struct Cancel {
    #[command(flatten)]
    pub reach: Reach,
    /// Also a job that somebody else may have started
    #[arg(long)]
    pub force: bool,
}

/// `resolve`.
#[derive(Debug, Args)]
pub struct Resolve {
    /// The import, or the first digits of it
    pub job: String,
    #[command(flatten)]
    pub decision: Decide,
    #[command(flatten)]
    pub access: AccessArgs,
}

/// A decision.
#[derive(Debug, Args)]
#[group(id = "decision", required = true, multiple = false)]
pub struct Decide {
    /// The job is there, at this status URL
    #[arg(long, value_name = "URL")]
    pub adopt: Option<Url>,
    /// The job is not there: send the kick-off again, knowing that there may be two jobs
    #[arg(long)]
    pub resubmit: bool,
    /// Wait for so much longer
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub extend: Option<Duration>,
    /// Ask the server to cancel the job
    #[arg(long)]
    pub cancel: bool,
    /// The same, also when somebody else may have started it
    #[arg(long)]
    pub force_cancel: bool,
    /// End the import as it is
    #[arg(long)]
    pub give_up: bool,
    /// Go on as before
    #[arg(long)]
    pub r#continue: bool,
}

/// `dialects`.
#[derive(Debug, Args)]
pub struct Dialects {
    /// Show all that is known about this one, or what a .toml file says in full
    #[arg(value_name = "NAME|FILE")]
    pub name: Option<String>,
}

/// `sandbox`.
#[derive(Debug, Args)]
pub struct Sandbox {
    /// The server to behave like
    #[arg(long, value_name = "NAME", default_value = "hapi")]
    pub dialect: String,
    /// The port on 127.0.0.1; 0 takes a free one
    #[arg(long, env = "FHIR_IMPORT_PORT", default_value_t = 0)]
    pub port: u16,
    /// How to misbehave, as JSON
    #[arg(long, value_name = "FILE", env = "FHIR_IMPORT_SCRIPT")]
    pub script: Option<PathBuf>,
}

fn setting(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write NAME=VALUE".to_owned()),
    }
}

/// `90s`, `10m`, `2h`; also `ms` and `d`.
fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || "write a number and a unit: 90s, 10m, 2h".to_owned();
    let unit_at = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
    let (number, unit) = text.split_at(unit_at);
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let milliseconds = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(wrong()),
    };
    number.checked_mul(milliseconds).map(Duration::from_millis).ok_or_else(|| "too long".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn durations_have_a_unit() {
        for (text, seconds) in [("90s", 90), ("10m", 600), ("2h", 7_200), ("1d", 86_400), ("2000ms", 2)] {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "5", "s", "1.5h", "-1s", "10 m", "99999999999999999999s", "18446744073709551615d"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn every_flag_of_an_import_has_a_variable_of_its_name() {
        let command = Cli::command();
        let run = command.find_subcommand("run").unwrap();
        for arg in command.get_arguments().chain(run.get_arguments()) {
            let Some(long) = arg.get_long().filter(|long| !["help", "version"].contains(long)) else { continue };
            let wanted = format!("FHIR_IMPORT_{}", long.replace('-', "_").to_uppercase());
            assert_eq!(arg.get_env().and_then(|env| env.to_str()), Some(wanted.as_str()));
        }
    }
}
