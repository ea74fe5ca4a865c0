//! Connections, changes of files, and the log of what was delivered.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::*;
use crate::files::Change;

#[tokio::test]
async fn the_same_port_and_paths_come_back_at_once() {
    let Fixture { folder, server } = serve(&[PATIENTS]);
    let (address, url) = (server.local_addr(), server.url_of(0));
    let request = format!("GET {} HTTP/1.1", capability(0).as_str());
    for _ in 0..3 {
        assert_eq!(status(&ask(address, &request, "").await), "200");
    }
    let held = TcpStream::connect(address).await.unwrap();
    server.stop().await;

    let input = Arc::new(OpenInput::open(&folder.path().join("0")).unwrap());
    let files = vec![ServedFile { path: capability(0), input }];
    let server = FileServer::start(ServeConfig { bind: address, advertise: None, files, documents: vec![] }).unwrap();
    assert_eq!((server.local_addr(), server.url_of(0)), (address, url));
    assert_eq!(body(&ask(address, &request, "").await), PATIENTS);
    drop(held);
}

#[tokio::test]
async fn a_port_in_use_is_told() {
    let taken = listening();
    let error = Listening::bind(taken.local_addr(), None).unwrap_err();
    assert!(error.to_string().ends_with("another program uses the port; stop it, or choose another one"), "{error}");
}

#[tokio::test]
async fn a_file_changed_before_it_is_fetched_is_gone() {
    let fixture = serve(&[PATIENTS, PATIENTS]);
    OpenOptions::new().append(true).open(fixture.path(0)).unwrap().write_all(b"{}\n").unwrap();
    fs::rename(fixture.path(1), fixture.path(2)).unwrap();
    fs::write(fixture.path(1), "foreign").unwrap();
    for (index, change) in [(0, Change::Appended { bytes: 3 }), (1, Change::Replaced)] {
        let answer = fixture.ask("GET", index, "").await;
        assert_eq!((status(&answer), body(&answer)), ("410", ""));
        assert_eq!(fixture.state(index), FetchState::Changed(change));
    }
}

#[tokio::test]
async fn a_file_changed_while_it_is_served_is_cut_and_marked() {
    let folder = tempfile::tempdir().unwrap();
    type Happening = fn(&Path);
    let changes: [(Happening, Change); 3] = [
        (
            |path| OpenOptions::new().append(true).open(path).unwrap().write_all(b"x").unwrap(),
            Change::Appended { bytes: 1 },
        ),
        (
            |path| OpenOptions::new().write(true).open(path).unwrap().set_len(9).unwrap(),
            Change::Truncated { bytes: BIG as u64 - 9 },
        ),
        (|path| fs::remove_file(path).unwrap(), Change::Vanished),
    ];
    for (index, (change, wanted)) in changes.into_iter().enumerate() {
        let path = folder.path().join(index.to_string());
        fs::File::create(&path).unwrap().set_len(BIG as u64).unwrap();
        let input = Arc::new(OpenInput::open(&path).unwrap());
        let server = listening().serve(vec![ServedFile { path: capability(index), input }], vec![]).unwrap();
        let mut events = server.events();

        let mut stream = begin(server.local_addr(), &format!("GET {} HTTP/1.1", capability(index).as_str()), "").await;
        stream.read_exact(&mut [0; 1024]).await.unwrap();
        assert_eq!(server.fetches()[0].state, FetchState::Running);
        change(&path);
        let mut rest = Vec::new();
        // Closed or reset: both tell the FHIR server that the content is not whole.
        let _ = stream.read_to_end(&mut rest).await;
        assert!(rest.len() < BIG - 1024, "{wanted:?}");
        assert_eq!(events.recv().await.unwrap().delivery, Delivery::Changed(wanted));
        assert_eq!(server.fetches()[0].state, FetchState::Changed(wanted));
    }
}

