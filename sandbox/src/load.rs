//! Loading files of resources: what servers do alike, and what each does in its own way as [`Manners`].

use crate::fetch::{Lines, Source, Unread};
use crate::intake::{References, Refusal, Tally, Verdict, take_in, tally};
use crate::resource::{Malformed, Resource};
use crate::script::Script;
use crate::server::Server;
use crate::stores;
use std::collections::HashSet;

/// One file to load.
pub(crate) struct Input {
    /// The type its resources must have. `None`: any.
    pub(crate) kind: Option<String>,
    pub(crate) source: Source,
}

/// What a server does in its own way.
pub(crate) struct Manners {
    pub(crate) references: References,
    pub(crate) blank: Blank,
    pub(crate) repeated: Repeated,
    pub(crate) bad_line: Reach,
    /// What a file costs that cannot be read.
    pub(crate) unread: fn(&Unread) -> Reach,
    /// What is wrong with the content of a resource.
    pub(crate) check: fn(&Resource) -> Option<String>,
}

/// What a line without anything on it is.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(crate) enum Blank {
    Nothing,
    BadLine,
}

/// What the second resource with the same id in a job is.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(crate) enum Repeated {
    /// A newer version.
    Newer,
    /// A bad line.
    BadLine,
}

/// How far trouble reaches.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(crate) enum Reach {
    /// What has it is left out.
    Itself,
    /// The rest of its file is left out too.
    RestOfFile,
    /// Nothing of its file is stored, and nothing that would have come after it.
    RestOfJob,
}

/// Where a line stands in its file.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Place {
    /// From 1, blank lines included.
    pub(crate) line: u64,
    /// From 1, blank lines left out.
    pub(crate) filled: u64,
    /// In bytes from the start of the file to its own.
    pub(crate) offset: u64,
}

/// Why a line is not stored.
#[derive(Debug)]
pub(crate) enum Problem {
    Malformed(Malformed),
    /// It has another type than its file.
    OtherKind,
    /// The server found this wrong with it.
    Invalid(String),
    /// There was a resource with its id before it.
    Repeated,
    Refused(Refusal),
}

/// A line that is not stored.
#[derive(Debug)]
pub(crate) struct BadLine {
    pub(crate) place: Place,
    /// The type and the id it gives, as far as it does.
    pub(crate) kind: Option<String>,
    pub(crate) id: Option<String>,
    pub(crate) problem: Problem,
}

/// What became of one file.
pub(crate) struct Loaded {
    pub(crate) input: Input,
    /// Where the resources stood that the server says it stored.
    pub(crate) stored: Vec<Place>,
    pub(crate) bad: Vec<BadLine>,
    pub(crate) unread: Option<Unread>,
}

/// What became of a job. Files that were not come to are not in it.
#[derive(Default)]
pub(crate) struct Load {
    pub(crate) files: Vec<Loaded>,
    pub(crate) tally: Tally,
}

/// The resources of a job in their order, each with its file and its place.
#[derive(Default)]
struct Batch {
    resources: Vec<(String, Resource)>,
    places: Vec<(usize, Place)>,
    /// The types and ids in it, where a server minds repeated ones.
    names: HashSet<(String, String)>,
}

/// Why a job goes no further.
struct Stop;

/// Reads files in their order, line by line, and stores what can be stored.
pub(crate) async fn run(server: &Server, script: &Script, inputs: Vec<Input>, manners: &Manners) -> Load {
    let (mut load, mut batch) = (Load::default(), Batch::default());
    for input in inputs {
        let before = batch.resources.len();
        load.files.push(Loaded { input, stored: Vec::new(), bad: Vec::new(), unread: None });
        if let Err(Stop) = read(server, script, manners, &mut load, &mut batch).await {
            batch.resources.truncate(before);
            break;
        }
    }
    store(server, script, manners, &mut load, &batch);
    load
}

/// The same for the lines of a request's own body, which are the only file of the load.
pub(crate) async fn run_body(server: &Server, script: &Script, body: &[u8], manners: &Manners) -> Load {
    let input = Input { kind: None, source: Source { url: String::new(), basic: None } };
    let mut file = Loaded { input, stored: Vec::new(), bad: Vec::new(), unread: None };
    let (mut load, mut batch) = (Load::default(), Batch::default());
    // A body is there already: neither can it break off nor does a line end the job that it is.
    let _read = read_lines(server, manners, Lines::of(body), (0, &mut file), &mut batch).await;
    load.files.push(file);
    store(server, script, manners, &mut load, &batch);
    load
}

