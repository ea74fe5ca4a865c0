//! A server that does not exist: Riverside Clinical Store, as `examples/dialects/riverside.toml` describes it. Nothing of
//! the product is in it, and nothing of it is in the product.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::SystemTime;

use fhir_import_workflow::instant;
use serde_json::{Value, json};

/// How it misbehaves.
#[derive(Clone, Default)]
pub(crate) struct Habits {
    /// How often a load is asked for before it has ended.
    pub(crate) polls: usize,
    /// The ids of resources that are refused.
    pub(crate) refuses: &'static [&'static str],
    /// The first load is accepted, and the answer never sent.
    pub(crate) loses_an_answer: bool,
}

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) line: String,
    pub(crate) headers: Vec<String>,
    pub(crate) body: Value,
}

#[derive(Default)]
struct Store {
    habits: Habits,
    asked: Vec<Asked>,
    loads: Vec<Load>,
    resources: BTreeMap<String, Value>,
}

struct Load {
    began: String,
    files: Vec<Value>,
    polls: usize,
    stopped: bool,
}

/// A running server; it ends when it is dropped.
pub(crate) struct Riverside {
    port: u16,
    store: Arc<Mutex<Store>>,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Riverside {
    pub(crate) fn start(habits: Habits) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let store = Arc::new(Mutex::new(Store { habits, ..Store::default() }));
        let over = Arc::new(AtomicBool::new(false));
        let (stored, ended) = (Arc::clone(&store), Arc::clone(&over));
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming().take_while(|_| !ended.load(Ordering::Relaxed)) {
                // A caller that went away has its answer lost.
                let _ = stream.and_then(|stream| receive(stream, &stored));
            }
        });
        Self { port, store, over, thread: Some(thread) }
    }

    pub(crate) fn base_url(&self) -> String {
        format!("http://127.0.0.1:{}/fhir", self.port)
    }

    /// What it was asked, and that begins like this.
    pub(crate) fn asked(&self, line: &str) -> Vec<Asked> {
        let store = self.store.lock().unwrap();
        store.asked.iter().filter(|asked| asked.line.starts_with(line)).cloned().collect()
    }

    /// How many loads there are.
    pub(crate) fn loads(&self) -> usize {
        self.store.lock().unwrap().loads.len()
    }

    /// How many resources it has.
    pub(crate) fn stored(&self) -> usize {
        self.store.lock().unwrap().resources.len()
    }
}

impl Drop for Riverside {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

fn receive(stream: TcpStream, store: &Mutex<Store>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 || line == "\r\n" {
            break;
        }
        lines.push(line.trim_end().to_ascii_lowercase());
        if lines.len() == 1 {
            lines[0] = line.trim_end().to_owned();
        }
    }
    let length = lines.iter().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body)?;
    let Some((line, headers)) = lines.split_first() else { return Ok(()) };
    let asked = Asked {
        line: line.clone(),
        headers: headers.to_vec(),
        body: serde_json::from_slice(&body).unwrap_or_default(),
    };
    match store.lock().unwrap().answer(asked) {
        Some((status, body)) => answer(reader.into_inner(), status, &body),
        None => Ok(()),
    }
}

fn answer(mut stream: TcpStream, status: u16, body: &Value) -> std::io::Result<()> {
    let (date, body) = (httpdate::fmt_http_date(SystemTime::now()), body.to_string());
    write!(
        stream,
        "HTTP/1.1 {status} -\r\nDate: {date}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: \
         close\r\n\r\n{body}",
        body.len()
    )
}

impl Store {
    /// The answer, unless it is lost.
    fn answer(&mut self, asked: Asked) -> Option<(u16, Value)> {
        let line = asked.line.clone();
        let body = asked.body.clone();
        self.asked.push(asked);
        let mut words = line.split(' ');
        let (method, target) = (words.next()?, words.next()?);
        let path: Vec<&str> = target.trim_start_matches('/').split('/').collect();
        match (method, &path[..]) {
            ("POST", ["bulk", "v1", "north", "loads"]) => self.load(&body),
            ("GET", ["bulk", "v1", "north", "loads"]) => Some((200, json!({ "loads": self.list() }))),
            ("GET", ["bulk", "v1", "north", "loads", number]) => Some(self.status(number)),
            ("POST", ["bulk", "v1", "north", "loads", number, "stop"]) => Some(self.stop(number)),
            ("GET", ["fhir", rest @ ..]) => Some(self.read(&rest.join("/"))),
            _ => Some((404, json!({ "problem": "NOT_HERE" }))),
        }
    }