#[tokio::test]
async fn the_log_says_who_fetched_what_and_when() {
    let before = SystemTime::now();
    let fixture = serve(&["0123456789", PATIENTS]);
    let mut events = fixture.server.events();
    fixture.ask("HEAD", 0, "").await;
    let head = events.recv().await.unwrap();
    assert_eq!((head.item, head.method, head.bytes), (Item::File(0), http::Method::HEAD, 0));
    assert_eq!(fixture.state(0), FetchState::Never);

    fixture.ask("GET", 0, "Range: bytes=5-\r\n").await;
    let part = events.recv().await.unwrap();
    assert_eq!((part.range, part.bytes, part.delivery), (Some(ByteRange { first: 5, last: 9 }), 5, Delivery::Complete));
    assert!(part.at >= before && part.peer.ip().is_loopback());
    assert_eq!(fixture.state(0), FetchState::Cut);

    fixture.ask("GET", 0, "Range: bytes=0-4\r\n").await;
    let fetches = fixture.server.fetches();
    assert_eq!((fetches[0].gets, fetches[0].bytes, fetches[0].state), (2, 10, FetchState::Complete));
    assert!(fetches[0].first == Some(part.at) && fetches[0].last >= fetches[0].first);
    assert_eq!((fetches[1].gets, fetches[1].first, fetches[1].state), (0, None, FetchState::Never));
}

#[tokio::test]
async fn a_peer_that_hangs_up_makes_a_cut_fetch() {
    let fixture = serve(&[&"x".repeat(BIG)]);
    let mut events = fixture.server.events();
    let mut stream = fixture.begin(0).await;
    stream.read_exact(&mut [0; 1024]).await.unwrap();
    drop(stream);
    let served = events.recv().await.unwrap();
    assert!(served.delivery == Delivery::Cut && served.bytes < BIG as u64, "{served:?}");
    assert_eq!(fixture.state(0), FetchState::Cut);

    fixture.ask("GET", 0, "").await;
    assert_eq!(fixture.state(0), FetchState::Complete);
}

#[tokio::test]
async fn a_peer_that_stops_reading_is_let_go() {
    let fixture = serve_within(Limits { stalled: Duration::from_millis(1), ..LIMITS }, &[&"x".repeat(BIG)]);
    let mut events = fixture.server.events();
    let _unread = fixture.begin(0).await;
    assert_eq!(events.recv().await.unwrap().delivery, Delivery::Cut);
}

#[tokio::test]
async fn a_request_that_never_ends_is_let_go() {
    let fixture = serve_within(Limits { request_head: Duration::from_millis(1), ..LIMITS }, &[]);
    for start in ["", "GET / HTTP/1.1\r\nX: "] {
        let mut stream = TcpStream::connect(fixture.server.local_addr()).await.unwrap();
        stream.write_all(start.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        assert!(!answer.starts_with(b"HTTP/1.1 200"));
    }
}

#[tokio::test]
async fn an_idle_connection_is_let_go() {
    let fixture = serve_within(Limits { request_head: Duration::from_millis(1), ..LIMITS }, &[]);
    let mut stream = TcpStream::connect(fixture.server.local_addr()).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: files\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    // Without `Connection: close`: only the limit ends this.
    let _ = stream.read_to_end(&mut answer).await;
}

#[tokio::test]
async fn strangers_give_way_and_those_who_know_a_path_do_not() {
    let limits = Limits { connections: 2, ..LIMITS };
    let fixture = serve_within(limits, &[&"x".repeat(BIG), PATIENTS]);
    let mut known = fixture.begin(0).await;
    known.read_exact(&mut [0; 1024]).await.unwrap();
    let mut strangers = Vec::new();
    for _ in 0..50 {
        strangers.push(TcpStream::connect(fixture.server.local_addr()).await.unwrap());
    }
    assert_eq!(body(&fixture.ask("GET", 1, "").await), PATIENTS);
    assert_eq!(fixture.state(0), FetchState::Running);
}
