//! From what was typed to an import that is stored and can be driven. Nothing is sent to the FHIR server here.

use std::fs;
use std::sync::Arc;

use fhir_import_workflow::Dialect;

use super::access::Recorded;
use super::check::{Samples, check_local};
use super::host::listen;
use super::inputs::{InputSecrets, Local, Opened, Place, inputs_digest, open, served_name};
use super::notes::{DialectNote, FileNote, HostNotes, InputNote, ServeNote};
use super::publish;
use super::session::{Run, Setup};
use super::{CheckMode, CheckedFiles, DialectWanted, RunError, RunOptions, Unfinished, beforehand, random};
use crate::contract::{ExpectedCount, Input, Purpose, Request, Sample};
use crate::dialect_file::read_dialect;
use crate::drive::{Begin, DriveError, begin_started};
use crate::files::{InputSource, OpenInput, Skipped, discover};
use crate::importer::{Importer, dialects};
use crate::journal::{Holder, ImportSummary, JournalError, SameInputs};
use crate::outgoing::Network;
use crate::serve::{CapabilityPath, Listening, ServedFile};
use crate::uploads::Uploads;

/// What became of a request.
pub enum Prepared {
    /// A new import, ready to be driven.
    New(Box<Run>),
    /// The key and the files are those of an import that is there: go on with it, or take its result.
    Known(Known),
    /// Without a key: an import of the same files to the same server is not over.
    Unfinished(Known),
}

/// An import that is there already.
#[derive(Clone, Debug)]
pub struct Known {
    /// The import.
    pub import: ImportSummary,
    /// The queries of its remote inputs, for [`resume`](super::resume).
    pub secrets: InputSecrets,
}

