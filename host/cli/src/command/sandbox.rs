//! `sandbox`: a FHIR server to practise on.

use std::fs;
use std::path::Path;

use fhir_import::run::{Outcome, RunError, Setup};
use fhir_import_pages::Dialect;
use fhir_import_sandbox::{Config, Personality, Sandbox, Script};

use crate::args;
use crate::context::{Context, engine, quoted};
use crate::exit::Failure;
use crate::render;

/// Where a store of a practice server begins when no script has one.
const STORE: &str = "practice/";

/// Stores that a practice server knows by name, and takes no other.
const KNOWN_STORES: [(&str, &str); 1] = [("microsoft", "https://practice.blob.core.windows.net/in/")];

/// Servers that want signed requests, and what signs them.
const SIGNED: [(&str, &str); 1] = [("healthlake", "AWS_ACCESS_KEY_ID=practice AWS_SECRET_ACCESS_KEY=practice")];

/// What is sent for a setting that must be there; any other gets the word `practice`.
const VALUES: [(&str, &str); 7] = [
    ("datastore-id", "32839038a2f47f17c2fe0f53f0c3a0ba"),
    ("grant-number", "H80CS00001"),
    ("hc-name", "Practice"),
    ("kms-key", "arn:aws:kms:us-east-1:123456789012:key/practice"),
    ("output", "s3://practice/out/"),
    ("role-arn", "arn:aws:iam::123456789012:role/Practice"),
    ("uei", "ABCDEFGHJKL1"),
];

pub async fn sandbox(cx: &Context, args: args::Sandbox) -> Result<Outcome, Failure> {
    let personality = args.dialect.parse();
    let personality =
        personality.map_err(|error: fhir_import_sandbox::UnknownPersonality| Failure::usage(error.to_string()))?;
    let script = args.script.as_deref().map(script).transpose()?.unwrap_or_default();
    let dialect = dialect(personality).await?;
    let path = dialect.as_ref().map_or_else(Inputs::here, |dialect| Inputs::of(dialect, &script));
    let server = Sandbox::start(Config { personality, port: args.port, script }).await;
    let server = server.map_err(|error| Failure::usage(format!("cannot listen on port {}: {error}", args.port)))?;
    render::out(&format!("{}\n", server.base_url()));
    let signed = SIGNED.iter().find(|(name, _)| *name == personality.name());
    let keys = signed.map_or_else(String::new, |(_, keys)| format!("\n  export {keys}"));
    let line = line(cx, &server.base_url(), personality, dialect.as_ref(), &path);
    cx.talk.line(&format!(
        "A practice server that behaves like {personality}; nothing is kept. Ctrl-C ends it.{} In another terminal:{keys}\n  {line}",
        path.advice
    ));
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        () = server.run_forever() => {}
    }
    Ok(Outcome::Succeeded)
}

/// What is known of the server that is practised on; nothing of those that are made up.
async fn dialect(personality: Personality) -> Result<Option<Dialect>, Failure> {
    let setup = Setup::in_memory(engine()?);
    let builtin = fhir_import::dialects(&setup.engine, &setup.clock).await;
    let builtin = builtin.map_err(|error| RunError::Drive(error.into()))?;
    let named = builtin.iter().find(|dialect| dialect.name == personality.name());
    named.map(|dialect| super::dialects::read(&dialect.definition)).transpose()
}

/// What stands for the files in the line to type.
struct Inputs {
    typed: String,
    /// What has to be done first.
    advice: String,
}

impl Inputs {
    /// Files of this machine.
    fn here() -> Self {
        Self { typed: "PATH".to_owned(), advice: String::new() }
    }

    /// A server that does not fetch what we serve has a store, which the script has to have, too.
    fn of(dialect: &Dialect, script: &Script) -> Self {
        let schemes = &dialect.inputs.schemes;
        let known = KNOWN_STORES.iter().find(|(name, _)| dialect.name == *name).map(|(_, store)| (*store).to_owned());
        let fetches = dialect.inputs.upload_bytes() > 0 || schemes.iter().any(|scheme| scheme == "http");
        if fetches && known.is_none() {
            return Self::here();
        }
        let reads = |store: &&String| schemes.iter().any(|scheme| store.starts_with(&format!("{scheme}://")));
        if let Some(store) = script.stores.keys().find(reads) {
            return Self { typed: quoted(&format!("{store}Patient.ndjson")), advice: String::new() };
        }
        let scheme = schemes.iter().find(|scheme| !scheme.is_empty()).map_or("https", String::as_str);
        let root = if scheme == "file" { "/" } else { "" };
        let store = known.unwrap_or_else(|| format!("{scheme}://{root}{STORE}"));
        let advice = format!(
            " It reads files from a store only, so it wants a folder that stands for one: --script FILE, with \
             {{\"stores\": {{\"{store}\": \"/a/folder/\"}}}}."
        );
        Self { typed: quoted(&format!("{store}Patient.ndjson")), advice }
    }
}

/// The whole line that imports: nothing is left to be found out.
fn line(cx: &Context, server: &str, personality: Personality, dialect: Option<&Dialect>, inputs: &Inputs) -> String {
    let name = dialect.map_or_else(|| format!("{}.toml", personality.name()), |dialect| dialect.name.clone());
    let required =
        dialect.into_iter().flat_map(|dialect| dialect.settings.rows()).filter(|(_, setting)| setting.required);
    let settings: String = required.map(|(name, _)| format!(" --set {name}={}", quoted(value(name)))).collect();
    let signed = SIGNED.iter().any(|(name, _)| *name == personality.name());
    let region = if signed { " --aws-region us-east-1" } else { "" };
    cx.line(&format!("run --server {server} --dialect {name}{settings}{region} --poll-max 2s {}", inputs.typed))
}

fn value(setting: &str) -> &'static str {
    VALUES.iter().find(|(name, _)| *name == setting).map_or("practice", |(_, value)| *value)
}

fn script(file: &Path) -> Result<Script, Failure> {
    let wrong = |what: String| Failure::usage(format!("{}{what}", file.display()));
    let text = fs::read_to_string(file).map_err(|error| wrong(format!(" cannot be read: {error}")))?;
    serde_json::from_str(&text).map_err(|error| wrong(format!(":{}: {error}", error.line())))
}
