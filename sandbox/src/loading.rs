//! Loading the files of a job: each is read once, line by line, into one batch for the store, and every problem keeps
//! its place.

use crate::fetch::{Source, Unread};
use crate::intake::{References, Refusal, Tally, Verdict, take_in, tally};
use crate::resource::{Malformed, Resource};
use crate::script::Script;
use crate::server::Server;
use crate::store::{Change, Store};
use crate::stores;
use std::fmt;

/// One file to load.
pub(crate) struct Input {
    /// The type its resources should have. `None`: any.
    pub(crate) kind: Option<String>,
    pub(crate) source: Source,
}

/// What a line that is no resource means for its file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum BadLine {
    /// It is written down, and the next one is read.
    IsSkipped,
    /// It is written down, and the rest of the file is not read.
    EndsItsFile,
}

/// How a server reads the lines of its files.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Manner {
    pub(crate) bad_line: BadLine,
    pub(crate) untyped: Untyped,
}

/// What a resource without a type is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Untyped {
    /// A bad line.
    IsRefused,
    /// One of the type of its file.
    IsOfItsFile,
}

impl Manner {
    /// Bad lines are skipped, and every resource says its type.
    pub(crate) const USUAL: Self = Self { bad_line: BadLine::IsSkipped, untyped: Untyped::IsRefused };
}

/// What became of the files of a job.
#[derive(Default)]
pub(crate) struct Loaded {
    pub(crate) files: Vec<File>,
    pub(crate) tally: Tally,
    /// What was not there before, by type and id.
    created: Vec<(String, String)>,
}

/// What became of one file.
pub(crate) struct File {
    pub(crate) kind: Option<String>,
    pub(crate) url: String,
    pub(crate) bytes: u64,
    /// Its lines that are not blank, as far as it was read.
    pub(crate) rows: u64,
    /// How many of them are stored, lies of the script included.
    pub(crate) stored: u64,
    /// How many of them were not there before, lies included.
    pub(crate) created: u64,
    /// The lines that are not.
    pub(crate) problems: Vec<Problem>,
    /// Why it could not be read to its end.
    pub(crate) unread: Option<Unread>,
}

/// A line that is not stored.
pub(crate) struct Problem {
    /// Its number, from 1, blank ones counted.
    pub(crate) line: u64,
    /// `Type/id`, where it has both.
    pub(crate) resource: Option<String>,
    pub(crate) cause: Cause,
}

/// Why a line is not stored.
pub(crate) enum Cause {
    NotJson(String),
    Untyped,
    WrongType { wanted: String, found: String },
    Nameless,
    Scripted,
    Dangling { path: String, target: String },
}

/// The resources of all files in order, each with its file and its line.
#[derive(Default)]
struct Batch {
    resources: Vec<(String, Resource)>,
    places: Vec<(usize, u64)>,
}

/// Reads every file, keeps what can be kept, and writes down the rest. A resource needs an id.
pub(crate) async fn load(server: &Server, script: &Script, manner: Manner, inputs: Vec<Input>) -> Loaded {
    let (mut batch, mut files) = (Batch::default(), Vec::new());
    for input in inputs {
        let mut file = File::unread(&input);
        if let Err(unread) = read(server, script, &input.source, manner, &mut file, files.len(), &mut batch).await {
            file.unread = Some(unread);
        }
        files.push(file);
    }
    let unusable: usize = files.iter().map(|file| file.problems.len()).sum();
    let mut loaded = Loaded { files, ..Loaded::default() };
    loaded.store(server, script, batch);
    loaded.tally.refused += unusable as u64;
    loaded
}

async fn read(
    server: &Server,
    script: &Script,
    source: &Source,
    manner: Manner,
    file: &mut File,
    index: usize,
    batch: &mut Batch,
) -> Result<(), Unread> {
    let mut lines = stores::open(&server.reader, &script.stores, source).await?;
    let mut number = 0;
    while let Some(line) = lines.next().await? {
        number += 1;
        file.bytes += line.len() as u64 + 1;
        if line.trim_ascii().is_empty() {
            continue;
        }
        file.rows += 1;
        match judge(&line, number, manner.untyped, file.kind.as_deref()) {
            Ok((id, resource)) => batch.add(id, resource, (index, number)),
            Err(problem) => file.problems.push(problem),
        }
        if manner.bad_line == BadLine::EndsItsFile && !file.problems.is_empty() {
            return Ok(());
        }
    }
    Ok(())
}

fn judge(line: &[u8], number: u64, untyped: Untyped, wanted: Option<&str>) -> Result<(String, Resource), Problem> {
    let problem = |resource, cause| Problem { line: number, resource, cause };
    let default = wanted.filter(|_| untyped == Untyped::IsOfItsFile);
    let resource = Resource::parse_as(line, default).map_err(|malformed| match malformed {
        Malformed::Json { message, .. } => problem(None, Cause::NotJson(message)),
        Malformed::Untyped => problem(None, Cause::Untyped),
    })?;
    let Some(id) = resource.id.clone() else { return Err(problem(None, Cause::Nameless)) };
    match wanted.filter(|wanted| *wanted != resource.kind) {
        None => Ok((id, resource)),
        Some(wanted) => {
            let cause = Cause::WrongType { wanted: wanted.to_owned(), found: resource.kind.clone() };
            Err(problem(Some(format!("{}/{id}", resource.kind)), cause))
        }
    }
}

