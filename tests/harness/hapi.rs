//! A real HAPI FHIR server, built by Maven from `tests/servers/hapi` and run as one child process for all tests.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, ErrorKind, Read, Seek, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, anyhow, bail, ensure};

/// A start takes 15 to 20 s on two idle cores; a machine that builds at the same time takes far longer.
const START_LIMIT: Duration = Duration::from_secs(240);
const HOOK_LIMIT: Duration = Duration::from_secs(30);
const TAIL_LINES: usize = 60;

/// Newer than the last build, and Maven runs again.
const SOURCES: [&str; 3] =
    ["pom.xml", "src/main/java/org/fhirimport/testserver/HapiServer.java", "src/main/resources/logback.xml"];

/// A quick start matters and long-run speed does not: the simple compiler alone halves the processor time of a start.
const JVM_FLAGS: [&str; 3] = ["-Xmx1g", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"];

/// The running server. It ends with this process, however that ends, because its standard input does.
pub(crate) struct Hapi {
    base: String,
    base_without_import: String,
    authority: String,
    integrity: Mutex<()>,
    /// Owns the other end of the server's standard input.
    _server: Child,
}

/// While this lives, no other test changes the server's referential integrity.
#[must_use = "the setting is only guaranteed while this lives"]
pub(crate) struct IntegrityHeld<'a> {
    _guard: MutexGuard<'a, ()>,
}

impl Hapi {
    /// The server of this test process, built and started by whichever test asks first.
    ///
    /// # Panics
    /// When it cannot be built or started, with the tail of what Maven or the server said; later tests fail with the
    /// same message at once.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: OnceLock<Result<Hapi>> = OnceLock::new();
        match SHARED.get_or_init(|| start(&build()?)) {
            Ok(hapi) => hapi,
            Err(error) => panic!("no HAPI server: {error:#}"),
        }
    }

    /// The FHIR base with bulk import: `http://127.0.0.1:PORT/fhir`.
    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    /// The FHIR base of the same storage with bulk import switched off.
    pub(crate) fn base_without_import(&self) -> &str {
        &self.base_without_import
    }

    /// Turns the check of references on or off (it starts on). One storage serves all tests, so every test whose
    /// outcome depends on the check sets it, and keeps others from changing it until the answer is dropped.
    pub(crate) fn set_referential_integrity(&self, on: bool) -> Result<IntegrityHeld<'_>> {
        // A test that failed while it held the setting has left nothing half done.
        let guard = self.integrity.lock().unwrap_or_else(PoisonError::into_inner);
        self.post(&format!("/test/refint?on={on}"))?;
        Ok(IntegrityHeld { _guard: guard })
    }

    /// Cancels a job by its `_jobId`, as an administrator would: no REST call of HAPI does it.
    pub(crate) fn cancel_job(&self, id: &str) -> Result<()> {
        self.post(&format!("/test/cancel?id={id}"))
    }

    /// Calls a test hook of the server.
    fn post(&self, target: &str) -> Result<()> {
        let mut stream = TcpStream::connect(&self.authority)?;
        stream.set_read_timeout(Some(HOOK_LIMIT))?;
        write!(stream, "POST {target} HTTP/1.1\r\nHost: {}\r\n", self.authority)?;
        write!(stream, "Content-Length: 0\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).with_context(|| format!("HAPI did not answer POST {target}"))?;
        ensure!(answer.starts_with("HTTP/1.1 200 "), "HAPI refused POST {target}: {answer}");
        Ok(())
    }
}

/// Builds the server unless an earlier build is newer than its sources; returns the folder with the jars.
fn build() -> Result<PathBuf> {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("servers/hapi");
    let scratch = Path::new(env!("CARGO_TARGET_TMPDIR"));
    // Another test process may be building; closing the file unlocks it.
    let lock = File::create(scratch.join("hapi.lock"))?;
    lock.lock()?;
    let folder = scratch.join("hapi");
    let stamp = folder.join("built");
    if is_current(&stamp, &sources)? {
        return Ok(folder);
    }
    match fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error).context("removing the old HAPI build"),
        _ => {} // jars of an older HAPI must not stay on the class path
    }
    run_maven(&sources, &folder)?;
    File::create(stamp)?; // last, because a build that was interrupted leaves jars as well
    Ok(folder)
}

/// Whether a finished build exists and no source is newer.
fn is_current(stamp: &Path, sources: &Path) -> Result<bool> {
    let Ok(built) = modified(stamp) else { return Ok(false) };
    for source in SOURCES {
        if modified(&sources.join(source))? > built {
            return Ok(false);
        }
    }
    Ok(true)
}

fn modified(path: &Path) -> Result<SystemTime> {
    fs::metadata(path).and_then(|file| file.modified()).with_context(|| format!("reading {}", path.display()))
}

/// Packages the server into `folder`. The first time, Maven downloads about 340 MB.
fn run_maven(sources: &Path, folder: &Path) -> Result<()> {
    let mut maven = Command::new("mvn");
    maven.args(["-q", "-B", "-Dstyle.color=never", "package", "-f"]).arg(sources.join("pom.xml"));
    maven.arg(format!("-DbuildDirectory={}", folder.display())).stdin(Stdio::null());
    let Output { status, stdout, stderr } = maven.output().context("cannot run mvn, which builds HAPI (Maven 3.8)")?;
    ensure!(status.success(), "Maven failed with {status}\n{}\n{}", tail(&stdout), tail(&stderr));
    Ok(())
}

/// Starts the server and waits until it serves.
fn start(folder: &Path) -> Result<Hapi> {
    let class_path = std::env::join_paths([folder.join("hapi-server.jar"), folder.join("lib/*")])?;
    let mut log = tempfile::tempfile()?;
    let mut java = Command::new("java");
    java.args(JVM_FLAGS).arg("-cp").arg(class_path).arg("org.fhirimport.testserver.HapiServer");
    java.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log.try_clone()?);
    let mut server = java.spawn().context("cannot run java, which HAPI runs on (JDK 17)")?;
    match await_ready(&mut server) {
        Ok(base) => hapi(server, base),
        Err(error) => {
            server.kill().and_then(|()| server.wait()).context("cannot stop a HAPI that did not start")?;
            let mut said = Vec::new();
            log.rewind().and_then(|()| log.read_to_end(&mut said))?;
            bail!("{error:#}\n{}", tail(&said))
        }
    }
}

/// Waits for the one line the server prints, `READY <base>`, and returns the base.
fn await_ready(server: &mut Child) -> Result<String> {
    let stdout = server.stdout.take().expect("stdout was asked to be piped");
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut line = String::new();
        let read = BufReader::new(stdout).read_line(&mut line).map(|_| line);
        sender.send(read).ok(); // nobody listens any more when the limit has passed
    });
    let line = receiver.recv_timeout(START_LIMIT).map_err(|_| anyhow!("not ready after {START_LIMIT:?}"))??;
    let base = line.trim_end().strip_prefix("READY ");
    base.map(str::to_owned).with_context(|| format!("it ended before it was ready; stdout: {line:?}"))
}

fn hapi(server: Child, base: String) -> Result<Hapi> {
    let root = base.strip_suffix("/fhir").with_context(|| format!("unexpected base {base}"))?;
    let authority = root.strip_prefix("http://").with_context(|| format!("unexpected base {base}"))?.to_owned();
    let base_without_import = format!("{root}/fhir-without-import");
    Ok(Hapi { base, base_without_import, authority, integrity: Mutex::new(()), _server: server })
}

/// The last lines of what a program said.
fn tail(said: &[u8]) -> String {
    let text = String::from_utf8_lossy(said);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
}
