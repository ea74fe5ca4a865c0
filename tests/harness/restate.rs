//! Restate's real server: one node, or three that replicate. `xtask test` installs it.

use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::harness::cli::target;
use crate::harness::engine::EngineServer;
use crate::harness::http;
use crate::harness::running::{LONG, Running};

const SERVER: &str = "engines/restate/node_modules/@restatedev/restate-server-linux-x64/bin/restate-server";

/// The server's program.
fn server() -> PathBuf {
    let path = target().join(SERVER);
    assert!(path.is_file(), "{} is not installed; run: cargo xtask test", path.display());
    path
}

/// One node.
pub(crate) fn alone(home: &Path) -> EngineServer {
    cluster(home, 1)
}

/// Three nodes, of which each write needs two.
pub(crate) fn three(home: &Path) -> EngineServer {
    cluster(home, 3)
}

fn cluster(home: &Path, count: usize) -> EngineServer {
    let ports: Vec<Ports> = (0..count).map(|_| Ports::free()).collect();
    for number in 0..count {
        std::fs::write(config(home, number), configuration(home, number, &ports)).unwrap();
    }
    let mut processes: Vec<Running> = (0..count).map(|number| run(home, number)).collect();
    processes.iter_mut().enumerate().for_each(|(number, process)| ready(home, number, process));
    let workers = free_port();
    let address = json!({
        "ingress": format!("http://127.0.0.1:{}", ports[0].ingress),
        "admin": format!("http://127.0.0.1:{}", ports[0].admin),
        "workers": format!("http://127.0.0.1:{workers}"),
        "listen": format!("127.0.0.1:{workers}"),
    });
    let home = home.to_owned();
    EngineServer { processes, address: address.to_string(), again: Box::new(move |number| again(&home, number)) }
}

/// Starts a node again, with what it had stored, and waits until it answers.
fn again(home: &Path, number: usize) -> Running {
    let mut process = run(home, number);
    ready(home, number, &mut process);
    process
}

fn run(home: &Path, number: usize) -> Running {
    let mut command = Command::new(server());
    command.args(["--no-logo", "--config-file"]).arg(config(home, number));
    command.env("RESTATE_LOG_FILTER", "warn").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    Running::start(command)
}

fn ready(home: &Path, number: usize, process: &mut Running) {
    let config: toml::Table = std::fs::read_to_string(config(home, number)).unwrap().parse().unwrap();
    let address = |part: &str| config[part]["bind-address"].as_str().unwrap().to_owned();
    let limit = Instant::now() + LONG;
    while !(answers(&address("admin"), "health") && answers(&address("ingress"), "restate/health")) {
        assert!(!process.has_left() && Instant::now() < limit, "Restate: {}", process.talk());
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn answers(address: &str, path: &str) -> bool {
    TcpStream::connect(address).is_ok() && http::get(&format!("http://{address}/{path}")).status == 200
}

fn config(home: &Path, number: usize) -> PathBuf {
    home.join(format!("node-{number}.toml"))
}

fn configuration(home: &Path, number: usize, ports: &[Ports]) -> String {
    let own = ports[number];
    let peers: Vec<_> = ports.iter().map(|node| format!("\"http://127.0.0.1:{}\"", node.fabric)).collect();
    let copies = ports.len().div_ceil(2);
    format!(
        r#"
cluster-name = "{cluster}"
node-name = "node-{number}"
base-dir = "{home}"
auto-provision = {provisions}
default-replication = {copies}
default-num-partitions = 4
listen-mode = "tcp"
bind-ip = "127.0.0.1"
bind-port = {fabric}
advertised-host = "127.0.0.1"
disable-telemetry = true
rocksdb-total-memory-size = "128MiB"
[metadata-client]
addresses = [{peers}]
[ingress]
bind-address = "127.0.0.1:{ingress}"
[admin]
bind-address = "127.0.0.1:{admin}"
"#,
        cluster = format_args!("test-{}", ports[0].fabric),
        home = home.display(),
        provisions = number == 0,
        fabric = own.fabric,
        peers = peers.join(", "),
        ingress = own.ingress,
        admin = own.admin,
    )
}

#[derive(Clone, Copy)]
struct Ports {
    fabric: u16,
    ingress: u16,
    admin: u16,
}

impl Ports {
    fn free() -> Self {
        Self { fabric: free_port(), ingress: free_port(), admin: free_port() }
    }
}

/// A port that nobody listens on right now. Node numbers its peers by address, so they must be known before it starts.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
