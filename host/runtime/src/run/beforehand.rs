//! What a dialect that was named would refuse, before the files are read: to look at all their lines can take hours.
//!
//! The decisions are asked with a plan of what is known already. It is not stored, so that nothing has to be given up.

use std::fs;

use super::inputs::{InputSecrets, Remote, served_name};
use super::options::{DialectWanted, RunOptions};
use super::prepare::Chosen;
use super::session::Setup;
use super::{Outcome, RunError, random};
use crate::contract::{Input, Next, Purpose, Report, Request};
use crate::dialect_file::did_you_mean;
use crate::files::{Discovered, InputFile, InputSource};
use crate::importer::Importer;
use crate::journal::create_private_folder;

/// Stands for the address at which files and documents will be served.
const SERVED: &str = "http://127.0.0.1:9";
/// Stands for the type of a file that only its lines tell.
const SOME_TYPE: &str = "Resource";

/// Fails with all that the dialect would refuse, and when no transcript could be written.
pub(super) async fn accept(
    setup: &Setup,
    options: &RunOptions,
    chosen: &Chosen,
    found: &Discovered,
) -> Result<(), RunError> {
    if let Some(folder) = &options.access.record {
        create_private_folder(folder).map_err(|error| RunError::Record { folder: folder.clone(), error })?;
    }
    let inputs = inputs(found, chosen);
    if options.dialect == DialectWanted::Detect || inputs.is_empty() {
        return Ok(());
    }
    let network = options.access.network(&options.server, &InputSecrets::default())?;
    let importer = Importer::new(setup.engine.clone(), setup.clock.clone(), network);
    let request = request(setup, options, chosen, inputs)?;
    let started = importer.start(&request).await.map_err(|error| RunError::Drive(error.into()))?;
    match started.transition.next {
        Next::Done(report) => Err(refused(options, chosen, report)),
        _ => Ok(()),
    }
}

fn refused(options: &RunOptions, chosen: &Chosen, report: Report) -> RunError {
    let known: Vec<&str> = chosen.settings().collect();
    let meant = options.settings.iter().filter(|(name, _)| !known.contains(&name.as_str())).filter_map(|(name, _)| {
        let hint = did_you_mean(name, &known);
        (!hint.is_empty()).then(|| format!(" {name}{hint}"))
    });
    let outcome = Outcome::from_code(report.outcome as u8).expect("the contract and the table have the same outcomes");
    let message = [report.sentence, report.advice].join(" ");
    RunError::Refused { outcome, message: meant.fold(message, |message, hint| message + &hint) }
}

/// Without empty files, which are left out of an import.
fn inputs(found: &Discovered, chosen: &Chosen) -> Vec<Input> {
    let is_empty = |file: &InputFile| match &file.source {
        InputSource::Local(path) => fs::metadata(path).is_ok_and(|data| data.len() == 0),
        InputSource::Remote(_) => false,
    };
    let files = found.files.iter().filter(|file| !is_empty(file)).enumerate();
    files.map(|(place, file)| input(place, file, chosen)).collect()
}

fn input(place: usize, file: &InputFile, chosen: &Chosen) -> Input {
    let resource_type = file.declared_type.clone().unwrap_or_else(|| SOME_TYPE.to_owned());
    let (url, etag) = match &file.source {
        InputSource::Remote(remote) => {
            let remote = Remote::new(place, remote);
            (remote.with_placeholder(), remote.etag)
        }
        InputSource::Local(path) => {
            let name = served_name(path, &resource_type);
            let folder = if chosen.sends_files() { format!("upload:{place}") } else { format!("{SERVED}/{place}") };
            (format!("{folder}/{name}"), None)
        }
    };
    Input { url, resource_type, resources: None, etag }
}

fn request(setup: &Setup, options: &RunOptions, chosen: &Chosen, inputs: Vec<Input>) -> Result<Request, RunError> {
    let served = inputs.iter().any(|input| input.url.starts_with(SERVED));
    let published = served || options.serve.is_some() || options.server.is_loopback();
    Ok(Request {
        id: random::id()?,
        time_ms: setup.clock.now_ms(),
        purpose: Purpose::Import,
        base_url: options.server.base(),
        dialect: chosen.note.clone().into(),
        inputs,
        samples: Vec::new(),
        expected: Vec::new(),
        settings: options.settings.clone(),
        documents_url: published.then(|| format!("{SERVED}/documents")),
        policy: options.policy,
    })
}
