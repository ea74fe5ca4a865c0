use super::*;
use crate::fingerprint::fingerprint;

const OPTIONS: CheckOptions = CheckOptions { sample_size: 5, sample_seed: 1, max_line_bytes: 200, max_findings: 1000 };

/// Everything that a check of one file says.
type Outcome = (Vec<Finding>, FileSummary, Summary);

fn check(expected: Option<&str>, chunks: &[&[u8]]) -> Outcome {
    let mut checker = Checker::new(&OPTIONS);
    checker.next_file(expected);
    let mut findings: Vec<_> = chunks.iter().flat_map(|chunk| checker.feed(chunk)).collect();
    let (last, file) = checker.end_file();
    findings.extend(last);
    (findings, file, checker.finish())
}

fn kinds(expected: Option<&str>, text: &[u8]) -> Vec<(u64, FindingKind)> {
    check(expected, &[text]).0.into_iter().map(|finding| (finding.line, finding.kind)).collect()
}

/// Every kind of finding but an empty file, and characters of every length.
fn nasty() -> Vec<u8> {
    [
        "\u{feff}{\"resourceType\":\"Patient\",\"id\":\"1\",\"x\":\"é€😀\"}\r\n".as_bytes(),
        b"\r\n \t\n\n",
        b"{\"resourceType\":\"Patient\",\"id\":\"1\",\"x\":2}\n",
        b"{\"resourceType\":\"Group\",\"id\":\"1\"}\n",
        b"{\"resourceType\":\"Group\"}\n{\"resourceType\":\"Group\",\"id\":\"a_b\"}\n{\"id\":\"1\"}\n",
        b"{\"resourceType\":\"group\",\"id\":\"1\"}\n{\"a\":\xff}\n[1]\n{\"resourceType\":\n}\n",
        b"{\"resourceType\":\"Group\",\"id\":\"2\",\"a\":\"\\ud800\"}\n",
        &[b' '; 201],
        b"\n",
        format!("{}1{}\n", "[".repeat(99), "]".repeat(99)).as_bytes(),
        "{\"resourceType\":\"Group\",\"id\":\"😀\"}\n{\"resourceType\":\"Group\",\"id\":\"9\"}".as_bytes(),
    ]
    .concat()
}

#[test]
fn each_line_is_judged_by_itself() {
    use FindingKind::*;
    let expected = [
        (1, ByteOrderMark),
        (2, BlankLine),
        (3, BlankLine),
        (4, BlankLine),
        (5, DuplicateId),
        (6, MixedTypes),
        (7, NoId),
        (8, InvalidId),
        (9, NoResourceType),
        (10, InvalidResourceType),
        (11, NotUtf8),
        (12, NotAnObject),
        (13, InvalidJson),
        (14, InvalidJson),
        (15, UnpairedSurrogate),
        (16, LineTooLong),
        (17, NotAnObject),
        (18, InvalidId),
    ];
    assert_eq!(kinds(None, &nasty()), expected);
}

#[test]
fn cutting_anywhere_changes_nothing() {
    let text = nasty();
    let whole = check(None, &[&text]);
    for at in 0..=text.len() {
        let (head, tail) = text.split_at(at);
        assert_eq!(check(None, &[head, tail]), whole, "cut at {at}");
    }
    for size in 1..=9 {
        let chunks: Vec<_> = text.chunks(size).collect();
        assert_eq!(check(None, &chunks), whole, "chunks of {size}");
    }
}

#[test]
fn a_character_of_four_bytes_may_lie_across_any_chunk_edge() {
    for padding in 0..64 {
        let line = format!("{{\"resourceType\":\"Basic\",\"id\":\"1\",\"a\":\"{}😀\"}}\n", "x".repeat(padding));
        for size in 1..=line.len() {
            let (findings, file, _) = check(Some("Basic"), &line.as_bytes().chunks(size).collect::<Vec<_>>());
            assert_eq!((findings, file.resources), (vec![], 1), "padding {padding}, chunks of {size}");
        }
    }
}

#[test]
fn the_summaries_count_what_can_be_stored() {
    let text = nasty();
    let (_, file, summary) = check(None, &[&text]);
    assert_eq!((file.lines, file.bytes, file.resources), (16, text.len() as u64, 5));
    assert_eq!((file.errors, file.warnings), (11, 7));
    assert_eq!(file.resource_type, None);
    let group = TypeSummary { resources: 3, distinct_ids: Some(2) };
    let patient = TypeSummary { resources: 2, distinct_ids: Some(1) };
    assert_eq!(summary.by_type, BTreeMap::from([("Group".to_owned(), group), ("Patient".to_owned(), patient)]));
    assert_eq!((summary.files, summary.lines, summary.resources), (1, 16, 5));
    let samples: Vec<_> = summary.samples.iter().map(|sample| (sample.reference.as_str(), sample.line)).collect();
    assert_eq!(samples, [("Group/1", 6), ("Group/9", 19), ("Patient/1", 5)]);
}

