//! Ctrl-C and SIGTERM at random moments, also while an answer does not come: the program leaves in time, says how to
//! go on, and nothing is lost, doubled or cancelled. What the server saw decides.

use std::time::{Duration, Instant};

use fhir_import_sandbox::Personality;
use serde_json::{Value, json};

use crate::harness::cli::Ran;
use crate::harness::files::FileHost;
use crate::harness::person::{PATIENTS, Person, seed};
use crate::harness::running::{LONG, Running, each, until};
use crate::harness::servers::PLAIN;

/// The promise: nobody waits longer for the program to leave.
const LIMIT: Duration = Duration::from_secs(5);
const AT_ONCE: usize = 6;

/// Where an import is when the signal comes.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Moment {
    /// The capability statement does not come.
    Detecting,
    /// The kick-off is not even looked at.
    KickOffUnheard,
    /// The kick-off is accepted, and the answer does not come.
    KickOffUnanswered,
    /// The status does not come.
    Polling,
    /// The next poll is a minute away.
    Waiting,
    /// Anywhere in an import of some seconds.
    Anywhere,
}

/// What is sent, and what the program must think of it.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Signal {
    /// SIGTERM.
    Terminate,
    /// SIGINT, while the files are on this machine: the first one only warns when the server may want them.
    InterruptServing,
    /// SIGINT, while the files are elsewhere.
    InterruptFree,
}

#[derive(Clone, Copy, Debug)]
struct Case {
    personality: Personality,
    moment: Moment,
    signal: Signal,
    after: Duration,
}

fn cases() -> Vec<Case> {
    use Moment::{Anywhere, Detecting, KickOffUnanswered, KickOffUnheard, Polling, Waiting};
    let mut chance = fastrand::Rng::with_seed(seed("signals"));
    let hanging = [KickOffUnheard, KickOffUnanswered, Polling, Waiting];
    let mut places: Vec<(Personality, Moment)> =
        PLAIN.into_iter().flat_map(|server| hanging.map(|moment| (server, moment))).collect();
    places.extend([Detecting; 3].map(|moment| (Personality::Hapi, moment)));
    places.extend(PLAIN.map(|server| (server, Anywhere)));
    let signals = [Signal::Terminate, Signal::InterruptServing, Signal::InterruptFree];
    let case = |(index, (personality, moment)): (usize, (Personality, Moment))| {
        let longest = if moment == Anywhere { 3_000 } else { 400 };
        let after = Duration::from_millis(chance.u64(0..longest));
        // Files of this machine that the server was about to fetch would be missing in the job: see `kills`.
        let signal = if moment == Anywhere { signals[index % 2 * 2] } else { signals[index % 3] };
        Case { personality, moment, signal, after }
    };
    places.into_iter().enumerate().map(case).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_at_any_moment_loses_doubles_and_cancels_nothing() {
    each(cases(), AT_ONCE, play).await;
}

fn play(case: Case) {
    let person = Person::at(case.personality, script(case.moment));
    let files = FileHost::start();
    let mut run = start(&person, case, &files);
    until("the moment", || reached(&person, case.moment, &mut run));
    std::thread::sleep(case.after);
    let left = leave(&mut run, case);
    let job = person.desk.only_job();
    assert!(codes(case.moment).contains(&left.code), "{case:?}: {left:?}");
    if left.code != 0 {
        assert!(left.stdout.contains(&format!("wait {}", &job[..8])), "{case:?} does not say how to go on: {left:?}");
    }

    person.script(json!({ "retry_after": "1", "polls_until_done": 1 }));
    let ended = person.bring_to_end(&job);
    assert_eq!(ended.code, 0, "{case:?}: {ended:?}");
    person.has_one_job(&format!("{case:?}"));
}

fn script(moment: Moment) -> Value {
    let hanging = |on: &str, action: &str| json!({ "faults": [{ "on": on, "action": { action: 60_000 } }] });
    match moment {
        Moment::Detecting => hanging("metadata", "delay-ms"),
        Moment::KickOffUnheard => hanging("kick-off", "delay-ms"),
        Moment::KickOffUnanswered => hanging("kick-off", "accept-then-delay-ms"),
        Moment::Polling => hanging("poll", "delay-ms"),
        Moment::Waiting => json!({ "polls_until_done": 1000, "retry_after": "60" }),
        Moment::Anywhere => json!({ "polls_until_done": 2, "retry_after": "1" }),
    }
}

fn start(person: &Person, case: Case, files: &FileHost) -> Running {
    let mut words = person.run_words(&person.server.base_url(), &[]);
    if case.moment == Moment::Detecting {
        words.retain(|word| word != "--dialect" && word != case.personality.name());
    }
    words.push(match case.signal {
        Signal::InterruptFree => format!("Patient={}", files.add("Patient", PATIENTS)),
        Signal::Terminate | Signal::InterruptServing if case.moment != Moment::Anywhere => "Patient.ndjson".to_owned(),
        Signal::Terminate | Signal::InterruptServing => format!("Patient={}", files.add("Patient", PATIENTS)),
    });
    Running::start(person.desk.command(words))
}

fn reached(person: &Person, moment: Moment, run: &mut Running) -> bool {
    assert!(!run.has_left(), "it left before: {}", run.talk());
    match moment {
        Moment::Detecting => !person.server.log().is_empty(),
        Moment::KickOffUnheard => person.server.kick_offs() > 0,
        Moment::KickOffUnanswered => person.server.stored() > 0,
        Moment::Polling => person.server.polls() > 0,
        Moment::Waiting => run.talk().contains("next in"),
        Moment::Anywhere => run.talk().contains("from any terminal"),
    }
}

/// Sends the signal, and a second one to a program that had a reason to stay after the first.
fn leave(run: &mut Running, case: Case) -> Ran {
    if case.signal == Signal::InterruptServing && case.moment != Moment::Detecting {
        run.signal("INT");
        assert!(run.says("Once more (Ctrl-C)"), "{case:?}: it left at the first Ctrl-C: {}", run.talk());
        std::thread::sleep(case.after);
        assert!(!run.has_left(), "{case:?}: {}", run.talk());
    }
    let asked = Instant::now();
    // It may have ended just now.
    if !run.has_left() {
        run.signal(if case.signal == Signal::Terminate { "TERM" } else { "INT" });
    }
    let left = run.left_within(LONG).unwrap_or_else(|| panic!("{case:?}: it stays: {}", run.talk()));
    let took = asked.elapsed();
    println!("{case:?}: left with {} after {took:?}", left.code);
    assert!(took <= LIMIT, "{case:?}: it left after {took:?}: {left:?}");
    left
}

/// The exit codes that tell the truth.
fn codes(moment: Moment) -> &'static [i32] {
    match moment {
        Moment::Detecting | Moment::Polling | Moment::Waiting => &[9],
        Moment::KickOffUnheard | Moment::KickOffUnanswered => &[11],
        Moment::Anywhere => &[0, 9],
    }
}
