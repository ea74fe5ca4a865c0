//! The file server over real sockets, asked in raw bytes: a client library would tidy up what must be refused.

use std::fs;
use std::path::PathBuf;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::*;

mod answers;
mod deliveries;

const ANY_PORT: &str = "127.0.0.1:0";
const PATIENTS: &str = "{\"resourceType\":\"Patient\"}\n";
/// More than the socket buffers of both sides hold, so that its answer stays under way while nobody reads.
const BIG: usize = 64 * 1024 * 1024;

struct Fixture {
    folder: tempfile::TempDir,
    server: FileServer,
}

/// Serves contents as `/00…01/0.ndjson`, `/00…02/1.ndjson` …
fn serve(contents: &[&str]) -> Fixture {
    serve_within(LIMITS, contents)
}

fn serve_within(limits: Limits, contents: &[&str]) -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let files = contents.iter().enumerate().map(|(index, content)| {
        let file = folder.path().join(index.to_string());
        fs::write(&file, content).unwrap();
        ServedFile { path: capability(index), input: Arc::new(OpenInput::open(&file).unwrap()) }
    });
    let files = files.collect();
    let server = listening().serve_within(limits, files, Vec::new()).unwrap();
    Fixture { folder, server }
}

fn listening() -> Listening {
    Listening::bind(ANY_PORT.parse().unwrap(), None).unwrap()
}

fn capability(index: usize) -> CapabilityPath {
    CapabilityPath::new((index as u128 + 1).to_be_bytes(), &format!("{index}.ndjson")).unwrap()
}

impl Fixture {
    fn path(&self, index: usize) -> PathBuf {
        self.folder.path().join(index.to_string())
    }

    async fn ask(&self, method: &str, index: usize, headers: &str) -> String {
        ask(self.server.local_addr(), &format!("{method} {} HTTP/1.1", capability(index).as_str()), headers).await
    }

    async fn begin(&self, index: usize) -> TcpStream {
        begin(self.server.local_addr(), &format!("GET {} HTTP/1.1", capability(index).as_str()), "").await
    }

    fn state(&self, index: usize) -> FetchState {
        self.server.fetches()[index].state
    }
}

async fn begin(address: SocketAddr, request_line: &str, headers: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("{request_line}\r\nHost: files\r\nConnection: close\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

async fn ask(address: SocketAddr, request_line: &str, headers: &str) -> String {
    let mut answer = Vec::new();
    // A reset after the answer ends it as well.
    let _ = begin(address, request_line, headers).await.read_to_end(&mut answer).await;
    String::from_utf8(answer).unwrap()
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or("no answer")
}

fn body(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").unwrap().1
}

fn field<'a>(answer: &'a str, name: &str) -> Option<&'a str> {
    let head = answer.split_once("\r\n\r\n").unwrap().0;
    head.lines()
        .filter_map(|line| line.split_once(": "))
        .find(|(found, _)| found.eq_ignore_ascii_case(name))
        .map(|(_, value)| value)
}
