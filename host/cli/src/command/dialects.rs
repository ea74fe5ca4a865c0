//! `dialects`: what is known about servers.

use fhir_import::contract::Dialect;
use fhir_import::run::{Outcome, RunError, Setup};
use serde_json::{Value, json};

use crate::args::Dialects;
use crate::context::{Context, engine};
use crate::exit::Failure;
use crate::render;

pub async fn dialects(cx: &Context, args: Dialects) -> Result<Outcome, Failure> {
    let setup = Setup::in_memory(engine()?);
    let all = fhir_import::dialects(&setup.engine, &setup.clock).await;
    let all = all.map_err(|error| RunError::Drive(error.into()))?;
    let chosen = match &args.name {
        None => return Ok(show_all(cx, &all)),
        Some(name) => all.iter().find(|dialect| dialect.name == *name),
    };
    match chosen {
        Some(dialect) => Ok(show_one(cx, dialect)),
        None => {
            let names: Vec<_> = all.iter().map(|dialect| dialect.name.as_str()).collect();
            Err(Failure::usage(format!("no dialect has this name; there are {}", names.join(", "))))
        }
    }
}

fn show_all(cx: &Context, all: &[Dialect]) -> Outcome {
    if cx.json {
        let rows: Vec<Value> =
            all.iter().map(|d| json!({ "name": d.name, "title": d.title, "proven": d.proven })).collect();
        render::json::print(Outcome::Succeeded, None, json!({ "dialects": rows }));
    } else {
        let rows: Vec<_> = all.iter().map(|d| vec![d.name.clone(), d.title.clone(), d.proven.clone()]).collect();
        render::out(&render::table(&["name", "servers", "proven"], &rows));
    }
    Outcome::Succeeded
}

fn show_one(cx: &Context, dialect: &Dialect) -> Outcome {
    let definition: Value = serde_json::from_str(&dialect.definition).unwrap_or_default();
    if cx.json {
        let data = json!({
            "name": dialect.name, "title": dialect.title, "proven": dialect.proven, "definition": definition
        });
        render::json::print(Outcome::Succeeded, None, data);
    } else {
        render::out(&format!("{}: {}\n{}\n\n{definition:#}\n", dialect.name, dialect.title, dialect.proven));
    }
    Outcome::Succeeded
}
