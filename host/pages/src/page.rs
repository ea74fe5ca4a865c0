//! All that is known of one dialect.

use fhir_import_workflow::Dialect;
use fhir_import_workflow::dialect::{
    CancelShape, Caution, Detect, Duplicate, ErrorFiles, Handle, JobList, Members, Path, Permission, Reads,
    RecoveryClass, ResultShape, Signature, WithoutJobs,
};
use serde_json::Value;

use crate::words::{self, code, listed, times, url};
use crate::{Block, Table, json};

/// The page of a dialect.
#[must_use]
pub fn page(dialect: &Dialect) -> Vec<Block> {
    let mut blocks = vec![
        Block::Title(dialect.name.clone()),
        Block::Text(format!("{}. Proven: {}.", dialect.title, dialect.proven)),
    ];
    if !dialect.notes.is_empty() {
        blocks.push(Block::List(dialect.notes.clone()));
    }
    let sections: [fn(&Dialect) -> Vec<Block>; 11] =
        [cannot, detect, inputs, settings, document, kick_off, poll, result, cancel, recovery, verify];
    blocks.extend(sections.into_iter().flat_map(|section| section(dialect)));
    blocks
}

fn source(blocks: &mut Vec<Block>, source: &str) {
    if !source.is_empty() {
        blocks.push(Block::Text(format!("Source: {source}.")));
    }
}

/// What somebody who comes from another server would miss.
fn cannot(dialect: &Dialect) -> Vec<Block> {
    let inputs = &dialect.inputs;
    let lacks = [
        (dialect.cancel.shape == CancelShape::None, "A job cannot be cancelled."),
        (dialect.poll.rules.is_empty(), "There is no status to ask for."),
        (dialect.result.shape == ResultShape::Nothing, "What was stored or rejected is not told."),
        (dialect.result.error_files == ErrorFiles::Named, "The files with errors cannot be read from here."),
        (
            dialect.recovery.class == RecoveryClass::Unknowable,
            "When the answer to a kick-off is lost, nobody knows whether there is a job.",
        ),
        (inputs.query == Permission::Refused, "A URL with a query, as signed ones have, is refused."),
        (inputs.plus == Permission::Refused, "A URL with a `+` is refused."),
        (inputs.repeated == Permission::Refused, "The same URL twice is refused."),
        (inputs.conditional_references == Caution::Told, "References that are searches are not resolved."),
    ];
    let lacks: Vec<String> = lacks.into_iter().filter(|(so, _)| *so).map(|(_, what)| what.to_owned()).collect();
    if lacks.is_empty() { Vec::new() } else { vec![Block::Heading("What it cannot do"), Block::List(lacks)] }
}

fn detect(dialect: &Dialect) -> Vec<Block> {
    let Detect { signatures, definition, switched_off, .. } = &dialect.detect;
    let mut facts: Vec<(&str, String)> = signatures.iter().map(|s| (s.confidence.name(), signature(s))).collect();
    let quoted = |texts: &[String]| texts.iter().map(code).collect::<Vec<_>>().join(", ");
    for (name, texts) in [
        ("its OperationDefinition has", &definition.expects),
        ("its OperationDefinition says one of", &definition.says),
        ("its OperationDefinition does not have", &definition.refuses),
    ] {
        facts.extend((!texts.is_empty()).then(|| (name, quoted(texts))));
    }
    facts.extend(switched_off.iter().map(|off| ("when import is switched off", off.advice.clone())));
    let told = || Block::Text(format!("Only by its name: `--dialect {}`.", dialect.name));
    let how = if signatures.is_empty() { told() } else { Block::Facts(facts) };
    let mut blocks = vec![Block::Heading("How it is recognised"), how];
    source(&mut blocks, &dialect.detect.source);
    blocks
}

fn signature(signature: &Signature) -> String {
    let parts = [
        ("the host is", &signature.host),
        ("a system operation", &signature.operation),
        ("its definition begins with", &signature.definition_begins),
        ("its definition ends in", &signature.definition_ends),
        ("beside it", &signature.sibling),
        ("the software's name has", &signature.software),
    ];
    let said = parts.into_iter().filter_map(|(what, text)| Some(format!("{what} {}", code(text.as_ref()?))));
    said.collect::<Vec<_>>().join(", ")
}

fn inputs(dialect: &Dialect) -> Vec<Block> {
    let inputs = &dialect.inputs;
    let mut facts = vec![
        ("the server fetches", words::schemes(dialect)),
        ("how it is told", words::delivery(dialect)),
        ("how many", words::count(dialect)),
        ("how often it fetches each", times(inputs.fetches)),
        ("order", words::order(dialect).to_owned()),
    ];
    let rules = [
        ("a query in a URL", words::permission(inputs.query)),
        ("a `+` in a URL", words::permission(inputs.plus)),
        ("the same URL twice", words::permission(inputs.repeated)),
        ("a file without entity tag", words::rule(inputs.without_etag)),
        ("references that are searches", words::caution(inputs.conditional_references)),
    ];
    facts.extend(rules.into_iter().filter_map(|(name, rule)| Some((name, rule?.to_owned()))));
    let mut blocks = vec![Block::Heading("Files"), Block::Facts(facts)];
    source(&mut blocks, &inputs.source);
    blocks
}

