//! What a seed stands for: a server, data, and what goes wrong.

use fhir_import_sandbox::{Action, Canned, Endpoint, Fault, Personality, Script};

use crate::chance::Chance;
use crate::kinds::{Jobs, KINDS, Kind};

/// What goes wrong, of 10,000 times.
#[derive(Debug, Clone, Copy)]
pub struct Weather {
    /// Of exchanges.
    pub network: u32,
    /// Of writes to the journal.
    pub disk: u32,
    /// In hours of virtual time: then all is well.
    pub until_h: u64,
}

const WEATHERS: [Weather; 4] = [
    Weather { network: 0, disk: 0, until_h: 0 },
    Weather { network: 300, disk: 100, until_h: 12 },
    Weather { network: 1_500, disk: 400, until_h: 6 },
    Weather { network: 5_000, disk: 1_500, until_h: 2 },
];

/// How the person behaves who is asked when the import stands still.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// Looks at the server, and decides by what is there.
    Careful,
    /// Gives up when asked for the second time.
    Impatient,
    /// Cancels after so many transitions.
    Cancels(u32),
}

/// What a seed stands for.
pub struct Scenario {
    /// The seed.
    pub seed: u64,
    /// The server.
    pub kind: Kind,
    /// The operator names the dialect, or leaves it to detection.
    pub named: bool,
    /// Patients in the first file, observations in the second.
    pub data: [u32; 2],
    /// How the server behaves.
    pub script: Script,
    /// The server's clock, seen from the true time.
    pub server_offset_ms: i64,
    /// What goes wrong.
    pub weather: Weather,
    /// Who is asked.
    pub operator: Operator,
    /// A file that the server cannot fetch.
    pub missing_file: bool,
    /// Jobs of others that are on the server before.
    pub foreign_jobs: u32,
}

/// An hour.
pub const HOUR_MS: i64 = 3_600_000;

impl Scenario {
    /// The scenario of a seed.
    #[must_use]
    pub fn of(seed: u64) -> Self {
        let mut chance = Chance::of(seed, 0);
        let kind = chance.one_of(KINDS);
        let operator = match chance.pick(10) {
            0 => Operator::Impatient,
            1 | 2 => Operator::Cancels(chance.pick(20)),
            _ => Operator::Careful,
        };
        let data = [1 + chance.pick(4), chance.pick(3)];
        Self {
            seed,
            kind,
            named: kind.personality != Personality::Hapi || chance.percent(30),
            data,
            script: script(&mut chance, data),
            server_offset_ms: chance.one_of(&[0, 0, 0, 1_500, -90_000, HOUR_MS, -HOUR_MS]),
            weather: chance.one_of(&WEATHERS),
            operator,
            missing_file: chance.percent(3) && kind.jobs != Jobs::Uploads,
            foreign_jobs: chance.one_of(&[0, 0, 1, 3]),
        }
    }

    /// The jobs that it takes.
    #[must_use]
    pub fn jobs(&self) -> usize {
        match self.kind.jobs {
            Jobs::One => 1,
            Jobs::OneByOne | Jobs::Uploads => self.data.iter().filter(|resources| **resources > 0).count(),
        }
    }

    /// The resources that are sent.
    #[must_use]
    pub fn resources(&self) -> u64 {
        u64::from(self.data[0] + self.data[1])
    }
}

/// Mostly minutes; hours mean hundreds of polls that all are the same.
fn job_ms(chance: &mut Chance) -> u64 {
    let longest = if chance.percent(5) { 6 * HOUR_MS } else { HOUR_MS / 4 };
    chance.span(10, longest.unsigned_abs())
}

fn script(chance: &mut Chance, data: [u32; 2]) -> Script {
    let retry_afters = ["", "1", "5", "30", "0", "-1", "1000000000000", "NaN", "120"];
    let retry_after = chance.percent(70).then(|| chance.one_of(&retry_afters));
    Script {
        job_ms: Some(job_ms(chance)),
        retry_after: retry_after.map(str::to_owned),
        // What is later than the year 9999 is no HTTP-date.
        retry_after_date: retry_after.is_none_or(|value| value.len() < 4) && chance.percent(20),
        list_lag_ms: chance.one_of(&[0, 0, 1_000, 20_000]),
        reject_ids: if chance.percent(15) { vec![format!("p{}", chance.pick(data[0]))] } else { Vec::new() },
        lie_drop: u32::from(chance.percent(8)),
        lie_count: -i64::from(chance.percent(3)),
        referential_integrity: Some(false),
        forget_jobs_after_polls: chance.percent(3).then(|| chance.pick(6)),
        forget_after_end: chance.percent(3).then(|| chance.pick(3)),
        require_bearer: chance.percent(5).then(|| "right".to_owned()),
        faults: (0..chance.one_of(&[0, 0, 1, 3, 6])).map(|_| fault(chance)).collect(),
        ..Script::default()
    }
}

/// Something that the server, or a proxy before it, does wrong once or twice.
fn fault(chance: &mut Chance) -> Fault {
    let on = chance.one_of(&[
        Endpoint::Poll,
        Endpoint::Poll,
        Endpoint::KickOff,
        Endpoint::Metadata,
        Endpoint::Read,
        Endpoint::Search,
        Endpoint::ErrorFile,
        Endpoint::Delete,
        Endpoint::List,
    ]);
    let (nth, times) = (Some(1 + chance.pick(8)), Some(1 + chance.pick(2)));
    Fault { on, nth, times, action: action(chance, on) }
}

fn action(chance: &mut Chance, on: Endpoint) -> Action {
    let outcome = r#"{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"exception"}]}"#;
    let answer = |status: u16, body: &str, retry_after: Option<&str>| {
        let headers = retry_after.map(|value| ("Retry-After".to_owned(), value.to_owned())).into_iter().collect();
        Action::Answer(Canned { status, body: body.to_owned(), content_type: None, headers })
    };
    match chance.pick(12) {
        0 => Action::HtmlPage,
        1 => answer(503, "", Some("30")),
        2 => answer(429, outcome, chance.one_of(&[None, Some("7")])),
        3 => answer(502, "<html>", None),
        4 => answer(500, "", None),
        5 => answer(401, outcome, None),
        6 if on == Endpoint::KickOff => Action::NoContentLocation,
        // A resource that is there is not said to be absent: nobody could tell the truth then.
        6 if on == Endpoint::Poll || on == Endpoint::Delete => answer(404, outcome, None),
        7 if on == Endpoint::KickOff => Action::RelativeContentLocation,
        8 if on == Endpoint::KickOff => Action::WrongHostContentLocation("10.0.0.9:8080".to_owned()),
        6..=8 => Action::GarbageJson,
        9 => Action::AcceptThenDrop,
        10 => Action::TruncateBody(chance.pick(60) as usize),
        _ => Action::Drop,
    }
}