/// Reads the newest file of the job.
async fn read(
    server: &Server,
    script: &Script,
    manners: &Manners,
    load: &mut Load,
    batch: &mut Batch,
) -> Result<(), Stop> {
    let index = load.files.len() - 1;
    let file = &mut load.files[index];
    let lines = stores::open(&server.reader, &script.stores, &file.input.source).await;
    let read = match lines {
        Ok(lines) => read_lines(server, manners, lines, (index, file), batch).await,
        Err(unread) => Err(unread),
    };
    match read {
        Ok(stop) => stop,
        Err(unread) => {
            let reach = (manners.unread)(&unread);
            file.unread = Some(unread);
            if reach == Reach::RestOfJob { Err(Stop) } else { Ok(()) }
        }
    }
}

async fn read_lines(
    server: &Server,
    manners: &Manners,
    mut lines: Lines,
    (index, file): (usize, &mut Loaded),
    batch: &mut Batch,
) -> Result<Result<(), Stop>, Unread> {
    let mut place = Place { line: 0, filled: 0, offset: 0 };
    let mut next = 0;
    while let Some(line) = lines.next().await? {
        (place.line, place.offset, next) = (place.line + 1, next, next + line.len() as u64 + 1);
        let blank = line.trim_ascii().is_empty();
        if blank && manners.blank == Blank::Nothing {
            continue;
        }
        place.filled += u64::from(!blank);
        let Err(bad) = batch.take(server, manners, &line, file.input.kind.as_deref(), (index, place)) else { continue };
        file.bad.push(bad);
        match manners.bad_line {
            Reach::Itself => {}
            Reach::RestOfFile => break,
            Reach::RestOfJob => return Ok(Err(Stop)),
        }
    }
    Ok(Ok(()))
}

impl Batch {
    /// Takes a line, or says why not.
    fn take(
        &mut self,
        server: &Server,
        manners: &Manners,
        line: &[u8],
        kind: Option<&str>,
        (file, place): (usize, Place),
    ) -> Result<(), BadLine> {
        let mut resource = Resource::parse(line).map_err(|malformed| {
            let problem = Problem::Malformed(malformed);
            BadLine { place, kind: None, id: None, problem }
        })?;
        if let Some(problem) = self.problem(manners, &resource, kind) {
            return Err(BadLine { place, kind: Some(resource.kind), id: resource.id, problem });
        }
        let id = resource.id.clone().unwrap_or_else(|| server.ids.uuid());
        resource.name(id.clone());
        self.resources.push((id, resource));
        self.places.push((file, place));
        Ok(())
    }

    fn problem(&mut self, manners: &Manners, resource: &Resource, kind: Option<&str>) -> Option<Problem> {
        if kind.is_some_and(|kind| kind != resource.kind) {
            return Some(Problem::OtherKind);
        }
        if let Some(text) = (manners.check)(resource) {
            return Some(Problem::Invalid(text));
        }
        let name = resource.id.clone().map(|id| (resource.kind.clone(), id));
        let repeated = manners.repeated == Repeated::BadLine && name.is_some_and(|name| !self.names.insert(name));
        repeated.then_some(Problem::Repeated)
    }
}

fn store(server: &Server, script: &Script, manners: &Manners, load: &mut Load, batch: &Batch) {
    let references = manners.references.scripted(script);
    let verdicts = take_in(&server.store, script, references, &batch.resources);
    let unusable: usize = load.files.iter().map(|file| file.bad.len()).sum();
    load.tally = tally(script, &verdicts);
    load.tally.refused += unusable as u64;
    for ((verdict, (file, place)), (id, resource)) in verdicts.into_iter().zip(&batch.places).zip(&batch.resources) {
        let file = &mut load.files[*file];
        match verdict {
            Verdict::Stored(_) => file.stored.push(*place),
            Verdict::Refused(refusal) => {
                let (kind, id) = (Some(resource.kind.clone()), Some(id.clone()));
                file.bad.push(BadLine { place: *place, kind, id, problem: Problem::Refused(refusal) });
            }
        }
    }
    load.files.iter_mut().for_each(|file| file.bad.sort_by_key(|bad| bad.place));
}