fn settings(dialect: &Dialect) -> Vec<Block> {
    let row = |(name, setting): (&str, &fhir_import_workflow::dialect::Setting)| {
        let needed = match &setting.default {
            _ if setting.required => "must be given".to_owned(),
            Some(default) => format!("else {}", code(default)),
            None => "else left out".to_owned(),
        };
        vec![
            code(format!("--set {name}=…")),
            setting.about.clone(),
            setting.one_of.iter().map(code).collect::<Vec<_>>().join(", "),
            needed,
        ]
    };
    let rows: Vec<Vec<String>> = dialect.settings.rows().map(row).collect();
    if rows.is_empty() {
        return Vec::new();
    }
    vec![
        Block::Heading("Settings"),
        Block::Table(Table { head: vec!["setting", "what it is", "values", "needed"], rows }),
    ]
}

fn document(dialect: &Dialect) -> Vec<Block> {
    let Some(document) = &dialect.document else { return Vec::new() };
    let about = format!(
        "`fhir-import` publishes {}, {}, for the server to fetch:",
        code(&document.name),
        code(&document.media_type)
    );
    let mut blocks = vec![Block::Heading("Document"), Block::Text(about), Block::Code(json::text(&document.content))];
    source(&mut blocks, &document.source);
    blocks
}

fn kick_off(dialect: &Dialect) -> Vec<Block> {
    let kick_off = &dialect.kick_off;
    let mut headers = vec![("Content-Type", kick_off.content_type.as_str()), ("Accept", kick_off.accept.as_str())];
    headers.extend(kick_off.prefer.iter().map(|prefer| ("Prefer", prefer.as_str())));
    headers.extend(kick_off.headers.rows().map(|(name, value)| (name, value.as_str())));
    let mut facts = vec![("accepted", listed(&kick_off.accepted)), ("where the job is", handle(dialect))];
    facts.extend(kick_off.busy.iter().map(|text| ("not now, later", format!("a refusal with {}", code(text)))));
    let mut blocks = vec![
        Block::Heading("Kick-off"),
        Block::Code(request("POST", &kick_off.url, &headers, Some(&kick_off.body))),
        Block::Facts(facts),
    ];
    source(&mut blocks, &kick_off.source);
    blocks
}

fn handle(dialect: &Dialect) -> String {
    match &dialect.kick_off.handle {
        Handle::Caller(template) => format!("{}, which the caller chose", code(template)),
        _ => words::handle(dialect),
    }
}

fn request(method: &str, to: &str, headers: &[(&str, &str)], body: Option<&Value>) -> String {
    let mut text = format!("{method} {}", url(to));
    for (name, value) in headers {
        text += &format!("\n{name}: {value}");
    }
    match body {
        Some(Value::String(body)) => text + "\n\n" + body,
        Some(body) => text + "\n\n" + &json::text(body),
        None => text,
    }
}

fn poll(dialect: &Dialect) -> Vec<Block> {
    let poll = &dialect.poll;
    let mut blocks = vec![Block::Heading("Status")];
    if let Some(asked) = &poll.status_request {
        let mut headers = vec![("Content-Type", asked.content_type.as_str()), ("Accept", asked.accept.as_str())];
        headers.extend(asked.prefer.iter().map(|prefer| ("Prefer", prefer.as_str())));
        blocks.push(Block::Text("The status URL is the `Content-Location` of the answer to:".to_owned()));
        blocks.push(Block::Code(request("POST", &asked.url, &headers, Some(&asked.body))));
    }
    if !poll.rules.is_empty() {
        let mut headers = vec![("Accept", poll.accept.as_str())];
        headers.extend(poll.headers.rows().map(|(name, value)| (name, value.as_str())));
        let method = if poll.body.is_some() { "POST" } else { "GET" };
        let to = poll.url.as_deref().unwrap_or("${job.handle}");
        blocks.push(Block::Code(request(method, to, &headers, poll.body.as_ref())));
        blocks.extend(poll.status_header.iter().map(|name| {
            Block::Text(format!(
                "The status of the job is in the header {}; without it, it is that of the answer.",
                code(name)
            ))
        }));
        blocks.push(rules(dialect));
    }
    source(&mut blocks, &poll.source);
    blocks
}

