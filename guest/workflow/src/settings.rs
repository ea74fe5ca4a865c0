//! What the operator gives a dialect (`--set NAME=VALUE`): too little, too much, or not what it takes.

use crate::dialect::{Dialect, Setting};
use crate::outcome::Outcome;
use crate::plan::Plan;
use crate::report::Ending;
use crate::template::TemplateError;

/// Settings that every dialect takes.
const COMMON: [&str; 1] = ["input-source"];

/// A setting that the dialect does not have, has other values for, or lacks.
pub fn problem(plan: &Plan, dialect: &Dialect) -> Option<Ending> {
    let given = plan.settings.rows().find_map(|(name, value)| match dialect.settings.get(name) {
        None if COMMON.contains(&name) || dialect.sends(&format!("${{set.{name}}}")) => None,
        None => Some(unknown(dialect, name)),
        Some(setting) => not_one_of(name, value, setting),
    });
    let lacks =
        |name: &str, setting: &Setting| setting.required && plan.settings.get(name).is_none_or(String::is_empty);
    given.or_else(|| {
        let (name, _) = dialect.settings.rows().find(|(name, setting)| lacks(name, setting))?;
        Some(missing(dialect, &TemplateError::MissingSetting(name.to_owned())))
    })
}

fn unknown(dialect: &Dialect, name: &str) -> Ending {
    let names = dialect.settings.rows().map(|(name, _)| name).chain(COMMON);
    let what = format!("The dialect {} takes no value for {name}.", dialect.name);
    usage(what, format!("It takes: {}.", names.collect::<Vec<_>>().join(", ")))
}

fn not_one_of(name: &str, value: &str, setting: &Setting) -> Option<Ending> {
    let fits = setting.one_of.is_empty() || setting.one_of.iter().any(|one| one == value);
    let advice = format!("It can be: {}.", setting.one_of.join(", "));
    (!fits).then(|| usage(format!("{name} cannot be {value:?}."), advice))
}

/// What a template of the dialect lacks.
pub fn missing(dialect: &Dialect, what: &TemplateError) -> Ending {
    let name = &dialect.name;
    match what {
        TemplateError::MissingSetting(setting) => {
            let about = dialect.settings.get(setting).map_or(String::new(), |setting| format!(" ({})", setting.about));
            let what = format!("The dialect {name} needs a value for {setting}{about}.");
            usage(what, format!("Give it: --set {setting}=VALUE."))
        }
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