    fn load(&mut self, body: &Value) -> Option<(u16, Value)> {
        let parts = body["parameter"].as_array().cloned().unwrap_or_default();
        let part = |file: &Value, name: &str, value: &str| {
            let parts = file["part"].as_array()?.clone();
            Some(parts.iter().find(|part| part["name"] == name)?[value].as_str()?.to_owned())
        };
        let mut files = Vec::new();
        for file in parts.iter().filter(|part| part["name"] == "file") {
            let (kind, url) = (part(file, "holds", "valueCode"), part(file, "location", "valueUri"));
            let Some((kind, url)) = kind.zip(url) else {
                return Some((400, json!({ "problem": "FILE_WITHOUT_PARTS" })));
            };
            files.push(self.fetch(&kind, &url));
        }
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        let began = instant::format(u64::try_from(now.as_millis()).unwrap());
        self.loads.push(Load { began, files, polls: 0, stopped: false });
        let lost = self.habits.loses_an_answer && self.loads.len() == 1;
        (!lost).then(|| (201, json!({ "load": { "number": format!("L-{}", self.loads.len()) } })))
    }

    fn fetch(&mut self, kind: &str, url: &str) -> Value {
        let (mut added, mut refused) = (0, 0);
        for line in super::http::get(url).body.lines() {
            let resource: Value = serde_json::from_str(line).unwrap();
            let id = resource["id"].as_str().unwrap();
            if self.habits.refuses.contains(&id) {
                refused += 1;
            } else {
                added += 1;
                self.resources.insert(format!("{kind}/{id}"), resource.clone());
            }
        }
        json!({ "url": url, "added": added, "replaced": 0, "refused": refused })
    }

    fn list(&self) -> Vec<Value> {
        let loads = self.loads.iter().enumerate();
        loads.map(|(index, load)| json!({ "number": format!("L-{}", index + 1), "began": load.began })).collect()
    }

    fn find(&mut self, number: &str) -> Option<&mut Load> {
        let number: usize = number.strip_prefix("L-")?.parse().ok()?;
        self.loads.get_mut(number.checked_sub(1)?)
    }

    fn status(&mut self, number: &str) -> (u16, Value) {
        let polls = self.habits.polls;
        let Some(load) = self.find(number) else { return (404, json!({ "problem": "NO_SUCH_LOAD" })) };
        load.polls += 1;
        let refused = load.files.iter().any(|file| file["refused"] != 0);
        let state = match (load.stopped, load.polls > polls, refused) {
            (true, ..) => "STOPPED",
            (_, false, _) if load.polls == 1 => "QUEUED",
            (_, false, _) => "LOADING",
            (_, true, false) => "LOADED",
            (_, true, true) => "PARTLY_LOADED",
        };
        let files = if state.ends_with("LOADED") { json!(load.files) } else { json!([]) };
        (200, json!({ "load": { "number": number, "state": state, "files": files } }))
    }

    fn stop(&mut self, number: &str) -> (u16, Value) {
        let Some(load) = self.find(number) else { return (404, json!({ "problem": "NO_SUCH_LOAD" })) };
        load.stopped = true;
        (202, json!({ "load": { "number": number, "state": "STOPPED" } }))
    }

    fn read(&self, target: &str) -> (u16, Value) {
        if let Some((kind, _)) = target.split_once("?_summary=count") {
            let total = self.resources.keys().filter(|name| name.starts_with(&format!("{kind}/"))).count();
            return (200, json!({ "resourceType": "Bundle", "type": "searchset", "total": total }));
        }
        match self.resources.get(target) {
            Some(resource) => (200, resource.clone()),
            None => (404, json!({ "resourceType": "OperationOutcome", "issue": [] })),
        }
    }
}