#[test]
fn a_repeated_id_is_sampled_as_it_came_last() {
    let (_, _, summary) = check(None, &[&nasty()]);
    let last = serde_json::json!({"resourceType": "Patient", "id": "1", "x": 2});
    assert!(summary.samples.iter().any(|sample| sample.fingerprint == fingerprint(&last)));
}

#[test]
fn another_type_than_announced_is_an_error_and_is_named() {
    let (findings, file, _) = check(Some("Patient"), &[b"{\"resourceType\":\"Group\",\"id\":\"1\"}\n"]);
    assert_eq!(findings[0].detail, "found Group, expected Patient");
    assert_eq!((findings[0].kind, file.resources), (FindingKind::TypeMismatch, 0));
}

#[test]
fn a_file_without_records_is_empty() {
    use FindingKind::{BlankLine, ByteOrderMark, EmptyFile};
    assert_eq!(kinds(None, b""), [(1, EmptyFile)]);
    assert_eq!(kinds(None, b"\n"), [(1, BlankLine), (1, EmptyFile)]);
    assert_eq!(kinds(None, b"\xef\xbb\xbf"), [(1, ByteOrderMark), (1, BlankLine), (1, EmptyFile)]);
}

#[test]
fn line_ends_of_windows_are_no_finding() {
    assert_eq!(kinds(None, b"{\"resourceType\":\"Basic\",\"id\":\"1\"}\r\n"), []);
}

#[test]
fn findings_hold_no_content() {
    let (findings, ..) = check(None, &[b"{\"resourceType\":\"Smith!\",\"id\":\"Sm ith\"}\n\"Smith\"\n{Smith}\n"]);
    assert_eq!(findings.len(), 4);
    assert!(!format!("{findings:?}").contains("Smith"));
}

#[test]
fn duplicates_are_found_across_files() {
    let mut checker = Checker::new(&OPTIONS);
    let line = b"{\"resourceType\":\"Basic\",\"id\":\"1\"}";
    for file in 0..2 {
        checker.next_file(Some("Basic"));
        assert!(checker.feed(line).is_empty());
        let (findings, summary) = checker.end_file();
        let places: Vec<_> = findings.iter().map(|finding| (finding.file, finding.line, finding.kind)).collect();
        assert_eq!(places, [(1, 1, FindingKind::DuplicateId)][..file]);
        assert_eq!(summary.resource_type.as_deref(), Some("Basic"));
    }
    let summary = checker.finish();
    assert_eq!((summary.files, summary.warnings, summary.samples.len()), (2, 1, 1));
}

#[test]
fn findings_are_capped_and_counted() {
    let mut checker = Checker::new(&CheckOptions { max_findings: 3, ..OPTIONS });
    checker.next_file(None);
    assert_eq!(checker.feed(&b"[]\n".repeat(10)).len(), 3);
    let (findings, file) = checker.end_file();
    assert_eq!((findings.len(), file.errors), (0, 10));
}

#[test]
fn a_forgotten_end_of_file_loses_no_line() {
    let mut checker = Checker::new(&OPTIONS);
    for id in 1..=3 {
        checker.next_file(None);
        checker.feed(format!("{{\"resourceType\":\"Basic\",\"id\":\"{id}\"}}").as_bytes());
    }
    let summary = checker.finish();
    assert_eq!((summary.files, summary.resources), (3, 3));
}

#[test]
fn invented_types_do_not_fill_the_memory() {
    let mut checker = Checker::new(&OPTIONS);
    checker.next_file(None);
    for n in 0..2000_u32 {
        let letters: String = n.to_string().bytes().map(|digit| char::from(digit - b'0' + b'a')).collect();
        checker.feed(format!("{{\"resourceType\":\"X{letters}\"}}\n").as_bytes());
    }
    let (_, file) = checker.end_file();
    assert_eq!((file.by_type.len(), file.errors), (MAX_TYPES, 2000 - MAX_TYPES as u64));
}

#[test]
fn the_first_conditional_reference_of_a_file_is_told() {
    let line = r#"{"resourceType":"Observation","id":"ID","subject":{"reference":"Patient?identifier=1"}}"#;
    let mut checker = Checker::new(&CheckOptions::default());
    for file in ["a", "b"] {
        checker.next_file(None);
        let text = ["1", "2"].map(|id| line.replace("ID", &format!("{file}{id}"))).join("\n");
        let mut findings = checker.feed(text.as_bytes());
        findings.extend(checker.end_file().0);
        let kinds: Vec<_> = findings.iter().map(|finding| (finding.line, finding.kind)).collect();
        assert_eq!(kinds, [(1, FindingKind::ConditionalReference)]);
    }
}
