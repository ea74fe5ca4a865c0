use super::*;
use IssueSeverity::{Error, Fatal, Information, Warning};

type Row = (IssueSeverity, &'static str, Option<Locator>);

fn read(row: &str) -> Vec<(IssueSeverity, String, Option<Locator>)> {
    let row = serde_json::from_str(row).unwrap();
    issues(&row).into_iter().map(|issue| (issue.severity, issue.text, issue.place.map(|place| place.locator))).collect()
}

/// Rows as servers sent them, or as their source and guides say.
#[test]
fn recorded_rows() {
    let cases: [(&str, &[Row]); 12] = [
        // Microsoft: no code, a line of a unit.
        (
            r#"{"resourceType":"OperationOutcome","issue":[{"severity":"error","details":{"text":"Failed to import duplicate resource, resource id: p1, line: 12"},"diagnostics":"Failed to process resource at line: 12 with stream start offset: 4096"}]}"#,
            &[(
                Error,
                "Failed to import duplicate resource, resource id: p1, line: 12",
                Some(Locator::Unit { unit_start: 4096, line_in_unit: 12 }),
            )],
        ),
        // Microsoft: while the initial import runs.
        (
            r#"{"severity":"Error","code":"Locked","diagnostics":"Service is locked for initial import mode."}"#,
            &[(Error, "Service is locked for initial import mode.", None)],
        ),
        // sazare: JSON in diagnostics, whose line is the source's and whose words hold the parser's.
        (
            r#"{"issue":[{"code":"informational","diagnostics":"2 resources imported, 1 errors","severity":"warning"},{"code":"processing","diagnostics":"{\"error\":\"Invalid JSON: EOF while parsing a value at line 1 column 48\",\"line\":2}","severity":"error"}]}"#,
            &[
                (Warning, "2 resources imported, 1 errors", None),
                (Error, "Invalid JSON: EOF while parsing a value at line 1 column 48", Some(Locator::Line(2))),
            ],
        ),
        // OctoFHIR: a result of rows.
        (
            r#"{"errors":[{"error":"Expected resourceType 'Patient', got 'null'","line":4,"source":"http://a.example/x"}],"total_created":5,"total_errors":1}"#,
            &[(Error, "Expected resourceType 'Patient', got 'null'", Some(Locator::Line(4)))],
        ),
        // HealthLake: the outcome inside, the line outside.
        (
            r#"{"lineId":3,"UpdateResourceResponse":{"jsonBlob":{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"processing","diagnostics":"Missing required id field in resource json"}]},"statusCode":400}}"#,
            &[(Error, "Missing required id field in resource json", Some(Locator::Line(3)))],
        ),
        // HAPI: a second issue without a word.
        (
            r#"{"issue":[{"severity":"error","diagnostics":"HAPI-1821: bad\n at [line: 1, column: 55]"},{"severity":"error"}]}"#,
            &[(Error, "HAPI-1821: bad\n at [line: 1, column: 55]", None)],
        ),
        // HAPI: the report of a job says what failed.
        (
            r#"{"issue":[{"severity":"information","diagnostics":"{\"reportMsg\":\"Bulk Import Report\\n-----\\nSource: http://a/x\\n  Outcomes:\\n    * FAILURE: 1\\n  Errors:\\n    * HAPI-1094: not found\\nSource: http://a/y\\n  Outcomes:\\n    * FAILURE: 1\\n\"}"}]}"#,
            &[(Information, "Bulk Import Report", None), (Error, "HAPI-1094: not found", None)],
        ),
        // An array on one line; the worst issue is the second.
        (
            r#"[{"issue":[{"severity":"information","details":{"coding":[{"display":"fine"}]}},{"severity":"fatal","code":"exception"}]},{"issue":[]}]"#,
            &[(Information, "fine", None), (Fatal, "", None)],
        ),
        // A silent issue that is worse than the one with words.
        (
            r#"{"issue":[{"severity":"warning","diagnostics":"hm"},{"severity":"fatal"}]}"#,
            &[(Warning, "hm", None), (Fatal, "", None)],
        ),
        // google.rpc
        (r#"{"error":{"code":403,"status":"PERMISSION_DENIED","message":"no"}}"#, &[(Error, "no", None)]),
        (r#"{"issue":[{"diagnostics":"{\"other\":1}"}]}"#, &[(Error, "", None)]),
        (r#"{"resourceType":"Patient"}"#, &[]),
    ];
    for (row, expected) in cases {
        let expected: Vec<_> =
            expected.iter().map(|(severity, text, at)| (*severity, (*text).to_owned(), at.clone())).collect();
        assert_eq!(read(row), expected, "{row}");
    }
}

#[test]
fn a_class_keeps_a_code_only_in_the_shape_of_one() {
    let codes = ["processing", "John Smith", ""].map(|code| {
        let row = serde_json::json!({"issue": [{"severity": "error", "code": code, "diagnostics": "x"}]});
        issues(&row).first().unwrap().to_class().code
    });
    assert_eq!(codes, ["processing", "", ""]);
}

#[test]
fn lines_in_texts() {
    let cases = [
        ("line 7", Some(Locator::Line(7))),
        ("bad line #7: x", Some(Locator::Line(7))),
        ("newline, then line=7", Some(Locator::Line(7))),
        ("at line 1 column 48", None),
        ("line: 1, column: 55", None),
        ("line 99999999999999999999", None),
        ("in line with the profile", None),
        ("", None),
    ];
    for (text, expected) in cases {
        assert_eq!(line(text), expected, "{text}");
    }
}

#[test]
fn a_row_names_its_source() {
    let row = serde_json::json!({"errors": [{"error": "x", "line": 4, "source": "http://a.example/x"}]});
    let place = issues(&row).first().unwrap().place.clone().unwrap();
    assert_eq!(place.source.as_deref(), Some("http://a.example/x"));
}

#[test]
fn deep_nesting_ends_the_search() {
    let deep = format!("{}{}{}", "[".repeat(100), r#"{"severity":"error"}"#, "]".repeat(100));
    assert_eq!(read(&deep), []);
}
