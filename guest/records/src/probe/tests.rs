use super::*;

fn fault(line: &[u8]) -> (FindingKind, String) {
    let fault = probe(line).expect_err("a fault");
    (fault.kind, fault.detail)
}

fn text(text: &str) -> Field<'_> {
    Field::Text(Cow::Borrowed(text))
}

#[test]
fn type_and_id_are_read_wherever_they_stand() {
    let cases: [(&str, Field<'_>, Field<'_>); 8] = [
        (r#"{"resourceType":"Patient","id":"1"}"#, text("Patient"), text("1")),
        (r#" {"id":"1","x":{"id":"2","resourceType":"No"},"resourceType":"Group"} "#, text("Group"), text("1")),
        (r#"{"\u0069d":"a\u002db"}"#, Field::Absent, text("a-b")),
        (r#"{"id":"1","id":"2"}"#, Field::Absent, text("2")),
        (r#"{"id":"1","id":null}"#, Field::Absent, Field::Other),
        (r#"{"id":[1,{"id":"1"}],"resourceType":{"a":true}}"#, Field::Other, Field::Other),
        (r#"{"id":-1.5,"resourceType":false}"#, Field::Other, Field::Other),
        ("{}", Field::Absent, Field::Absent),
    ];
    for (line, resource_type, id) in cases {
        assert_eq!(probe(line.as_bytes()), Ok(Probe { resource_type, id }), "{line}");
    }
}

#[test]
fn faults_are_told_apart_without_content() {
    use FindingKind::{InvalidJson, NotAnObject, NotUtf8, UnpairedSurrogate};
    let cases: [(&[u8], FindingKind, &str); 13] = [
        (b"", InvalidJson, "EOF while parsing a value at column 0"),
        (br#"{"a":1"#, InvalidJson, "EOF while parsing an object at column 6"),
        (br#"{"a":1}{"b":2}"#, InvalidJson, "trailing characters at column 8"),
        (br#"{"a":Smith}"#, InvalidJson, "expected value at column 6"),
        (
            b"{\"a\":\"\0\"}",
            InvalidJson,
            "control character (\\u0000-\\u001F) found while parsing a string at column 6",
        ),
        (b"{\"a\":1}\r{\"b\":2}", InvalidJson, "trailing characters at column 9"),
        (b"[]", NotAnObject, ""),
        (b"\"Smith\"", NotAnObject, ""),
        (b"null", NotAnObject, ""),
        (b"[1", InvalidJson, "EOF while parsing a list at column 2"),
        (b"{\"a\":\"\xc3\"}", NotUtf8, "at byte 7"),
        (br#"{"a":"\ud83d\ude00\\\ud83d"}"#, UnpairedSurrogate, "at column 21"),
        (br#"{"a":"\ude00"}"#, UnpairedSurrogate, "at column 7"),
    ];
    for (line, kind, detail) in cases {
        assert_eq!(fault(line), (kind, detail.to_owned()), "{}", String::from_utf8_lossy(line));
    }
}

#[test]
fn every_pair_of_bytes_is_judged_as_std_judges_it() {
    for pair in 0..=u16::MAX {
        let bytes = pair.to_be_bytes();
        let line = [br#"{"a":""#, bytes.as_slice(), br#""}"#].concat();
        let utf8 = !matches!(probe(&line), Err(Fault { kind: FindingKind::NotUtf8, .. }));
        assert_eq!(utf8, std::str::from_utf8(&line).is_ok(), "{bytes:02x?}");
    }
}

#[test]
fn depth_ends_where_serde_json_ends() {
    for levels in 1..200 {
        let line = format!("{}1{}", r#"{"a":"#.repeat(levels), "}".repeat(levels));
        let readable = serde_json::from_str::<serde_json::Value>(&line).is_ok();
        let too_deep = Err(Fault::new(FindingKind::NestedTooDeep, "deeper than 127 levels"));
        assert_eq!(probe(line.as_bytes()) == too_deep, !readable, "{levels} levels");
    }
}

#[test]
fn wide_is_not_deep() {
    let line = format!(r#"{{"a":[{}[]],"b":"{}\"{}"}}"#, "[],".repeat(500), "[".repeat(200), "{".repeat(200));
    assert!(probe(line.as_bytes()).is_ok());
}

#[test]
fn a_million_opening_brackets_are_an_error_and_nothing_worse() {
    for piece in ["[", r#"{"a":"#, r#"{"id":"#, r#"{"resourceType":["#] {
        let (kind, _) = fault(piece.repeat(1_000_000).as_bytes());
        assert_eq!(kind, FindingKind::InvalidJson, "{piece}");
    }
    let closed = format!(r#"{{"a":{}{}}}"#, "[".repeat(1_000_000), "]".repeat(1_000_000));
    assert_eq!(fault(closed.as_bytes()).0, FindingKind::NestedTooDeep);
}

#[test]
fn shapes_of_names_and_ids() {
    for good in ["Patient", "X", &"A".repeat(64)] {
        assert!(is_type_name(good), "{good}");
    }
    for bad in ["", "patient", "Patient1", "Pat ient", "Pätient", &"A".repeat(65)] {
        assert!(!is_type_name(bad), "{bad}");
    }
    for good in ["1", "a-b.C", "....", &"x".repeat(64)] {
        assert!(is_id(good), "{good}");
    }
    for bad in ["", "a_b", "a b", "é", &"x".repeat(65)] {
        assert!(!is_id(bad), "{bad}");
    }
}

/// One byte of a line is replaced, added or taken away: serde_json, reading everything, is the judge.
#[test]
fn damaged_lines_are_judged_as_serde_json_judges_them() {
    let line =
        r#"{"resourceType":"Patient","n":[1.5e1,-0,true,null],"id":"a-1","s":"\ud83d\ude00\n\\","o":{"id":"é"}}"#
            .as_bytes();
    for at in 0..=line.len() {
        for byte in 0..=u8::MAX {
            let (head, tail) = line.split_at(at);
            let rest = tail.get(1..).unwrap_or_default();
            agree(&[head, &[byte], rest].concat());
            agree(&[head, &[byte], tail].concat());
            agree(&[head, rest].concat());
        }
    }
}

fn agree(line: &[u8]) {
    let value = serde_json::from_slice::<serde_json::Value>(line).ok().filter(serde_json::Value::is_object);
    let text = String::from_utf8_lossy(line);
    match (probe(line), value) {
        (Ok(probe), Some(value)) => {
            assert_eq!(probe.id.accepted(|_| true), value.get("id").and_then(|id| id.as_str()), "{text}");
            let resource_type = value.get("resourceType").and_then(|name| name.as_str());
            assert_eq!(probe.resource_type.accepted(|_| true), resource_type, "{text}");
        }
        (found, value) => assert!(found.is_err() && value.is_none(), "{text}"),
    }
}

#[test]
fn faults_of_ids_are_told_without_the_id() {
    let cases =
        [(text("Sm ith"), "character 3 is not allowed"), (text(""), "0 characters"), (Field::Other, "not a string")];
    for (id, expected) in cases {
        assert_eq!(id_fault(&id), expected);
    }
}

#[test]
fn a_reference_that_is_a_search_is_told_from_others() {
    let yes = [
        r#"{"subject":{"reference":"Patient?identifier=a|b"}}"#,
        r#"{"a":[{"reference" : "Practitioner?identifier=x"}],"q":"?"}"#,
        r#"{"reference":"Patient/1","b":{"reference":"Location?name=x"}}"#,
    ];
    let no = [
        r#"{"subject":{"reference":"Patient/1"},"text":"why?"}"#,
        r#"{"reference":"https://x.example/Patient/1?x=1"}"#,
        r#"{"reference":"?identifier=1"}"#,
        r#"{"reference":7,"a":"Patient?x"}"#,
        r#"{"reference":{"a":"Patient?x"}}"#,
        r##"{"reference":"#p?"}"##,
        "{}",
    ];
    assert!(yes.iter().all(|line| has_conditional_reference(line.as_bytes())));
    for line in no {
        assert!(!has_conditional_reference(line.as_bytes()), "{line}");
    }
}