impl Loaded {
    /// How many resources the server says it stored of this file, which is the one with this number.
    pub(crate) fn claimed(&self, index: usize, script: &Script) -> u64 {
        let stored = self.stored.len() as u64;
        if index == 0 { stored.saturating_add_signed(script.lie_count) } else { stored }
    }
}

/// What costs a file that cannot be read where a server goes on with the next one.
pub(crate) fn itself(_unread: &Unread) -> Reach {
    Reach::Itself
}

/// Content that no server minds.
pub(crate) fn anything(_resource: &Resource) -> Option<String> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Personality;
    use crate::clock::MachineClock;
    use crate::fetch::Reader;
    use crate::identity::Ids;
    use crate::local::{Shelf, at_once};
    use crate::world::{Pace, Surroundings};
    use std::sync::Arc;

    const FILE: &str = "{\"resourceType\":\"Patient\",\"id\":\"a\"}\n\n{\"resourceType\":\"Group\",\"id\":\"b\"}\n\
        {\"resourceType\":\"Patient\",\"id\":\"a\"}\nnonsense\n{\"resourceType\":\"Patient\"}";

    const PLAIN: Manners = Manners {
        references: References::Unchecked,
        blank: Blank::Nothing,
        repeated: Repeated::Newer,
        bad_line: Reach::Itself,
        unread: itself,
        check: anything,
    };

    fn load(manners: &Manners) -> (Load, usize) {
        let files =
            Shelf::of(&[("file:///one", FILE), ("file:///two", "{\"resourceType\":\"Patient\",\"id\":\"z\"}\n")]);
        let reader = Reader::Given(Arc::new(files));
        let surroundings =
            Surroundings { clock: Arc::new(MachineClock), reader, ids: Ids::seeded(1), pace: Pace::Tells };
        let server = Server::new("http://a".to_owned(), Personality::Hapi.root(), Script::default(), surroundings);
        let input =
            |url: &str| Input { kind: Some("Patient".to_owned()), source: Source { url: url.to_owned(), basic: None } };
        let inputs = ["file:///one", "file:///none", "file:///two"].map(input).into();
        let load = at_once(run(&server, &Script::default(), inputs, manners));
        (load, server.store.count())
    }

    fn places(load: &Load) -> Vec<(u64, u64, u64)> {
        load.files[0].bad.iter().map(|bad| (bad.place.line, bad.place.filled, bad.place.offset)).collect()
    }

    #[test]
    fn bad_lines_are_left_out_and_placed_in_three_ways() {
        let (load, stored) = load(&PLAIN);
        assert_eq!((stored, load.tally), (3, Tally { stored: 4, refused: 2 }));
        assert_eq!(places(&load), [(3, 2, 37), (5, 4, 107)]);
        assert!(matches!(load.files[1].unread, Some(Unread::Refused(404))));
        assert_eq!(load.files[2].stored.len(), 1);
    }

    #[test]
    fn blank_and_repeated_lines_can_be_bad_too() {
        let (load, stored) = load(&Manners { blank: Blank::BadLine, repeated: Repeated::BadLine, ..PLAIN });
        assert_eq!((stored, load.tally), (3, Tally { stored: 3, refused: 4 }));
        assert_eq!(places(&load).iter().map(|place| place.0).collect::<Vec<_>>(), [2, 3, 4, 5]);
        assert!(matches!(load.files[0].bad[2].problem, Problem::Repeated));
    }

    #[test]
    fn a_bad_line_can_cost_the_rest_of_its_file_or_the_whole_job() {
        let (file, stored) = load(&Manners { bad_line: Reach::RestOfFile, ..PLAIN });
        assert_eq!((stored, file.files.len()), (2, 3));
        let (job, stored) = load(&Manners { bad_line: Reach::RestOfJob, ..PLAIN });
        assert_eq!((stored, job.files.len()), (0, 1));
    }

    #[test]
    fn a_file_that_cannot_be_read_can_end_the_job() {
        let (job, stored) = load(&Manners { unread: |_| Reach::RestOfJob, ..PLAIN });
        assert_eq!((stored, job.files.len()), (2, 2));
    }
}
