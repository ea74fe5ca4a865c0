//! Between the contract's types and the records' types; nothing else translates.

use fhir_import_records as records;
use records::{Locator, Severity};

use crate::bindings::exports::fhir_import::workflow::records as wit;

pub fn options(options: &wit::CheckOptions) -> records::CheckOptions {
    records::CheckOptions {
        sample_size: options.sample_size,
        sample_seed: options.sample_seed,
        max_line_bytes: options.max_line_bytes,
        max_findings: options.max_findings,
    }
}

pub fn finding(finding: records::Finding) -> wit::Finding {
    let severity = match finding.severity() {
        Severity::Error => wit::Severity::Error,
        Severity::Warning => wit::Severity::Warning,
        Severity::Information => wit::Severity::Information,
    };
    wit::Finding {
        file: finding.file,
        line: finding.line,
        offset: finding.offset,
        kind: finding.kind.name().to_owned(),
        severity,
        detail: finding.detail,
    }
}

pub fn file_summary(summary: records::FileSummary) -> wit::FileSummary {
    wit::FileSummary {
        lines: summary.lines,
        bytes: summary.bytes,
        resources: summary.resources,
        resource_type: summary.resource_type,
        errors: summary.errors,
        warnings: summary.warnings,
    }
}

pub fn summary(summary: records::Summary) -> wit::Summary {
    let types = summary.by_type.into_iter().map(|(resource_type, counts)| wit::TypeSummary {
        resource_type,
        resources: counts.resources,
        distinct_ids: counts.distinct_ids,
    });
    wit::Summary {
        files: summary.files,
        lines: summary.lines,
        bytes: summary.bytes,
        resources: summary.resources,
        types: types.collect(),
        samples: summary.samples.into_iter().map(chosen).collect(),
        errors: summary.errors,
        warnings: summary.warnings,
    }
}

fn chosen(sample: records::Sample) -> wit::Chosen {
    wit::Chosen { reference: sample.reference, file: sample.file, line: sample.line, fingerprint: sample.fingerprint }
}

pub fn triage_summary(summary: records::TriageSummary) -> wit::TriageSummary {
    wit::TriageSummary {
        classes: summary.classes.into_iter().map(error_row).collect(),
        rows: summary.rows,
        failures: summary.failures,
        unreadable: summary.unreadable,
    }
}

fn error_row(class: records::ErrorClass) -> wit::ErrorRow {
    wit::ErrorRow {
        severity: class.severity.to_string(),
        code: class.code,
        text: class.text,
        count: class.count,
        lines: class.lines,
    }
}

pub fn place(place: records::Place) -> wit::Place {
    let locator = match place.locator {
        Locator::Line(line) => wit::Locator::Line(line),
        Locator::Record(line) => wit::Locator::Record(line),
        Locator::Unit { unit_start, line_in_unit } => wit::Locator::Unit(wit::UnitLine { unit_start, line_in_unit }),
        Locator::Reference(reference) => wit::Locator::Reference(reference),
    };
    wit::Place { locator, source: place.source }
}

pub fn locator(locator: wit::Locator) -> Locator {
    match locator {
        wit::Locator::Line(line) => Locator::Line(line),
        wit::Locator::Record(line) => Locator::Record(line),
        wit::Locator::Unit(unit) => Locator::Unit { unit_start: unit.unit_start, line_in_unit: unit.line_in_unit },
        wit::Locator::Reference(reference) => Locator::Reference(reference),
    }
}

pub fn joined(joined: records::Joined) -> wit::Joined {
    wit::Joined {
        locator: joined.locator,
        line: joined.line,
        offset: joined.offset,
        length: joined.length,
        resource_type: joined.resource_type,
    }
}
