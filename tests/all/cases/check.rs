//! What a case expects against what came of it.

use fhir_import::contract::{Detection, Event, Next, Pause, Report};
use fhir_import_workflow::{Session, Status};

use super::case::{Case, Detected, Expect};
use super::play::Played;

/// Everything that is not as expected, a line each.
pub(super) fn all(case: &Case, played: &Played) -> Result<(), String> {
    let mut wrong = Wrong(played.problems.clone());
    if wrong.0.is_empty() {
        wrong.check(&case.expect, played);
    }
    if wrong.0.is_empty() {
        return Ok(());
    }
    let told: Vec<String> = played.events.iter().map(|event| format!("  {}: {}", event.kind, event.text)).collect();
    Err(format!("{} ({})\n{}\nit went\n{}", case.title, case.source, wrong.0.join("\n"), told.join("\n")))
}

struct Wrong(Vec<String>);

/// `FinishedWithErrors` as the command line writes it.
fn word(value: impl std::fmt::Debug) -> String {
    let (mut word, shown) = (String::new(), format!("{value:?}"));
    for c in shown.rsplit(':').next().unwrap_or_default().chars() {
        if c.is_ascii_uppercase() && !word.is_empty() {
            word.push('-');
        }
        word.push(c.to_ascii_lowercase());
    }
    word
}

impl Wrong {
    fn same(&mut self, what: &str, wanted: &str, found: &str) {
        if wanted != found {
            self.0.push(format!("{what} should be {wanted}, but it is {found}"));
        }
    }

    fn holds(&mut self, what: &str, wanted: &[String], found: &str) {
        for text in wanted.iter().filter(|text| !found.contains(text.as_str())) {
            self.0.push(format!("{what} should have {text:?}: {found}"));
        }
    }

    fn check(&mut self, expect: &Expect, played: &Played) {
        let Some(next) = &played.next else { return self.0.push("there is no end".to_owned()) };
        match (expect, next) {
            (Expect { outcome: Some(wanted), .. }, Next::Done(report)) => {
                self.same("the outcome", wanted, &word(report.outcome));
                self.report(expect, report);
            }
            (Expect { pause: Some(wanted), .. }, Next::Paused(pause)) => {
                self.same("the pause", wanted, &word(pause.reason));
                self.pause(expect, pause);
            }
            // A wait with jitter in it has no number that says something.
            (Expect { next: Some(wanted), .. }, Next::Wait(_)) if wanted == "wait" => {}
            (Expect { next: Some(wanted), .. }, next) => {
                self.same("what comes next", wanted, &shown(next, played.now_ms));
            }
            _ => self
                .0
                .push(format!("it should have come to an end, but it goes on with {}", shown(next, played.now_ms))),
        }
        self.events(&expect.events, &played.events);
        self.state(expect, played);
        let seen = format!("{next:?} {:?}", played.events);
        for text in expect.hides.iter().filter(|text| seen.contains(text.as_str())) {
            self.0.push(format!("{text:?} must not be shown: {seen}"));
        }
    }

    fn report(&mut self, expect: &Expect, report: &Report) {
        self.holds("the sentence", &expect.says, &report.sentence);
        self.holds("the advice", &expect.advice, &report.advice);
        let count = |count: Option<u64>| count.map_or("none".to_owned(), |count| count.to_string());
        if expect.imported.is_some() {
            self.same("imported", &count(expect.imported), &count(report.imported));
        }
        if expect.rejected.is_some() {
            self.same("rejected", &count(expect.rejected), &count(report.rejected));
        }
        let errors: Vec<String> =
            report.errors.iter().map(|class| format!("{} {} × {}", class.code, class.text, class.count)).collect();
        self.holds("the errors", &expect.errors, &errors.join("\n"));
        if let Some(detected) = &expect.detection {
            self.detection(detected, &report.detection);
        }
    }

    fn detection(&mut self, wanted: &Detected, found: &Detection) {
        let name = |name: &Option<String>| name.clone().unwrap_or_else(|| "none".to_owned());
        self.same("the dialect", &name(&wanted.dialect), &name(&found.dialect));
        self.same("the confidence", &wanted.confidence, &found.confidence);
        self.same("the candidates", &wanted.candidates.join(", "), &found.candidates.join(", "));
        self.holds("the evidence", &wanted.evidence, &found.evidence.join("\n"));
    }

    fn pause(&mut self, expect: &Expect, pause: &Pause) {
        self.holds("the pause", &expect.says, &pause.message);
        let decisions: Vec<String> = pause.decisions.iter().map(word).collect();
        self.holds("what can be decided", &expect.decisions, &decisions.join(", "));
    }

    fn events(&mut self, wanted: &[String], found: &[Event]) {
        let mut rest = found.iter();
        for line in wanted {
            let (kind, text) = line.split_once(": ").unwrap_or((line, ""));
            if !rest.any(|event| event.kind == kind && event.text.contains(text)) {
                self.0.push(format!("there should be an event {line:?}, in this order"));
                return;
            }
        }
    }

    fn state(&mut self, expect: &Expect, played: &Played) {
        let Some(wanted) = &expect.percent else { return };
        let session = Session::open(&played.plan, &played.checkpoint).unwrap();
        let percent = Status::of(&session).percent.map_or("none".to_owned(), |percent| percent.to_string());
        self.same("the percentage", wanted, &percent);
    }
}

fn shown(next: &Next, now_ms: u64) -> String {
    match next {
        Next::Wait(wake) => format!("wait {} s", wake.at_ms.saturating_sub(now_ms) as f64 / 1000.0),
        Next::Done(report) => format!("the end, {}: {}", word(report.outcome), report.sentence),
        Next::Paused(pause) => format!("a pause, {}: {}", word(pause.reason), pause.message),
        other => word(other),
    }
}
