//! What is known about each server, and from where.

use anyhow::{Context, Result};
use serde_json::Value;

use super::{head, row};

const INTRODUCTION: &str = "\
# Dialects

What each kind of server really does. The files are in [guest/dialects/dialects](../../guest/dialects/dialects); an
operator's own file has the same form ([guide](../guide.md)).

";

/// The sections of a dialect that say where their values come from.
const SECTIONS: [&str; 8] = ["detect", "inputs", "kick-off", "poll", "result", "cancel", "recovery", "verify"];

/// The page. It shows the definitions as they are compiled into the component.
pub fn page() -> Result<String> {
    let dialects = fhir_import_dialects::all().iter().map(serde_json::to_value).collect::<Result<Vec<_>, _>>()?;
    let mut page = INTRODUCTION.to_owned() + &head(["dialect", "servers", "how well it is proven"]);
    for dialect in &dialects {
        let name = text(&dialect["name"]);
        page += &row([&format!("[{name}](#{name})"), text(&dialect["title"]), text(&dialect["proven"])]);
    }
    for dialect in &dialects {
        let chapter = chapter(dialect);
        page += &chapter.with_context(|| format!("the dialect {} is not as the page expects", dialect["name"]))?;
    }
    Ok(page)
}

fn chapter(dialect: &Value) -> Result<String> {
    let mut chapter = format!(
        "\n## {}\n\n{}. Proven: {}.\n\n",
        text(&dialect["name"]),
        text(&dialect["title"]),
        text(&dialect["proven"])
    );
    chapter += &head(["what", "how", "source"]);
    for section in SECTIONS {
        let values = dialect.get(section).with_context(|| format!("no section {section}"))?;
        chapter += &row([section, &summary(section, values), text(&values["source"])]);
    }
    chapter += "\n";
    chapter += &head(["status request answers", "the job", "asked again to be sure"]);
    for rule in list(&dialect["poll"]["rules"]) {
        chapter += &row([&answer(rule), text(&rule["means"]), &times(&rule["confirm"])]);
    }
    if let Some(advice) = dialect["cancel"]["advice"].as_str() {
        chapter += &format!("\nCancelling: {advice}\n");
    }
    if let Some(advice) = dialect["detect"]["switched-off"]["advice"].as_str() {
        chapter += &format!("\nWhen import is switched off: {advice}\n");
    }
    Ok(chapter)
}

/// The values that decide most, in one line.
fn summary(section: &str, values: &Value) -> String {
    match section {
        "detect" => list(&values["signatures"]).iter().map(signature).collect::<Vec<_>>().join("; or "),
        "inputs" => {
            let schemes: Vec<&str> = list(&values["schemes"]).iter().map(text).collect();
            let most = values["per-job"].as_u64().map_or(String::new(), |most| format!(", at most {most} files a job"));
            format!("fetches {} URLs{most}", schemes.join(", "))
        }
        "kick-off" => {
            let prefer = values["prefer"].as_str().map_or(String::new(), |prefer| format!(", `Prefer: {prefer}`"));
            format!("`POST {}`, `{}`{prefer}", text(&values["path"]), text(&values["content-type"]))
        }
        "poll" => "see below".to_owned(),
        "result" => format!("{}; a failed job is {}", text(&values["shape"]), text(&values["failure"])),
        "recovery" => text(&values["class"]).to_owned(),
        "verify" => format!("missing samples are asked for {} times more", values["attempts"]),
        _ => text(&values["shape"]).to_owned(),
    }
}

fn signature(signature: &Value) -> String {
    let mut parts = vec![format!("a system operation `{}`", text(&signature["operation"]))];
    parts.extend(signature["definition-ends"].as_str().map(|end| format!("whose definition ends in `{end}`")));
    parts.extend(signature["sibling"].as_str().map(|sibling| format!("beside `{sibling}`")));
    format!("{} ({} confidence)", parts.join(" "), text(&signature["confidence"]))
}

fn answer(rule: &Value) -> String {
    let body = match rule["body"].as_str() {
        None | Some("any") => "",
        Some("operation-outcome") => ", an OperationOutcome",
        Some("json") => ", JSON that is no resource",
        Some(other) => other,
    };
    let contains = rule["text"].as_str().map_or(String::new(), |text| format!(" with `{text}`"));
    format!("{}{body}{contains}", rule["status"])
}

fn times(confirm: &Value) -> String {
    match confirm.as_u64() {
        None | Some(0) => String::new(),
        Some(1) => "once".to_owned(),
        Some(times) => format!("{times} times"),
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
