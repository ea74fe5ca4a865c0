//! What is answered to which request.

use std::collections::BTreeSet;

use super::*;

#[tokio::test]
async fn a_get_answers_with_the_whole_file() {
    let fixture = serve(&[PATIENTS, ""]);
    let answer = fixture.ask("GET", 0, "").await;
    assert_eq!((status(&answer), body(&answer)), ("200", PATIENTS));
    let length = PATIENTS.len().to_string();
    let fields = [
        ("content-type", "application/fhir+ndjson"),
        ("content-length", &length),
        ("accept-ranges", "bytes"),
        ("cache-control", "no-store"),
    ];
    for (name, value) in fields {
        assert_eq!(field(&answer, name), Some(value), "{name}");
    }
    assert_eq!(field(&answer, "etag").map(str::len), Some(34));

    let empty = fixture.ask("GET", 1, "").await;
    assert_eq!((status(&empty), body(&empty), field(&empty, "content-length")), ("200", "", Some("0")));
    assert_eq!([0, 1].map(|index| fixture.state(index)), [FetchState::Complete; 2]);
}

#[tokio::test]
async fn many_chunks_arrive_in_order() {
    let content: String = (0..100_000).map(|line| format!("{{\"line\":{line}}}\n")).collect();
    let fixture = serve(&[&content]);
    let answer = fixture.ask("GET", 0, "").await;
    assert!(body(&answer) == content);
    let answer = fixture.ask("GET", 0, "Range: bytes=262143-524289\r\n").await;
    assert!(body(&answer) == &content[262_143..=524_289]);
}

#[tokio::test]
async fn a_head_tells_the_same_without_content() {
    let fixture = serve(&[PATIENTS]);
    let (get, head) = (fixture.ask("GET", 0, "").await, fixture.ask("HEAD", 0, "Range: bytes=0-1\r\n").await);
    assert_eq!((status(&head), body(&head)), ("200", ""));
    for name in ["content-type", "content-length", "accept-ranges", "etag", "cache-control"] {
        assert_eq!(field(&head, name), field(&get, name), "{name}");
    }
}

#[tokio::test]
async fn one_range_is_answered_with_that_part() {
    let fixture = serve(&["0123456789"]);
    for (range, part, content_range) in [
        ("2-4", "234", "bytes 2-4/10"),
        ("7-", "789", "bytes 7-9/10"),
        ("-1", "9", "bytes 9-9/10"),
        ("0-99", "0123456789", "bytes 0-9/10"),
    ] {
        let answer = fixture.ask("GET", 0, &format!("Range: bytes={range}\r\n")).await;
        assert_eq!((status(&answer), body(&answer)), ("206", part), "{range}");
        assert_eq!(field(&answer, "content-range"), Some(content_range));
        assert_eq!(field(&answer, "content-length"), Some(part.len().to_string().as_str()));
    }
    let answer = fixture.ask("GET", 0, "Range: bytes=10-\r\n").await;
    assert_eq!((status(&answer), body(&answer), field(&answer, "content-range")), ("416", "", Some("bytes */10")));
    let answer = fixture.ask("GET", 0, "Range: bytes=0-1,4-5\r\n").await;
    assert_eq!((status(&answer), body(&answer)), ("200", "0123456789"));
}

#[tokio::test]
async fn conditions_are_decided_by_the_entity_tag() {
    let fixture = serve(&["0123456789"]);
    let answer = fixture.ask("HEAD", 0, "").await;
    let etag = field(&answer, "etag").unwrap();
    for (headers, wanted) in [
        (format!("If-Range: {etag}\r\nRange: bytes=0-1\r\n"), "206"),
        ("If-Range: \"other\"\r\nRange: bytes=0-1\r\n".to_owned(), "200"),
        (format!("If-Match: {etag}\r\nRange: bytes=0-1\r\n"), "206"),
        ("If-Match: \"other\"\r\n".to_owned(), "412"),
        (format!("If-None-Match: {etag}\r\n"), "304"),
    ] {
        assert_eq!(status(&fixture.ask("GET", 0, &headers).await), wanted, "{headers}");
    }
}

#[tokio::test]
async fn only_get_and_head_are_allowed() {
    let fixture = serve(&[PATIENTS]);
    for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "get", "PROPFIND"] {
        let answer = fixture.ask(method, 0, "Content-Length: 0\r\n").await;
        assert_eq!(
            (status(&answer), field(&answer, "allow"), body(&answer)),
            ("405", Some("GET, HEAD"), ""),
            "{method}"
        );
    }
    assert_eq!(fixture.state(0), FetchState::Never);
}

