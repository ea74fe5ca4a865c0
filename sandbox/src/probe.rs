//! A tiny raw HTTP client and a tiny file server for the tests: what goes over the wire, with nothing in between.

use crate::{Config, Personality, Sandbox, Script};
use serde_json::Value;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// One answer as it came, or what came of it.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON in {self:?}"))
    }

    pub(crate) fn diagnostics(&self, issue: usize) -> String {
        self.json()["issue"][issue]["diagnostics"].as_str().unwrap_or_default().to_owned()
    }
}

/// Sends one request on its own connection. `None`: the server closed it without an answer.
pub(crate) async fn send(method: &str, url: &str, headers: &[(&str, &str)], body: &str) -> Option<Answer> {
    let (host, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let mut request = format!("{method} /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n");
    for (name, value) in headers {
        request += &format!("{name}: {value}\r\n");
    }
    request += &format!("Content-Length: {}\r\n\r\n{body}", body.len());
    let mut stream = TcpStream::connect(host).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    // A connection cut on purpose ends with an error here; what came before it is the answer.
    let _cut = stream.read_to_end(&mut bytes).await;
    let split = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&bytes[..split]).into_owned();
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let answer = Answer { status, head, body: bytes[split + 4..].to_vec() };
    match answer.header("transfer-encoding") {
        Some("chunked") => Some(Answer { body: unchunk(&answer.body), ..answer }),
        _ => Some(answer),
    }
}

/// The content of a chunked body, which ends with the chunk of length zero.
fn unchunk(mut rest: &[u8]) -> Vec<u8> {
    let mut content = Vec::new();
    while let Some(end) = rest.windows(2).position(|window| window == b"\r\n") {
        let length = usize::from_str_radix(std::str::from_utf8(&rest[..end]).unwrap(), 16).unwrap();
        if length == 0 {
            break;
        }
        content.extend(&rest[end + 2..end + 2 + length]);
        rest = &rest[end + 2 + length + 2..];
    }
    content
}

/// `GET` that expects an answer.
pub(crate) async fn get(url: &str) -> Answer {
    send("GET", url, &[], "").await.expect("an answer")
}

pub(crate) async fn sandbox(personality: Personality, script: Script) -> Sandbox {
    Sandbox::start(Config { personality, port: 0, script }).await.unwrap()
}

/// Files by path, served with a content type until dropped with the runtime.
pub(crate) struct Files {
    pub(crate) base: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Files {
    pub(crate) async fn serve(content_type: &'static str, files: &[(&str, &str)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let files: HashMap<String, String> =
            files.iter().map(|(path, text)| (format!("/{path}"), (*text).to_owned())).collect();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                offer(stream, content_type, &files, &log).await;
            }
        });
        Self { base, asked }
    }

    /// The requests for a file, each as its head.
    pub(crate) fn asked(&self, path: &str) -> Vec<String> {
        let asked = self.asked.lock().unwrap();
        asked.iter().filter(|head| head.starts_with(&format!("GET /{path} "))).cloned().collect()
    }
}

async fn offer(stream: TcpStream, content_type: &str, files: &HashMap<String, String>, log: &Mutex<Vec<String>>) {
    let mut stream = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") && stream.read_line(&mut head).await.unwrap() > 0 {}
    let file = files.get(head.split(' ').nth(1).unwrap());
    log.lock().unwrap().push(head);
    let (status, text) = file.map_or(("404 Not Found", ""), |text| ("200 OK", text.as_str()));
    let length = text.len();
    let answer = format!("HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\n\r\n{text}");
    stream.write_all(answer.as_bytes()).await.unwrap();
}