/// What is told while an import is prepared.
#[derive(Clone, Copy, Debug)]
pub enum Progress<'a> {
    /// The lines of all files have been looked at.
    Checked(&'a CheckedFiles),
    /// The lines of so many files are being looked at.
    Checking {
        /// Files.
        files: usize,
        /// Their size together.
        bytes: u64,
    },
    /// An empty file is left out.
    Empty(&'a str),
    /// A remote input cannot be checked here.
    NotChecked(&'a InputSource),
    /// So many more bytes were checked.
    Read {
        /// Bytes.
        bytes: u64,
    },
    /// Local files are served.
    Serving {
        /// Where, and how the FHIR server reaches it.
        at: &'a ServeNote,
        /// Nobody asked for it: the FHIR server is on this machine.
        by_default: bool,
        /// How many of the files; none when only documents are served.
        files: usize,
    },
    /// Something in a folder is left out.
    Skipped(&'a Skipped),
}

/// Prepares an import: files are found, opened, checked and served, the plan is stored.
///
/// # Errors
/// [`RunError`]: nothing was sent, and unless the journal failed, nothing was stored.
pub async fn prepare(
    setup: &Setup,
    options: &RunOptions,
    say: &mut (dyn FnMut(Progress<'_>) + Send),
) -> Result<Prepared, RunError> {
    let chosen = choose(setup, &options.dialect).await?;
    let found = discover(&options.inputs).map_err(RunError::Files)?;
    beforehand::accept(setup, options, &chosen, &found).await?;
    let opened = open(found, say)?;
    let secrets = InputSecrets::of(&opened);
    let network = options.access.network(&options.server, &secrets)?;
    let inputs_digest = inputs_digest(&options.server, &opened);
    if let Some(import) = known(setup, options, &inputs_digest)? {
        return Ok(noticed(options, Known { import, secrets }));
    }
    let listening = listening(options, &opened, &chosen)?;
    let id = random::id()?;
    let contents = contents(setup, options, opened, &id, say).await?;
    let draft = Draft { options, id, dialect: chosen.note, inputs_digest: inputs_digest.clone(), contents };
    match draft.begin(setup, network, listening, say).await {
        Err(RunError::Drive(DriveError::NotSaved(error))) if is_taken(&error) => {
            // Another process began the same import while the files were checked.
            let import = known(setup, options, &inputs_digest)?;
            let gone = RunError::Drive(DriveError::NotSaved(error));
            import.map(|import| noticed(options, Known { import, secrets })).ok_or(gone)
        }
        begun => begun.map(|run| Prepared::New(Box::new(run))),
    }
}

fn is_taken(error: &JournalError) -> bool {
    matches!(error, JournalError::KeyTaken { .. } | JournalError::Unfinished { .. })
}

fn noticed(options: &RunOptions, known: Known) -> Prepared {
    if options.key.is_some() { Prepared::Known(known) } else { Prepared::Unfinished(known) }
}

/// A dialect that was chosen.
pub(super) struct Chosen {
    pub(super) note: DialectNote,
    /// What it says; none while it is to be found out.
    dialect: Option<Dialect>,
}

impl Chosen {
    fn of(note: DialectNote, definition: &str) -> Self {
        Self { note, dialect: Dialect::from_json(definition).ok() }
    }

    /// Whether files are sent in requests, instead of being fetched.
    pub(super) fn sends_files(&self) -> bool {
        self.dialect.as_ref().is_some_and(|dialect| dialect.inputs.upload_bytes() > 0)
    }

    /// The names of what can be set.
    pub(super) fn settings(&self) -> impl Iterator<Item = &str> {
        self.dialect.iter().flat_map(|dialect| dialect.settings.rows().map(|(name, _)| name))
    }
}

async fn choose(setup: &Setup, wanted: &DialectWanted) -> Result<Chosen, RunError> {
    let builtin = dialects(&setup.engine, &setup.clock).await.map_err(|error| RunError::Drive(error.into()))?;
    match wanted {
        DialectWanted::Detect => Ok(Chosen { note: DialectNote::Detect, dialect: None }),
        DialectWanted::Named(name) => match builtin.iter().find(|dialect| dialect.name == *name) {
            Some(dialect) => Ok(Chosen::of(DialectNote::Named(name.clone()), &dialect.definition)),
            None => {
                let known = builtin.into_iter().map(|dialect| dialect.name).collect();
                Err(RunError::DialectUnknown { name: name.clone(), known })
            }
        },
        DialectWanted::File { name, text } => {
            let file = read_dialect(name, text, &builtin, &|path| fs::read_to_string(path));
            let definition = file.map_err(RunError::DialectFile)?.definition;
            Ok(Chosen::of(DialectNote::Defined(definition.clone()), &definition))
        }
    }
}

/// The same request, if it is there: by its key, else by its files.
fn known(setup: &Setup, options: &RunOptions, inputs_digest: &str) -> Result<Option<ImportSummary>, RunError> {
    let Some(key) = &options.key else {
        return match options.unfinished {
            Unfinished::Notice => setup.journal.unfinished_by_inputs(inputs_digest).map_err(RunError::Journal),
            Unfinished::StartAnother => Ok(None),
        };
    };
    match setup.journal.by_key(key).map_err(RunError::Journal)? {
        Some(import) if import.inputs_digest == inputs_digest => Ok(Some(import)),
        Some(import) => Err(RunError::KeyTaken { key: key.clone(), by: import.id }),
        None => Ok(None),
    }
}

/// Files that the server comes for must be served; documents can be, where somebody said how or it is clear.
fn listening(options: &RunOptions, opened: &[Opened], chosen: &Chosen) -> Result<Option<Listening>, RunError> {
    let local = !chosen.sends_files() && opened.iter().any(|input| input.local().is_some());
    let possible = options.serve.is_some() || options.server.is_loopback();
    (local || possible).then(|| listen(&options.server, options.serve.as_ref())).transpose()
}

/// What is imported, and what is known of it.
#[derive(Default)]
struct Contents {
    inputs: Vec<Typed>,
    samples: Vec<Sample>,
    expected: Vec<ExpectedCount>,
}

impl Typed {
    fn etag(&self) -> Option<String> {
        match &self.place {
            Place::Remote(remote) => remote.etag.clone(),
            Place::Local(_) => None,
        }
    }
}

impl Contents {
    /// The local files, by their places among the inputs.
    fn files(&self) -> Vec<Option<Arc<OpenInput>>> {
        let file = |input: &Typed| match &input.place {
            Place::Local(local) => Some(Arc::clone(&local.input)),
            Place::Remote(_) => None,
        };
        self.inputs.iter().map(file).collect()
    }
}

/// An input whose type is known.
struct Typed {
    place: Place,
    resource_type: String,
    resources: Option<u64>,
}

async fn contents(
    setup: &Setup,
    options: &RunOptions,
    opened: Vec<Opened>,
    id: &str,
    say: &mut (dyn FnMut(Progress<'_>) + Send),
) -> Result<Contents, RunError> {
    if options.check == CheckMode::Skip {
        let inputs = opened.into_iter().map(unchecked).collect::<Result<_, _>>()?;
        return Ok(Contents { inputs, ..Contents::default() });
    }
    let files: Vec<(&Local, Option<&str>)> =
        opened.iter().filter_map(|input| Some((input.local()?, input.declared_type.as_deref()))).collect();
    let seed = id.get(..16).and_then(|hex| u64::from_str_radix(hex, 16).ok()).unwrap_or_default();
    let samples = Samples { size: options.sample_size, seed };
    let checked = check_local(&setup.engine, &files, samples, say).await?;
    if checked.checked.summary.errors > 0 {
        return Err(RunError::Findings(Box::new(checked)));
    }
    counted(opened, &checked, say)
}

fn unchecked(input: Opened) -> Result<Typed, RunError> {
    let shown = input.shown();
    let resource_type = input.declared_type.ok_or(RunError::TypeUnknown { input: shown })?;
    Ok(Typed { place: input.place, resource_type, resources: None })
}

/// Empty files are left out: there is nothing in them to import, and some servers refuse them.
fn counted(
    opened: Vec<Opened>,
    files: &CheckedFiles,
    say: &mut (dyn FnMut(Progress<'_>) + Send),
) -> Result<Contents, RunError> {
    let all_counted = opened.iter().all(|input| input.local().is_some());
    let mut summaries = files.checked.files.iter();
    let mut inputs = Vec::new();
    for input in opened {
        if input.remote().is_some() {
            inputs.push(unchecked(input)?);
            continue;
        }
        let summary = summaries.next().expect("each local file was checked");
        if summary.resources == 0 {
            say(Progress::Empty(&input.shown()));
            continue;
        }
        let kind = summary.resource_type.clone().or_else(|| input.declared_type.clone());
        let resource_type = kind.ok_or_else(|| RunError::TypeUnknown { input: input.shown() })?;
        inputs.push(Typed { place: input.place, resource_type, resources: Some(summary.resources) });
    }
    if inputs.is_empty() {
        return Err(RunError::NothingToImport);
    }
    let expected = if all_counted { expected(files) } else { Vec::new() };
    Ok(Contents { inputs, samples: samples(files), expected })
}

fn samples(files: &CheckedFiles) -> Vec<Sample> {
    let chosen = files.checked.summary.samples.iter();
    chosen.map(|c| Sample { reference: c.reference.clone(), fingerprint: c.fingerprint.clone() }).collect()
}

fn expected(files: &CheckedFiles) -> Vec<ExpectedCount> {
    let count = |t: &crate::contract::TypeSummary| ExpectedCount {
        resource_type: t.resource_type.clone(),
        resources: t.resources,
        distinct_ids: t.distinct_ids,
    };
    files.checked.summary.types.iter().map(count).collect()
}

/// Everything that is stored.
struct Draft<'a> {
    options: &'a RunOptions,
    id: String,
    dialect: DialectNote,
    inputs_digest: String,
    contents: Contents,
}

impl Draft<'_> {
    async fn begin(
        self,
        setup: &Setup,
        mut network: Network,
        listening: Option<Listening>,
        say: &mut (dyn FnMut(Progress<'_>) + Send),
    ) -> Result<Run, RunError> {
        let mut notes = self.notes(listening.as_ref());
        let (mut served, mut inputs) = (Vec::new(), Vec::new());
        for input in &self.contents.inputs {
            let (note, url, file) = place(inputs.len(), input, listening.as_ref())?;
            notes.inputs.push(note);
            served.extend(file);
            let (resource_type, resources) = (input.resource_type.clone(), input.resources);
            inputs.push(Input { url, resource_type, resources, etag: input.etag() });
        }
        network.uploads = Uploads::new(self.options.server.origin().clone(), self.contents.files());
        let mut request = self.request(&notes, inputs, setup.clock.now_ms());
        let transcript = self.options.access.recorded(&mut network, self.recorded(setup, &request, &notes))?;
        let importer = Importer::new(setup.engine.clone(), setup.clock.clone(), network);
        let folder = random::bits()?;
        request.documents_url = listening.as_ref().map(|listening| listening.folder_url(folder).to_string());
        let mut started = importer.start(&request).await.map_err(|error| RunError::Drive(error.into()))?;
        if listening.is_some() {
            notes.documents = publish::noted(folder, std::mem::take(&mut started.documents))?;
        }
        notes.serve = notes.serve.filter(|_| !(served.is_empty() && notes.documents.is_empty()));
        let begin_with = Begin {
            request: &request,
            key: self.options.key.clone(),
            inputs_digest: self.inputs_digest.clone(),
            server: self.options.server.shown(),
            host: notes.encode(),
            same_inputs: self.same_inputs(),
        };
        let journal = setup.journal.as_ref();
        let id = begin_started(setup.clock.as_ref(), journal, begin_with, started).map_err(RunError::Drive)?;
        let lease = journal.lease(&id, &Holder::this_process(setup.clock.now_ms())).map_err(RunError::Journal)?;
        let inputs: Vec<_> = served.iter().map(|file: &ServedFile| Arc::clone(&file.input)).collect();
        let files = inputs.len();
        let server = listening.map(|listening| publish::serve(listening, served, &notes)).transpose()?.flatten();
        let server = server.map(Arc::new);
        if let Some(at) = notes.serve.as_ref().filter(|_| server.is_some()) {
            say(Progress::Serving { at, by_default: self.options.serve.is_none(), files });
        }
        let budget = setup.budgets.of(self.options.server.url());
        let left_out = Vec::new();
        Ok(Run { setup: setup.clone(), importer, lease, budget, notes, inputs, server, left_out, transcript })
    }

    fn recorded<'a>(&'a self, setup: &Setup, request: &Request, notes: &'a HostNotes) -> Recorded<'a> {
        let import = self.id.parse().expect("an id of ours is one");
        Recorded { import, began_ms: request.time_ms, server: &self.options.server, notes, clock: setup.clock.clone() }
    }

    /// A key tells requests apart, also those of the same files.
    fn same_inputs(&self) -> SameInputs {
        match (&self.options.key, self.options.unfinished) {
            (None, Unfinished::Notice) => SameInputs::Refuse,
            (Some(_), _) | (None, Unfinished::StartAnother) => SameInputs::Allow,
        }
    }

    fn notes(&self, listening: Option<&Listening>) -> HostNotes {
        let options = self.options;
        let mut notes = HostNotes::new(options.server.base(), self.dialect.clone(), options.policy);
        notes.allow.clone_from(&options.access.allow);
        notes.ca = options.access.ca.as_ref().map(|ca| std::path::absolute(ca).unwrap_or_else(|_| ca.clone()));
        notes.samples.clone_from(&self.contents.samples);
        notes.expected.clone_from(&self.contents.expected);
        notes.serve = listening
            .map(|listening| ServeNote { bound: listening.local_addr(), advertise: listening.advertise().clone() });
        notes
    }

    fn request(&self, notes: &HostNotes, inputs: Vec<Input>, time_ms: u64) -> Request {
        Request {
            id: self.id.clone(),
            time_ms,
            purpose: Purpose::Import,
            base_url: notes.server.clone(),
            dialect: notes.dialect.clone().into(),
            inputs,
            samples: notes.samples.clone(),
            expected: notes.expected.clone(),
            settings: self.options.settings.clone(),
            documents_url: None,
            policy: notes.policy,
        }
    }
}

type Placed = (InputNote, String, Option<ServedFile>);

/// Where the FHIR server finds an input. A file that is sent is not found anywhere.
fn place(place: usize, input: &Typed, listening: Option<&Listening>) -> Result<Placed, RunError> {
    let local = match &input.place {
        Place::Remote(remote) => return Ok((InputNote::Remote(remote.url.clone()), remote.with_placeholder(), None)),
        Place::Local(local) => local,
    };
    let name = served_name(&local.path, &input.resource_type);
    let served = CapabilityPath::new(random::bits()?, &name).expect("the name needs no escaping");
    let note = FileNote {
        path: local.path.clone(),
        resource_type: input.resource_type.clone(),
        identity: local.input.identity(),
        digest: local.digest,
        served: served.clone(),
    };
    let Some(listening) = listening else {
        return Ok((InputNote::Local(note), format!("upload:{place}/{name}"), None));
    };
    let url = listening.url_of(&served).to_string();
    let file = ServedFile { path: served, input: Arc::clone(&local.input) };
    Ok((InputNote::Local(note), url, Some(file)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_for_a_server_that_takes_them_in_requests_need_not_be_served() {
        let chosen = |name: &str| {
            let file = format!("{}/../../guest/dialects/dialects/{name}.toml", env!("CARGO_MANIFEST_DIR"));
            let dialect: Dialect = toml::from_str(&fs::read_to_string(file).unwrap()).unwrap();
            Chosen::of(DialectNote::Named(name.to_owned()), &serde_json::to_string(&dialect).unwrap())
        };
        let unknown = Chosen { note: DialectNote::Detect, dialect: None };
        assert!(chosen("sazare").sends_files() && !chosen("hapi").sends_files() && !unknown.sends_files());
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("Patient.ndjson");
        std::fs::write(&path, "{}\n").unwrap();
        let opened = || open(discover([path.to_str().unwrap()]).unwrap(), &mut |_| {}).unwrap();
        let server = super::super::Server::parse("https://fhir.example.org/fhir").unwrap();
        let options = RunOptions::new(server, [String::new()]);
        assert!(matches!(listening(&options, &opened(), &unknown), Err(RunError::NotServed { .. })));
        assert!(listening(&options, &opened(), &chosen("sazare")).unwrap().is_none());
        let input = unchecked(opened().remove(0)).unwrap();
        let (note, url, file) = place(3, &input, None).unwrap();
        assert!(matches!(note, InputNote::Local(_)) && url == "upload:3/Patient.ndjson" && file.is_none(), "{url}");
    }
}