#[tokio::test]
async fn whatever_is_not_served_is_not_found_in_one_manner() {
    let fixture = serve(&[PATIENTS]);
    let known = capability(0).as_str().to_owned();
    let folder = known.strip_suffix("/0.ndjson").unwrap();
    let (upper, near) = (known.replace("ndjson", "NDJSON"), known.replacen('1', "2", 1));
    let below = [
        "",
        "/",
        "//0.ndjson",
        "/./0.ndjson",
        "/../0.ndjson",
        "/0.ndjson/",
        "/0.ndjson/..",
        "/0.ndjson%00",
        "/%30.ndjson",
        "/0.ndjson;x",
        "/0%2endjson",
        "/..%2f..%2fetc%2fpasswd",
        "/%2e%2e/0.ndjson",
        "/%c0%ae%c0%ae/0.ndjson",
        "/..%5c0.ndjson",
        "/..\\0.ndjson",
        "/%252e%252e/0.ndjson",
        "/0.ndjson.bak",
        "/1.ndjson",
    ];
    let elsewhere = [
        "/",
        "//",
        "/..",
        "/../../../../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/etc/passwd",
        "//etc/passwd",
        "/c:/windows/win.ini",
        "/file:///etc/passwd",
        "/.%2e/.%2e/etc/passwd",
        "/%00",
        "/~root",
        "/robots.txt",
        "/0.ndjson",
        "/favicon.ico",
        "*",
    ];
    let below = below.map(|rest| format!("{folder}{rest}"));
    let targets = below.into_iter().chain(elsewhere.map(str::to_owned)).chain([
        upper,
        near,
        format!("/.{known}"),
        format!("/{known}"),
    ]);
    let mut answers = BTreeSet::new();
    for target in targets {
        let answer = ask(fixture.server.local_addr(), &format!("GET {target} HTTP/1.1"), "").await;
        assert_eq!(status(&answer), "404", "{target}");
        let undated: Vec<_> = answer.lines().filter(|line| !line.starts_with("date")).collect();
        answers.insert(undated.join("\n"));
    }
    assert_eq!(answers.len(), 1, "{answers:?}");
    assert_eq!(fixture.state(0), FetchState::Never);
}

#[tokio::test]
async fn bytes_that_are_no_http_are_refused() {
    let fixture = serve(&[PATIENTS]);
    for line in ["GET /\u{0} HTTP/1.1", "GET /a b HTTP/1.1", "\u{16}\u{3}\u{1}", "GET / HTTP/9.9"] {
        let answer = ask(fixture.server.local_addr(), line, "").await;
        assert!(matches!(status(&answer), "400" | "no answer"), "{line:?}: {answer}");
    }
    assert_eq!(status(&fixture.ask("GET", 0, "").await), "200");
}

#[tokio::test]
async fn documents_are_served_beside_the_files() {
    let path = CapabilityPath::new([7; 16], "manifest.json").unwrap();
    let listening = listening();
    assert_eq!(listening.url_of(&path).as_str(), format!("{}/manifest.json", listening.folder_url([7; 16])));
    let media_type = http::HeaderValue::from_static("application/json");
    let document = ServedDocument { path, media_type, content: Bytes::from_static(b"{\"output\":[]}") };
    assert!(!format!("{document:?}").contains("output"));
    let server = listening.serve(vec![], vec![document]).unwrap();

    let url = server.document_url(0).unwrap();
    let answer = ask(server.local_addr(), &format!("GET {} HTTP/1.1", url.path()), "Range: bytes=1-8\r\n").await;
    assert_eq!(
        (status(&answer), body(&answer), field(&answer, "content-type")),
        ("206", "\"output\"", Some("application/json"))
    );
    assert_eq!(server.document_fetches()[0].gets, 1);
}

#[tokio::test]
async fn a_forwarder_may_keep_or_strip_the_advertised_path() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("Patient.ndjson");
    fs::write(&file, PATIENTS).unwrap();
    let files = vec![ServedFile { path: capability(0), input: Arc::new(OpenInput::open(&file).unwrap()) }];
    let advertise = Url::parse("http://files.example.org:0/bulk/").unwrap();
    let server = Listening::bind(ANY_PORT.parse().unwrap(), Some(advertise)).unwrap().serve(files, vec![]).unwrap();
    let url = server.url_of(0).unwrap();
    assert_eq!(url.port(), Some(server.local_addr().port()));
    for path in [url.path(), capability(0).as_str()] {
        assert_eq!(body(&ask(server.local_addr(), &format!("GET {path} HTTP/1.1"), "").await), PATIENTS);
    }
    assert_eq!(server.url_of(1), None);
}

#[tokio::test]
async fn two_things_at_one_path_and_unusable_roots_are_refused() {
    let document = ServedDocument { path: capability(0), media_type: answer::ndjson(), content: Bytes::new() };
    let error = listening().serve(vec![], vec![document.clone(), document]).unwrap_err();
    assert_eq!(error.to_string(), "two files would be served as /…/0.ndjson");
    for (root, problem) in [
        ("ftp://h.example", AdvertiseProblem::Scheme),
        ("http://me:CANARY@h.example", AdvertiseProblem::Credentials),
        ("http://h.example/?CANARY", AdvertiseProblem::Query),
    ] {
        let error = Listening::bind(ANY_PORT.parse().unwrap(), Some(Url::parse(root).unwrap())).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("CANARY"));
        assert!(matches!(error, ServeError::Advertise { problem: found, .. } if found == problem));
    }
}
