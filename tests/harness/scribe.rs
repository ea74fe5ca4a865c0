//! A server that writes down the bytes of each request and gives each the same answer.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// Listens on a free port of 127.0.0.1 until it is dropped.
pub(crate) struct Scribe {
    port: u16,
    came: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

impl Scribe {
    /// Answers with these header lines and this body.
    pub(crate) async fn start(headers: &str, body: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n{headers}\r\n{body}", body.len());
        let came = Arc::new(Mutex::new(Vec::new()));
        let task = tokio::spawn(listen(listener, answer, Arc::clone(&came)));
        Self { port, came, task }
    }

    /// The root, without a slash at its end.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Head and body of each request.
    pub(crate) fn came(&self) -> Vec<String> {
        self.came.lock().unwrap().clone()
    }
}

impl Drop for Scribe {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn listen(listener: TcpListener, answer: String, came: Arc<Mutex<Vec<String>>>) {
    while let Ok((mut stream, _)) = listener.accept().await {
        let request = read(&mut stream).await;
        came.lock().unwrap().push(request);
        // Who hung up has no need of an answer.
        let _ = stream.write_all(answer.as_bytes()).await;
    }
}

async fn read(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let mut part = [0; 4096];
    while wanted(&bytes).is_none_or(|length| bytes.len() < length) {
        match stream.read(&mut part).await {
            Ok(read @ 1..) => bytes.extend_from_slice(&part[..read]),
            _ => break,
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The length of the whole request, once its head is there.
fn wanted(bytes: &[u8]) -> Option<usize> {
    let head = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let text = String::from_utf8_lossy(&bytes[..head]).to_ascii_lowercase();
    let length = text.lines().find_map(|line| line.strip_prefix("content-length: "));
    Some(head + length.and_then(|length| length.trim().parse::<usize>().ok()).unwrap_or(0))
}