fn rules(dialect: &Dialect) -> Block {
    let row = |rule: &fhir_import_workflow::dialect::PollRule| {
        let confirm = if rule.confirm == 0 { String::new() } else { times(rule.confirm) };
        vec![words::answer(rule), words::job(rule.means).to_owned(), confirm]
    };
    let rows = dialect.poll.rules.iter().map(row).collect();
    Block::Table(Table { head: vec!["the first that fits", "the job", "asked again to be sure"], rows })
}

fn result(dialect: &Dialect) -> Vec<Block> {
    let result = &dialect.result;
    let asked = |to: &String| ("asked for", code(format!("GET {}", url(to))));
    let mut facts: Vec<(&str, String)> = result.url.iter().map(asked).collect();
    facts.push(("it is", words::result(dialect).to_owned()));
    facts.push(("errors", words::errors(dialect).to_owned()));
    facts.extend(result.members.iter().flat_map(members));
    facts.extend(result.created.iter().map(|path| ("when the job was created", code(&path.0))));
    facts.push(("a failed job", "may have stored a part".to_owned()));
    let mut blocks = vec![Block::Heading("Result"), Block::Facts(facts)];
    source(&mut blocks, &result.source);
    blocks
}

fn members(members: &Members) -> Vec<(&'static str, String)> {
    let paths = |paths: &[Path]| paths.iter().map(|path| code(&path.0)).collect::<Vec<_>>().join(" + ");
    let failed = members.failed.iter().map(words::holds).collect::<Vec<_>>().join(", or ");
    let rows = members.rows.iter().map(|path| code(&path.0)).collect();
    let facts = [
        ("a row for each file in", rows),
        ("imported", paths(&members.imported)),
        ("rejected", paths(&members.rejected)),
        ("something failed", failed),
    ];
    facts.into_iter().filter(|(_, what)| !what.is_empty()).collect()
}

fn cancel(dialect: &Dialect) -> Vec<Block> {
    let cancel = &dialect.cancel;
    let mut blocks = vec![Block::Heading("Cancel"), Block::Text(format!("How: {}.", words::cancel(dialect)))];
    blocks.extend(cancel.body.iter().map(|body| Block::Code(json::text(body))));
    blocks.extend(cancel.advice.clone().map(Block::Text));
    source(&mut blocks, &cancel.source);
    blocks
}

fn recovery(dialect: &Dialect) -> Vec<Block> {
    let recovery = &dialect.recovery;
    let class = recovery.class;
    let mut facts = vec![(words::class(class), words::meaning(class).to_owned())];
    facts.extend(recovery.duplicate.iter().flat_map(duplicate));
    facts.extend(recovery.list.iter().flat_map(list));
    let mut blocks = vec![Block::Heading("When the answer to the kick-off is lost"), Block::Facts(facts)];
    source(&mut blocks, &recovery.source);
    blocks
}

fn duplicate(duplicate: &Duplicate) -> Vec<(&'static str, String)> {
    let texts = duplicate.texts.iter().map(code).collect::<Vec<_>>().join(" or ");
    let text = if texts.is_empty() { texts } else { format!(" with {texts}") };
    let mut facts = vec![("a known key is answered", format!("{}{text}", listed(&duplicate.statuses)))];
    facts.extend(duplicate.handle.iter().map(|handle| ("that job is", code(url(handle)))));
    facts
}

fn list(list: &JobList) -> Vec<(&'static str, String)> {
    let mut facts = vec![("the list", code(format!("GET {}", url(&list.url)))), ("the jobs", code(&list.jobs.0))];
    if list.without == WithoutJobs::NoJobs {
        facts.push(("without that", "there are none".to_owned()));
    }
    facts.extend(list.more.iter().map(|path| ("it goes on, with", code(&path.0))));
    facts.extend(list.page.iter().map(|parameter| ("the next page is asked for by", code(parameter))));
    facts.extend(list.holds.iter().map(|condition| ("an import", words::holds(condition))));
    facts.push(("the handle of a job", code(&list.handle.0)));
    facts.push(("when it was created", code(&list.created.0)));
    facts.extend(list.import_source.iter().map(|path| ("what repeats `${import.source}`", code(&path.0))));
    facts.push(("a new job is in it after", seconds(list.settle_ms)));
    facts
}

fn verify(dialect: &Dialect) -> Vec<Block> {
    let verify = &dialect.verify;
    let read = match verify.reads {
        Reads::ById => "`GET Type/id`",
        Reads::BySearch => "`GET Type?_id=id`",
    };
    let facts = vec![
        ("a resource", read.to_owned()),
        ("a count", code(format!("GET Type?{}", verify.count))),
        ("what is missing is asked for again", times(verify.attempts)),
        ("the first time after", seconds(verify.settle_ms)),
    ];
    let mut blocks = vec![Block::Heading("Reading back"), Block::Facts(facts)];
    source(&mut blocks, &verify.source);
    blocks
}

fn seconds(ms: u64) -> String {
    if ms.is_multiple_of(1000) { format!("{} s", ms / 1000) } else { format!("{ms} ms") }
}
