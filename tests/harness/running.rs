//! A command that runs: what it has said so far, signals to it, and how it left.

use std::io::Read;
use std::process::{Child, Command};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::harness::cli::Ran;

/// How long something may take that only a broken program does not do.
pub(crate) const LONG: Duration = Duration::from_secs(90);

/// A command that runs. It is killed when dropped.
pub(crate) struct Running {
    child: Child,
    stdout: Heard,
    stderr: Heard,
}

impl Running {
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let stdout = Heard::of(child.stdout.take().unwrap());
        let stderr = Heard::of(child.stderr.take().unwrap());
        Self { child, stdout, stderr }
    }

    /// What it has said on stderr by now.
    pub(crate) fn talk(&self) -> String {
        self.stderr.text()
    }

    /// Waits until it has said something on stderr, or left. Whether it said it.
    pub(crate) fn says(&mut self, words: &str) -> bool {
        let limit = Instant::now() + LONG;
        while !self.talk().contains(words) {
            if self.has_left() {
                return self.talk().contains(words);
            }
            assert!(Instant::now() < limit, "{words:?} is not said:\n{}", self.talk());
            std::thread::sleep(Duration::from_millis(5));
        }
        true
    }

    /// Whether it has left by itself.
    pub(crate) fn has_left(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Sends a signal by its name.
    pub(crate) fn signal(&self, name: &str) {
        let send = format!("kill -{name} {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &send]).status().unwrap().success(), "{send}");
    }

    /// Ends it with SIGKILL, as a crash does: it cannot say or store another word.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits for its end. `None`: it is still there when the time is up.
    pub(crate) fn left_within(&mut self, limit: Duration) -> Option<Ran> {
        let until = Instant::now() + limit;
        while !self.has_left() {
            if Instant::now() > until {
                return None;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        let code = self.child.wait().unwrap().code().unwrap_or(-1);
        Some(Ran { code, stdout: self.stdout.all(), stderr: self.stderr.all() })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _over = self.child.kill().and_then(|()| self.child.wait());
    }
}

/// What came out of a pipe.
struct Heard {
    bytes: Arc<Mutex<Vec<u8>>>,
    reader: Option<std::thread::JoinHandle<()>>,
}

impl Heard {
    fn of(mut pipe: impl Read + Send + 'static) -> Self {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&bytes);
        let reader = std::thread::spawn(move || {
            let mut part = [0; 4096];
            while let Ok(read @ 1..) = pipe.read(&mut part) {
                heard.lock().unwrap().extend_from_slice(&part[..read]);
            }
        });
        Self { bytes, reader: Some(reader) }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes.lock().unwrap()).into_owned()
    }

    /// Everything, once the pipe is closed.
    fn all(&mut self) -> String {
        if let Some(reader) = self.reader.take() {
            reader.join().unwrap();
        }
        self.text()
    }
}

/// Waits until something is so.
///
/// # Panics
/// When it is not so for long.
#[track_caller]
pub(crate) fn until(what: &str, mut so: impl FnMut() -> bool) {
    let limit = Instant::now() + LONG;
    while !so() {
        assert!(Instant::now() < limit, "it did not come to be: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Does the same with several things, a few at a time, each on a thread of its own where it may block. The practice
/// servers live in the runtime this is called from.
pub(crate) async fn each<T: Send + 'static>(things: Vec<T>, at_once: usize, act: fn(T)) {
    let (places, mut running) = (Arc::new(tokio::sync::Semaphore::new(at_once)), tokio::task::JoinSet::new());
    for thing in things {
        let place = Arc::clone(&places).acquire_owned().await.unwrap();
        running.spawn_blocking(move || {
            act(thing);
            drop(place);
        });
    }
    // The others go on while their servers do: a command without its server waits for hours.
    let mut broken = None;
    while let Some(done) = running.join_next().await {
        broken = broken.or(done.err());
    }
    if let Some(error) = broken {
        std::panic::resume_unwind(error.into_panic());
    }
}
