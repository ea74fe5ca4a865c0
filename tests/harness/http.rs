//! The smallest HTTP client: what a server answers, byte for byte, without any of the project's own code between.

use std::io::{Read, Write};
use std::net::TcpStream;

use url::Url;

/// An answer as it came.
#[derive(Debug)]
pub(crate) struct Raw {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Raw {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(':'));
        lines.into_iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }
}

pub(crate) fn get(url: &str) -> Raw {
    send("GET", url, "")
}

pub(crate) fn delete(url: &str) -> Raw {
    send("DELETE", url, "")
}

/// Sends JSON, or nothing.
pub(crate) fn post(url: &str, json: &str) -> Raw {
    send("POST", url, json)
}

fn send(method: &str, url: &str, json: &str) -> Raw {
    let url: Url = url.parse().unwrap();
    let authority = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap());
    let mut stream = TcpStream::connect(&authority).unwrap();
    let target = &url[url::Position::BeforePath..url::Position::AfterQuery];
    let kind = if json.is_empty() { "" } else { "Content-Type: application/json\r\n" };
    let head = format!("{method} {target} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n{kind}");
    write!(stream, "{head}Content-Length: {}\r\n\r\n{json}", json.len()).unwrap();
    let mut text = Vec::new();
    stream.read_to_end(&mut text).unwrap();
    let text = String::from_utf8_lossy(&text);
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.split(' ').nth(1).and_then(|s| s.parse().ok()).unwrap();
    Raw { status, head: head.to_owned(), body: body.to_owned() }
}
