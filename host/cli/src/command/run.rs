//! `run`: from files to a report.

use std::fs;
use std::path::Path;

use fhir_import::contract::{Next, Policy};
use fhir_import::did_you_mean;
use fhir_import::net::redact_url;
use fhir_import::run::{
    self, CheckMode, DialectWanted, Known, Outcome, Prepared, Progress, RunError, RunOptions, ServeOptions, Setup,
    Unfinished,
};

use crate::access::access;
use crate::args::Run;
use crate::context::Context;
use crate::drive::drive;
use crate::exit::Failure;
use crate::render::{self, Talk, count};

pub async fn run(cx: &Context, args: Run) -> Result<Outcome, Failure> {
    let options = options(cx, args)?;
    let setup = cx.setup()?;
    let talk = cx.talk.clone();
    let prepared = run::prepare(&setup, &options, &mut |progress| say(&talk, progress)).await;
    cx.talk.finish();
    match prepared.map_err(with_findings)? {
        Prepared::New(run) => {
            let wait = cx.command("wait", run.id());
            cx.talk.line(&format!("Import {} (from any terminal, also after a crash: {wait})", run.id().short()));
            drive(cx, &setup, &run).await
        }
        Prepared::Known(known) => go_on(cx, &setup, &options, known).await,
        Prepared::Unfinished(known) => Err(unfinished(cx, &known)),
    }
}

/// The same request again: its result, or the rest of the way.
async fn go_on(cx: &Context, setup: &Setup, options: &RunOptions, known: Known) -> Result<Outcome, Failure> {
    let id = known.import.id;
    cx.talk.line(&format!("Import {} has this key and these files; going on with it", id.short()));
    if let Next::Done(report) = super::report::stored_next(setup.journal.as_ref(), id)? {
        return Ok(render::report::View::load(cx, setup.journal.as_ref(), id, report)?.show(cx.json));
    }
    let run = run::resume(setup, id, &options.access, known.secrets).await?;
    super::wait::go_on(cx, setup, &run, None).await
}

fn unfinished(cx: &Context, known: &Known) -> Failure {
    let text = format!(
        "import {} of the same files to the same server is not over; go on with it, or start another one (--again)",
        known.import.id.short()
    );
    Failure::new(Outcome::StillRunning, text).next(cx.command("wait", known.import.id))
}

/// Findings are why, so they are shown with the error.
fn with_findings(error: RunError) -> Failure {
    let (text, data) = match &error {
        RunError::Findings(files) => (render::findings::findings(files), render::findings::json(files)),
        _ => return error.into(),
    };
    let failure = Failure::from(error);
    Failure { message: format!("{}\n{}", failure.message, text.trim_end()), data, ..failure }
}

fn options(cx: &Context, args: Run) -> Result<RunOptions, Failure> {
    let serve = match (args.serve, args.advertise) {
        (Some(bind), advertise) => Some(ServeOptions { bind, advertise }),
        (None, Some(_)) => return Err(Failure::usage("--advertise says how --serve is reached; give both")),
        (None, None) => None,
    };
    let mut options = RunOptions::new(cx.server(&args.server)?, args.paths);
    options.dialect = dialect(args.dialect)?;
    options.settings = args.set;
    options.key = args.key;
    options.unfinished = if args.again { Unfinished::StartAnother } else { Unfinished::Notice };
    options.policy = Policy {
        poll_max_ms: milliseconds(args.poll_max),
        deadline_ms: milliseconds(args.deadline),
        max_errors: args.max_errors,
    };
    options.sample_size = args.sample;
    options.serve = serve;
    options.access = access(cx, args.access)?;
    options.check = if args.no_check { CheckMode::Skip } else { CheckMode::Check };
    Ok(options)
}

/// A name, or a file when it looks like one. A name that is no dialect's may be a file that was misspelt.
pub fn dialect(typed: Option<String>) -> Result<DialectWanted, Failure> {
    match typed {
        None => Ok(DialectWanted::Detect),
        Some(name) if name.ends_with(".toml") || name.contains('/') => match fs::read_to_string(&name) {
            Ok(text) => Ok(DialectWanted::File { name, text }),
            Err(error) => Err(Failure::usage(format!("{name} cannot be read: {error}{}", beside(&name)))),
        },
        Some(name) if Path::new(&name).is_dir() => Err(Failure::usage(format!(
            "{name} is a folder; name a .toml file in it, or a dialect of `fhir-import dialects`"
        ))),
        Some(name) if Path::new(&name).is_file() => {
            Err(Failure::usage(format!("{name} is no dialect, but a file: a dialect file ends in .toml")))
        }
        Some(name) => Ok(DialectWanted::Named(name)),
    }
}

/// A dialect file beside the one that is not there, of nearly the same name.
fn beside(typed: &str) -> String {
    let typed = Path::new(typed);
    let folder = typed.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let files = fs::read_dir(folder).into_iter().flatten().flatten();
    let names = files.map(|file| file.file_name().to_string_lossy().into_owned());
    let names: Vec<String> = names.filter(|name| name.ends_with(".toml")).collect();
    let known: Vec<&str> = names.iter().map(String::as_str).collect();
    typed.file_name().map_or_else(String::new, |name| did_you_mean(&name.to_string_lossy(), &known))
}

pub fn milliseconds(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// What is told before anything is sent.
pub fn say(talk: &Talk, progress: Progress<'_>) {
    match progress {
        Progress::Checking { files: 0, .. } => {}
        Progress::Checking { bytes, .. } => talk.bytes(bytes),
        Progress::Read { bytes } => talk.read(bytes),
        Progress::Checked(files) if files.paths.is_empty() => {}
        Progress::Checked(files) => {
            talk.finish();
            let all = &files.checked.summary;
            talk.line(&format!(
                "Checked {}: {}, {}, {}",
                count(all.files.into(), "file"),
                count(all.resources, "resource"),
                count(all.errors, "error"),
                count(all.warnings, "warning")
            ));
        }
        Progress::Empty(path) => talk.line(&format!("Left out: {path} (no resource in it)")),
        Progress::NotChecked(input) => talk.line(&format!("Not checked: {input} (the server fetches it, not we)")),
        Progress::Skipped(skipped) => talk.line(&format!("Left out: {} ({})", skipped.path.display(), skipped.reason)),
        Progress::Serving { at, by_default, files } => {
            let why =
                if by_default { " (the FHIR server is on this machine; --serve chooses another address)" } else { "" };
            let what =
                if files > 0 { "Serving the files" } else { "Serving what the server may read beside the files" };
            talk.line(&format!("{what} at {}{why}", redact_url(&at.advertise)));
        }
    }
}
