//! The templates of a dialect: a variable that does not exist would only be noticed when something is sent.

use fhir_import_workflow::template::VARIABLES;
use serde_json::{Map, Value};

use super::mistake::did_you_mean;
use super::source::Step;

/// What is written for people, in which a variable stands for itself.
const PROSE: [&str; 6] = ["about", "advice", "notes", "proven", "source", "title"];

/// A setting that every dialect takes.
const COMMON: &str = "input-source";

/// Keys of templates that say something about what they are in.
const WORDS: [&str; 3] = ["$each", "$if", "$value"];

/// The first that cannot be filled, and why.
pub(super) fn fault(dialect: &Value) -> Option<(Vec<Step>, String)> {
    let settings = dialect.get("settings").and_then(Value::as_object);
    let settings = settings.map(|settings| settings.keys().map(String::as_str).chain([COMMON]).collect());
    let mut walk = Walk { settings: settings.unwrap_or_else(|| vec![COMMON]), at: Vec::new(), each: false };
    walk.value(dialect).map(|message| (walk.at, message))
}

/// Where a variable is used first.
pub(super) fn first_use(dialect: &Value, variable: &str) -> Option<Vec<Step>> {
    let below = |step: Step, value: &Value| {
        let inner = first_use(value, variable)?;
        Some([step].into_iter().chain(inner).collect())
    };
    match dialect {
        Value::String(text) => text.contains(&format!("${{{variable}}}")).then(Vec::new),
        Value::Array(items) => items.iter().enumerate().find_map(|(index, item)| below(Step::Item(index), item)),
        Value::Object(members) => members
            .iter()
            .filter(|(key, _)| !PROSE.contains(&key.as_str()))
            .find_map(|(key, member)| below(Step::Key(key.clone()), member)),
        _ => None,
    }
}

struct Walk<'a> {
    settings: Vec<&'a str>,
    at: Vec<Step>,
    /// Within what is repeated for each input.
    each: bool,
}

impl Walk<'_> {
    /// Stops at the first fault, with `at` where it is.
    fn value(&mut self, value: &Value) -> Option<String> {
        match value {
            Value::String(text) => self.text(text),
            Value::Array(items) => {
                let mut items = items.iter().enumerate();
                items.find_map(|(index, item)| self.inside(Step::Item(index), item))
            }
            Value::Object(members) => self.object(members),
            _ => None,
        }
    }

    fn inside(&mut self, step: Step, value: &Value) -> Option<String> {
        self.at.push(step);
        let fault = self.value(value);
        if fault.is_none() {
            self.at.pop();
        }
        fault
    }

    fn object(&mut self, members: &Map<String, Value>) -> Option<String> {
        let outer = self.each;
        self.each |= members.contains_key("$each");
        let fault = members.iter().filter(|(key, _)| !PROSE.contains(&key.as_str())).find_map(|(key, member)| {
            let step = Step::Key(key.clone());
            match word(key, member) {
                Some(fault) => {
                    self.at.push(step);
                    Some(fault)
                }
                None if key == "$if" => self.condition(step, member),
                None => self.inside(step, member),
            }
        });
        self.each = outer;
        fault
    }

    fn condition(&mut self, step: Step, member: &Value) -> Option<String> {
        let fault = self.variable(member.as_str().unwrap_or_default());
        if fault.is_some() {
            self.at.push(step);
        }
        fault
    }

    fn text(&self, text: &str) -> Option<String> {
        let mut rest = text;
        while let Some((_, tail)) = rest.split_once("${") {
            let Some((name, after)) = tail.split_once('}') else {
                return Some("a variable is written `${NAME}`; here the brace is not closed".to_owned());
            };
            if let Some(fault) = self.variable(name) {
                return Some(fault);
            }
            rest = after;
        }
        None
    }

    fn variable(&self, name: &str) -> Option<String> {
        if let Some(setting) = name.strip_prefix("set.") {
            return (!self.settings.contains(&setting)).then(|| self.unknown_setting(setting));
        }
        if !exists(name) {
            let hint = did_you_mean(name, &VARIABLES);
            let known = VARIABLES.map(|name| format!("${{{name}}}")).join(", ");
            return Some(format!(
                "no variable is called `{name}`{hint}; there are {known}, ${{base.up1}} and so on, and ${{set.NAME}} of \
                 [settings.NAME]"
            ));
        }
        self.too_early(name)
    }

    fn unknown_setting(&self, setting: &str) -> String {
        let hint = did_you_mean(setting, &self.settings);
        format!("there is no [settings.{setting}]{hint}; add it, with `about`, so that --set {setting}=VALUE is known")
    }

    /// A variable that has a value, but not here.
    fn too_early(&self, name: &str) -> Option<String> {
        let within = |keys: &[&str]| match &self.at[..] {
            [Step::Key(first), ..] => keys.contains(&first.as_str()),
            _ => false,
        };
        if name.starts_with("input.") && !self.each && !within(&["settings"]) {
            return Some(format!(
                "${{{name}}} is of one input, and this is not repeated: put it into a table of a list that has \
                 \"$each\" = \"input\""
            ));
        }
        (name == "job.handle" && within(&["kick-off", "document"])).then(|| {
            "${job.handle} is in the answer to the kick-off, so that it cannot be sent with it; ${job.id} is the caller's \
             own"
                .to_owned()
        })
    }
}

/// A key that begins like one of ours.
fn word(key: &str, value: &Value) -> Option<String> {
    match (key, value.as_str()) {
        ("$each", Some("input")) | ("$if", Some(_)) | ("$value", _) => None,
        ("$each", _) => Some("\"$each\" can only be \"input\"".to_owned()),
        ("$if", None) => Some("\"$if\" is the name of a variable, in quotes and without braces".to_owned()),
        _ if key.starts_with('$') => {
            let hint = did_you_mean(key, &WORDS);
            (!hint.is_empty()).then(|| format!("`{key}` would be sent as it is{hint}"))
        }
        _ => None,
    }
}

fn exists(name: &str) -> bool {
    let levels = name.strip_prefix("base.up").filter(|levels| !levels.is_empty());
    VARIABLES.contains(&name) || levels.is_some_and(|levels| levels.bytes().all(|b| b.is_ascii_digit()))
}
