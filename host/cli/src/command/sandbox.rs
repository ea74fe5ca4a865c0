//! `sandbox`: a FHIR server to practise on.

use std::fs;
use std::path::Path;

use fhir_import::run::Outcome;
use fhir_import_sandbox::{Config, Sandbox, Script};

use crate::args;
use crate::context::Context;
use crate::exit::Failure;
use crate::render;

pub async fn sandbox(cx: &Context, args: args::Sandbox) -> Result<Outcome, Failure> {
    let personality = args.dialect.parse();
    let personality =
        personality.map_err(|error: fhir_import_sandbox::UnknownPersonality| Failure::usage(error.to_string()))?;
    let script = args.script.as_deref().map(script).transpose()?.unwrap_or_default();
    let server = Sandbox::start(Config { personality, port: args.port, script }).await;
    let server = server.map_err(|error| Failure::usage(format!("cannot listen on port {}: {error}", args.port)))?;
    render::out(&format!("{}\n", server.base_url()));
    cx.talk.line(&format!(
        "A practice server that behaves like {personality}; nothing is kept. Ctrl-C ends it. In another terminal:\n  \
         fhir-import run --server {} PATH",
        server.base_url()
    ));
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        () = server.run_forever() => {}
    }
    Ok(Outcome::Succeeded)
}

fn script(file: &Path) -> Result<Script, Failure> {
    let wrong = |what: String| Failure::usage(format!("{}{what}", file.display()));
    let text = fs::read_to_string(file).map_err(|error| wrong(format!(" cannot be read: {error}")))?;
    serde_json::from_str(&text).map_err(|error| wrong(format!(":{}: {error}", error.line())))
}
