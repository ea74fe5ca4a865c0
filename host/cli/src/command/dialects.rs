//! `dialects`: what is known about servers.

use std::fs;

use fhir_import::contract;
use fhir_import::read_dialect;
use fhir_import::run::{DialectWanted, Outcome, RunError, Setup};
use fhir_import_pages::{Dialect, at_a_glance, page, screen};
use serde_json::{Value, json};

use crate::args::Dialects;
use crate::context::{Context, engine};
use crate::exit::Failure;
use crate::render;

pub async fn dialects(cx: &Context, args: Dialects) -> Result<Outcome, Failure> {
    let setup = Setup::in_memory(engine()?);
    let builtin = fhir_import::dialects(&setup.engine, &setup.clock).await;
    let builtin = builtin.map_err(|error| RunError::Drive(error.into()))?;
    match super::run::dialect(args.name)? {
        DialectWanted::Detect => show_all(cx, &builtin),
        DialectWanted::Named(name) => {
            let names = || builtin.iter().map(|dialect| dialect.name.clone()).collect();
            let named = builtin.iter().find(|dialect| dialect.name == name);
            show_one(cx, &named.ok_or_else(|| RunError::DialectUnknown { name, known: names() })?.definition)
        }
        DialectWanted::File { name, text } => {
            let file = read_dialect(&name, &text, &builtin, &|path| fs::read_to_string(path));
            show_one(cx, &file.map_err(RunError::DialectFile)?.definition)
        }
    }
}

fn show_all(cx: &Context, all: &[contract::Dialect]) -> Result<Outcome, Failure> {
    if cx.json {
        let rows = all.iter().map(|dialect| Ok(row(&read(&dialect.definition)?)));
        let rows = rows.collect::<Result<Vec<Value>, Failure>>()?;
        render::json::print(Outcome::Succeeded, None, json!({ "dialects": rows }));
        return Ok(Outcome::Succeeded);
    }
    let all = all.iter().map(|dialect| read::<Dialect>(&dialect.definition)).collect::<Result<Vec<_>, _>>()?;
    let width = render::width();
    let table = screen(&at_a_glance(&all, width), width);
    render::out(&format!("{table}\nAll that is known about one: fhir-import dialects NAME\n"));
    Ok(Outcome::Succeeded)
}

fn show_one(cx: &Context, definition: &str) -> Result<Outcome, Failure> {
    if cx.json {
        render::json::print(Outcome::Succeeded, None, row(&read(definition)?));
    } else {
        render::out(&screen(&page(&read(definition)?), render::width()));
    }
    Ok(Outcome::Succeeded)
}

fn row(definition: &Value) -> Value {
    json!({
        "name": definition["name"], "title": definition["title"], "proven": definition["proven"],
        "definition": definition
    })
}

/// What a dialect says.
pub fn read<T: serde::de::DeserializeOwned>(definition: &str) -> Result<T, Failure> {
    serde_json::from_str(definition)
        .map_err(|error| Failure::new(Outcome::InternalError, format!("a dialect is not as it should be: {error}")))
}
