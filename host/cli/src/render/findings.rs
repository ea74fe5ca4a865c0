//! What was found in files: `file:line: kind: sentence`.

use std::collections::BTreeMap;

use fhir_import::contract::{Finding, Severity};
use fhir_import::run::CheckedFiles;
use fhir_import_records::FindingKind;
use indicatif::HumanBytes;
use serde_json::{Value, json};

use super::count;

/// Findings of one kind in one file that are shown; the others are counted.
const SHOWN: usize = 5;

/// The findings, then a line a file.
pub fn text(files: &CheckedFiles) -> String {
    findings(files) + &summary(files)
}

/// The findings.
pub fn findings(files: &CheckedFiles) -> String {
    let mut groups: BTreeMap<(u32, &str), Vec<&Finding>> = BTreeMap::new();
    for finding in &files.checked.findings {
        groups.entry((finding.file, &finding.kind)).or_default().push(finding);
    }
    let mut text = String::new();
    for group in groups.values() {
        for finding in group.iter().take(SHOWN) {
            text += &line(files, finding);
        }
        if group.len() > SHOWN {
            let place = path(files, group[0]);
            text += &format!("{place}: {}: and {} more\n", group[0].kind, group.len() - SHOWN);
        }
        text += &hint(files, group[0]);
    }
    text
}

fn line(files: &CheckedFiles, finding: &Finding) -> String {
    let place = match finding.line {
        0 => path(files, finding),
        line => format!("{}:{line}", path(files, finding)),
    };
    let word = match finding.severity {
        Severity::Error => "",
        Severity::Warning => "warning: ",
        Severity::Information => "note: ",
    };
    let detail = if finding.detail.is_empty() { String::new() } else { format!(" ({})", finding.detail) };
    format!("{place}: {word}{}: {}{detail}\n", finding.kind, meaning(&finding.kind))
}

fn meaning(kind: &str) -> &'static str {
    FindingKind::ALL.iter().find(|known| known.name() == kind).map_or("", |known| known.meaning())
}

/// A name that only looks like a type makes every line a mismatch.
fn hint(files: &CheckedFiles, finding: &Finding) -> String {
    let declared = files.declared.get(finding.file as usize).and_then(Option::as_deref);
    match (finding.kind.as_str(), declared) {
        ("type-mismatch", Some(declared)) => {
            let place = path(files, finding);
            format!(
                "  ({place} is announced as {declared}, by its name or by Type=; say what it holds: Patient={place})\n"
            )
        }
        _ => String::new(),
    }
}

/// A line a file.
pub fn summary(files: &CheckedFiles) -> String {
    let row = |(path, file): (&std::path::PathBuf, &fhir_import::contract::FileSummary)| {
        vec![
            path.display().to_string(),
            file.resource_type.clone().unwrap_or_else(|| "-".to_owned()),
            file.resources.to_string(),
            HumanBytes(file.bytes).to_string(),
            file.errors.to_string(),
            file.warnings.to_string(),
        ]
    };
    let rows: Vec<_> = files.paths.iter().zip(&files.checked.files).map(row).collect();
    let all = &files.checked.summary;
    let table = super::table(&["file", "type", "resources", "size", "errors", "warnings"], &rows);
    format!(
        "{table}\n{} in {}, {}, {}\n",
        count(all.resources, "resource"),
        count(all.files.into(), "file"),
        count(all.errors, "error"),
        count(all.warnings, "warning")
    )
}

/// The same for programs.
pub fn json(files: &CheckedFiles) -> Value {
    let finding = |finding: &Finding| {
        json!({
            "file": path(files, finding), "line": finding.line, "offset": finding.offset, "kind": finding.kind,
            "severity": severity(finding.severity), "detail": finding.detail
        })
    };
    let files_of = |(path, file): (&std::path::PathBuf, &fhir_import::contract::FileSummary)| {
        json!({
            "file": path, "resource_type": file.resource_type, "lines": file.lines, "bytes": file.bytes,
            "resources": file.resources, "errors": file.errors, "warnings": file.warnings
        })
    };
    let all = &files.checked.summary;
    let types = all.types.iter().map(|t| json!({ "resource_type": t.resource_type, "resources": t.resources }));
    json!({
        "files": files.paths.iter().zip(&files.checked.files).map(files_of).collect::<Vec<_>>(),
        "types": types.collect::<Vec<_>>(),
        "findings": files.checked.findings.iter().map(finding).collect::<Vec<_>>(),
        "resources": all.resources, "errors": all.errors, "warnings": all.warnings
    })
}

fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Information => "information",
    }
}

fn path(files: &CheckedFiles, finding: &Finding) -> String {
    files.paths.get(finding.file as usize).map_or_else(String::new, |path| path.display().to_string())
}
