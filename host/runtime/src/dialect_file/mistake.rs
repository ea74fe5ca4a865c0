//! A mistake as a sentence: what is wrong, what was expected, what to try.

use super::DialectFileError;
use super::chain::Whole;
use super::reader::{Mistake, Wrong, quoted};
use super::source::{Shown, Step};

/// Words that are this alike may be meant for each other.
const ALIKE: f64 = 0.6;

/// What is wrong, at its line.
pub(super) fn located(whole: &Whole, mistake: &Mistake) -> DialectFileError {
    let at = mistake.at();
    match &mistake.what {
        Wrong::UnknownKey { known } => whole.at(&at, unknown_key(&at, known)),
        Wrong::UnknownWord { found, known } => {
            let hint = did_you_mean(found, known);
            let message = format!("`{}` cannot be {found:?}{hint}; it can be {}", Shown(&at), quoted(known));
            whole.at(&at, message)
        }
        Wrong::MissingKey(key) => missing(whole, &at, key),
        Wrong::Shape { found, expected } => {
            whole.at(&at, format!("`{}` is {found}; it must be {expected}", Shown(&at)))
        }
        Wrong::Other(message) => whole.at(&at, format!("`{}`: {message}", Shown(&at))),
    }
}

fn unknown_key(at: &[Step], known: &[&str]) -> String {
    let Some((Step::Key(key), table)) = at.split_last() else { return "an unknown key".to_owned() };
    let hint = did_you_mean(key, known);
    format!("`{key}` is no key of {}{hint}; there are {}", name(table), quoted(known))
}

fn missing(whole: &Whole, at: &[Step], key: &str) -> DialectFileError {
    let own: Vec<Step> = at.iter().cloned().chain([Step::Key(key.to_owned())]).collect();
    if whole.takes_away(&own) {
        return whole.at(&own, format!("`{key}` of {} is taken away here, and cannot be left out", name(at)));
    }
    let mut message = format!("{} needs a key `{key}`", name(at));
    if whole.is_alone() && !at.iter().any(|step| matches!(step, Step::Item(_))) {
        message += "; add it, or begin the file with `extends = \"NAME\"` to take over what another dialect says";
    }
    whole.at(at, message)
}

/// A table, as people call it.
fn name(table: &[Step]) -> String {
    match table.last() {
        None => "a dialect".to_owned(),
        Some(Step::Key(_)) => format!("[{}]", Shown(table)),
        Some(Step::Item(_)) => format!("an item of `{}`", Shown(table)),
    }
}

/// The most similar of some names, as a question; nothing when none is.
#[must_use]
pub fn did_you_mean(word: &str, known: &[&str]) -> String {
    let likeness = |name: &&str| strsim::normalized_damerau_levenshtein(&word.to_lowercase(), name);
    let best = known.iter().copied().max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    best.filter(|name| likeness(name) >= ALIKE).map_or_else(String::new, |name| format!(" (did you mean `{name}`?)"))
}