impl Batch {
    fn add(&mut self, id: String, resource: Resource, place: (usize, u64)) {
        self.resources.push((id, resource));
        self.places.push(place);
    }
}

impl File {
    fn unread(input: &Input) -> Self {
        let (kind, url) = (input.kind.clone(), input.source.url.clone());
        Self { kind, url, bytes: 0, rows: 0, stored: 0, created: 0, problems: Vec::new(), unread: None }
    }

    /// Whether everything in it is stored.
    pub(crate) fn is_whole(&self) -> bool {
        self.problems.is_empty() && self.unread.is_none()
    }
}

impl Loaded {
    fn store(&mut self, server: &Server, script: &Script, batch: Batch) {
        let references = References::Unchecked.scripted(script);
        let verdicts = take_in(&server.store, script, references, &batch.resources);
        self.tally = tally(script, &verdicts);
        for ((verdict, (id, resource)), place) in verdicts.into_iter().zip(batch.resources).zip(batch.places) {
            self.note(verdict, id, resource.kind, place);
        }
        self.files.iter_mut().for_each(|file| file.problems.sort_by_key(|problem| problem.line));
        if let Some(first) = self.files.first_mut() {
            first.stored = first.stored.saturating_add_signed(script.lie_count);
            first.created = first.created.saturating_add_signed(script.lie_count);
        }
    }

    fn note(&mut self, verdict: Verdict, id: String, kind: String, (file, line): (usize, u64)) {
        let file = &mut self.files[file];
        match verdict {
            Verdict::Stored(change) => {
                file.stored += 1;
                if change == Change::Created {
                    file.created += 1;
                    self.created.push((kind, id));
                }
            }
            Verdict::Refused(refusal) => {
                file.problems.push(Problem { line, resource: Some(format!("{kind}/{id}")), cause: refusal.into() });
            }
        }
    }

    /// Takes out again what was not there before. What was only changed stays changed.
    pub(crate) fn undo(&self, store: &Store) {
        self.created.iter().for_each(|(kind, id)| store.remove(kind, id));
    }

    /// How many resources are stored, lies of the script included.
    pub(crate) fn stored(&self) -> u64 {
        self.files.iter().map(|file| file.stored).sum()
    }

    /// How many lines are not.
    pub(crate) fn refused(&self) -> u64 {
        self.files.iter().map(|file| file.problems.len() as u64).sum()
    }
}

impl From<Refusal> for Cause {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Scripted => Self::Scripted,
            Refusal::Dangling { path, target } => Self::Dangling { path, target },
        }
    }
}

/// The words of a server whose own are not known.
impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotJson(message) => write!(f, "not a JSON object: {message}"),
            Self::Untyped => f.write_str("no resourceType"),
            Self::WrongType { wanted, found } => write!(f, "expected {wanted}, found {found}"),
            Self::Nameless => f.write_str("no id"),
            Self::Scripted => f.write_str("rejected by the script"),
            Self::Dangling { path, target } => write!(f, "{path} refers to {target}, which does not exist"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::local::at_once;
    use crate::world::{Surroundings, World};
    use bytes::Bytes;
    use std::sync::Arc;

    const MIXED: &str = "{\"resourceType\":\"Patient\",\"id\":\"a\"}\n\nnonsense\n{\"resourceType\":\"Group\",\"id\":\"g\"}\n\
        {\"resourceType\":\"Patient\"}\n{\"resourceType\":\"Patient\",\"id\":\"b\"}\n";

    fn loaded(bad_line: BadLine, script: &Script) -> (Loaded, usize) {
        let read = |url: &str| (url == "http://f/mixed").then(|| Bytes::from(MIXED));
        let world = World { files: Arc::new(read), ..World::default() };
        let server = Server::new("http://a".to_owned(), "/fhir", Script::default(), Surroundings::from(world));
        let input =
            |url: &str| Input { kind: Some("Patient".to_owned()), source: Source { url: url.to_owned(), basic: None } };
        let inputs = vec![input("http://f/mixed"), input("http://f/none")];
        let loaded = at_once(load(&server, script, Manner { bad_line, ..Manner::USUAL }, inputs));
        (loaded, server.store.count())
    }

    #[test]
    fn every_problem_keeps_its_line() {
        let script = Script { reject_ids: vec!["b".to_owned()], ..Script::default() };
        let (loaded, count) = loaded(BadLine::IsSkipped, &script);
        let problems: Vec<_> =
            loaded.files[0].problems.iter().map(|problem| format!("{} {}", problem.line, problem.cause)).collect();
        assert_eq!(problems[1..], ["4 expected Patient, found Group", "5 no id", "6 rejected by the script"]);
        assert!(problems[0].starts_with("3 not a JSON object"));
        assert_eq!((loaded.stored(), loaded.refused(), count, loaded.files[0].rows), (1, 4, 1, 5));
        assert!(matches!(loaded.files[1].unread, Some(Unread::Unreachable(_))));
    }

    #[test]
    fn a_bad_line_can_be_the_end_of_its_file() {
        let (loaded, count) = loaded(BadLine::EndsItsFile, &Script::default());
        assert_eq!((loaded.stored(), loaded.refused(), count), (1, 1, 1));
        assert!(!loaded.files[0].is_whole());
    }
}
