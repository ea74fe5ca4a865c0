use super::*;

/// What servers wrote (HAPI 7.4.5 and 8.8.0, OctoFHIR, sazare, Pathling, Microsoft) and what is left of it.
const RECORDED: [(&str, &str); 24] = [
    (
        "HAPI-1094: Resource Patient/does-not-exist not found, specified in path: Observation.subject",
        "HAPI-1094: Resource Patient/… not found, specified in path: Observation.subject",
    ),
    (
        "HAPI-1094: Resource Patient/p1 not found, specified in path: Observation.subject.where(resolve() is Patient)",
        "HAPI-1094: Resource Patient/… not found, specified in path: Observation.subject.where(resolve() is Patient)",
    ),
    (
        "ca.uhn.fhir.parser.DataFormatException: HAPI-1861: Failed to parse JSON encoded FHIR content: Unexpected end-of-input within/between Object entries\n at [line: 1, column: 55]",
        "ca.uhn.fhir.parser.DataFormatException: HAPI-1861: Failed to parse JSON encoded FHIR content: Unexpected end-of-input within/between Object entries at [line: #, column: #]",
    ),
    (
        "HAPI-1821: [element=\"gender\"] Invalid attribute value \"notagender\": Unknown AdministrativeGender code 'notagender'",
        "HAPI-1821: [element=\"…\"] Invalid attribute value \"…\": Unknown AdministrativeGender code \"…\"",
    ),
    (
        "HAPI-0987: Can not update resource of type Patient as it has no ID",
        "HAPI-0987: Can not update resource of type Patient as it has no ID",
    ),
    (
        "Too many errors: 4. Last err msg HAPI-2054: Connect to 127.0.0.1:18099 [/127.0.0.1] failed: Connection refused",
        "Too many errors: #. Last err msg HAPI-2054: Connect to # [#] failed: Connection refused",
    ),
    (
        "HAPI-2040: Unknown instance ID: 00000000-0000-0000-0000-000000000000. Please check",
        "HAPI-2040: Unknown instance ID: #",
    ),
    (
        "HAPI-0389: Failed to call access method: java.lang.NullPointerException: Cannot invoke \"org.hl7.fhir.instance.model.api.IPrimitiveType.getValueAsString()\" because \"theJobId\" is null",
        "HAPI-0389: Failed to call access method: java.lang.NullPointerException: Cannot invoke \"…\" because \"…\" is null",
    ),
    (
        "Error reading from URL: http://127.0.0.1:18090/ok-patient.ndjson",
        "Error reading from URL: http://127.0.0.1:18090/…",
    ),
    (
        "Validation failed: Code 'text/plain; charset=utf-8' is not valid in required ValueSet http://hl7.org/fhir/ValueSet/mimetypes|4.0.1 (expected: \"http://hl7.org/fhir/ValueSet/mimetypes|4.0.1\")",
        "Validation failed: Code \"…\" is not valid in required ValueSet http://hl7.org/fhir/ValueSet/mimetypes (expected: \"…\")",
    ),
    (
        "Validation failed: Referenced resource 'Patient/does-not-exist' does not exist (got: \"Patient/does-not-exist\")",
        "Validation failed: Referenced resource \"…\" does not exist (got: \"…\")",
    ),
    (
        "Validation failed: date does not match FHIR regex: \"not-a-date\" (expected: \"date\")",
        "Validation failed: date does not match FHIR regex: \"…\" (expected: \"…\")",
    ),
    (
        "Failed to fetch http://127.0.0.1:18500/bad/nosuch.ndjson: HTTP 404 Not Found",
        "Failed to fetch http://127.0.0.1:18500/…: HTTP 404 Not Found",
    ),
    ("Expected resourceType 'Patient', got 'null'", "Expected resourceType \"…\", got \"…\""),
    ("Observation with id 'missref-1' not found", "Observation with id \"…\" not found"),
    (
        "Invalid gender code: 'purplish'. Must be one of: male, female, other, unknown",
        "Invalid gender code: \"…\". Must be one of: male, female, other, unknown",
    ),
    (
        "Invalid JSON: EOF while parsing a value at line 1 column 48",
        "Invalid JSON: EOF while parsing a value at line # column #",
    ),
    ("Not allowed to import from URL: file:///etc/passwd", "Not allowed to import from URL: file:///…"),
    (
        "Failed to import duplicate resource, resource id: p1, line: 12",
        "Failed to import duplicate resource, resource id: #, line: #",
    ),
    (
        "Failed to process resource at line: 12 with stream start offset: 0",
        "Failed to process resource at line: # with stream start offset: #",
    ),
    (
        "Given conditional reference '{0}' doesn't resolve to a resource.",
        "Given conditional reference \"…\" doesn't resolve to a resource.",
    ),
    ("Missing required id field in resource json", "Missing required id field in resource json"),
    ("Duration 00:02:00, started 2026-11-23T04:24:28.036+00:00 (885/sec)", "Duration #, started # (#)"),
    ("LastUpdated in the resource cannot be in the future.", "LastUpdated in the resource cannot be in the future."),
];

