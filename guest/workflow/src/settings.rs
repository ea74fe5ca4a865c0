//! What the operator gives a dialect (`--set NAME=VALUE`): too little, too much, or not what it takes.

use crate::dialect::{Dialect, Setting};
use crate::outcome::Outcome;
use crate::plan::Plan;
use crate::report::Ending;
use crate::template::TemplateError;

/// Settings that every dialect takes.
const COMMON: [&str; 1] = ["input-source"];

/// All that is wrong with the settings: what the dialect does not have, has other values for, or lacks.
pub fn problem(plan: &Plan, dialect: &Dialect) -> Option<Ending> {
    let (mut no_place, mut wrong, mut lacking) = (Vec::new(), None, Vec::new());
    for (name, value) in plan.settings.rows() {
        match dialect.settings.get(name) {
            Some(setting) => wrong = beside(wrong, not_one_of(name, value, setting)),
            None if COMMON.contains(&name) || dialect.sends(&format!("${{set.{name}}}")) => {}
            None => no_place.push(name),
        }
    }
    for (name, setting) in dialect.settings.rows() {
        if setting.required && plan.settings.get(name).is_none_or(String::is_empty) {
            lacking.push(name);
        }
    }
    beside(beside(unknown(dialect, &no_place), wrong), needed(dialect, &lacking))
}

/// Two problems as one, so that a person mends both at once. The outcome is that of the first.
#[must_use]
pub fn beside(one: Option<Ending>, other: Option<Ending>) -> Option<Ending> {
    match (one, other) {
        (Some(one), Some(other)) => {
            let sentence = format!("{} {}", one.sentence, other.sentence);
            Some(Ending::new(one.outcome, sentence, format!("{} {}", one.advice, other.advice)))
        }
        (one, other) => one.or(other),
    }
}

fn unknown(dialect: &Dialect, given: &[&str]) -> Option<Ending> {
    let names = dialect.settings.rows().map(|(name, _)| name).chain(COMMON);
    let what = format!("The dialect {} takes no value for {}.", dialect.name, given.join(", "));
    (!given.is_empty()).then(|| usage(what, format!("It takes: {}.", names.collect::<Vec<_>>().join(", "))))
}

fn not_one_of(name: &str, value: &str, setting: &Setting) -> Option<Ending> {
    let fits = setting.one_of.is_empty() || setting.one_of.iter().any(|one| one == value);
    let advice = format!("It can be: {}.", setting.one_of.join(", "));
    (!fits).then(|| usage(format!("{name} cannot be {value:?}."), advice))
}

fn needed(dialect: &Dialect, names: &[&str]) -> Option<Ending> {
    let (mut listed, mut flags) = (Vec::new(), Vec::new());
    for name in names {
        let about = dialect.settings.get(name).map(|setting| format!(" ({})", setting.about));
        listed.push(format!("{name}{}", about.unwrap_or_default()));
        flags.push(format!("--set {name}=VALUE"));
    }
    let what = format!("The dialect {} needs a value for {}.", dialect.name, listed.join(", "));
    (!names.is_empty()).then(|| usage(what, format!("Give it: {}.", flags.join(" "))))
}

/// What a template of the dialect lacks.
pub fn missing(dialect: &Dialect, what: &TemplateError) -> Ending {
    let name = &dialect.name;
    match what {
        TemplateError::MissingSetting(setting) => needed(dialect, &[setting.as_str()]).expect("a name was given"),
        TemplateError::UnknownVariable(variable) => {
            let what =
                format!("The dialect {name} uses the variable ${{{variable}}}, for which there is no value here.");
            usage(what, "Mend the dialect file.".to_owned())
        }
        TemplateError::NoFolder => Ending::new(
            Outcome::InputInvalid,
            "This server is told one folder, and the files are in several.",
            "Put the files of an import into one folder that holds nothing else, or import them one by one.",
        ),
        TemplateError::NoDocument => usage(
            format!("The dialect {name} needs a document that the server fetches, and nothing is published here."),
            "Say where it can be: --serve BIND, with --advertise URL when the server sees another address.".to_owned(),
        ),
    }
}

fn usage(what: String, advice: String) -> Ending {
    Ending::new(Outcome::Usage, what, advice)
}