#[test]
fn recorded_messages() {
    for (message, expected) in RECORDED {
        assert_eq!(normalise(message), expected);
    }
}

#[test]
fn a_normal_form_is_its_own_normal_form() {
    for (_, normal) in RECORDED {
        assert_eq!(normalise(normal), normal);
    }
}

#[test]
fn what_could_be_patient_data_is_hidden() {
    let cases = [
        ("no patient \"Smith\" here", "no patient \"…\" here"),
        ("name 'O'Brien' is taken", "name \"…\" is taken"),
        ("name “Smith” or «Smith» or `Smith`", "name \"…\" or \"…\" or \"…\""),
        ("unclosed 'Smith, John", "unclosed \"…\""),
        (r#"escaped "Sm\"ith" end"#, "escaped \"…\" end"),
        (r#"{"family":"Smith","given":["John"]}"#, r#"{"…":"…","…":["…"]}"#),
        ("Key (family)=(Smith) already exists", "Key (family)=(#) already exists"),
        ("family=Smith&given=John failed", "family=# failed"),
        ("Name: John Smith, try again", "Name: #, try again"),
        ("got\"Smith\" and Name: \"Smith, John\" bad", "got\"…\" and Name: \"…\" bad"),
        ("Name: Smith \"Jo, hn\" x, bad", "Name: #, bad"),
        ("id:", "id:"),
        ("MRN: AB, (old)", "MRN: #, (old)"),
        ("write to john.smith@example.org now", "write to <email> now"),
        ("john.smith is unknown", "# is unknown"),
        ("MRN-1234 SSN 123-45-6789 born 1970-01-01", "# SSN # born #"),
        ("Patient/123/_history/2 and https://a.example/Patient/123", "Patient/… and https://a.example/…"),
        ("https://user:secret@a.example/x?sig=abc", "<url>=#"),
        ("https://a.example?sig=abc", "https://a.example/…=#"),
        ("http://hl7.org/fhir/sid/us-ssn|123-45-6789", "http://hl7.org/…"),
        ("urn:uuid:0d1f2c3b-aaaa-bbbb-cccc-000000000001", "urn:uuid:#"),
        ("C:\\Users\\smith and /home/smith/x", "C:# and #"),
        ("eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.SigNed", "#"),
        ("Authorization: Bearer abc", "Authorization: #"),
    ];
    for (message, expected) in cases {
        assert_eq!(normalise(message), expected);
    }
}

#[test]
fn what_tells_errors_apart_stays() {
    for message in [
        "Patient.name.given: minimum required is missing",
        "org.postgresql.util.PSQLException: duplicate key",
        "Observation.value[x] is required",
        "the server's disk doesn't answer",
    ] {
        assert_eq!(normalise(message), message);
    }
    assert_eq!(normalise("Patient.name[0].given is bad"), "Patient.name[#].given is bad");
}

#[test]
fn text_is_one_plain_line() {
    assert_eq!(normalise("  a\t\n\u{0}b\u{1b}[31m \u{202e}c\u{200b}d\u{2028} "), "a b [# cd");
    assert_eq!(normalise(""), "");
}

#[test]
fn text_is_short() {
    let short = normalise(&"ä ".repeat(100_000));
    assert_eq!(short.chars().count(), 200);
    assert!(short.ends_with('…'));
    assert_eq!(normalise(&"a b ".repeat(50)).chars().count(), 199);
}
