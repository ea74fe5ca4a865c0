//! A running practice server, and what a test may ask it.

use crate::clock::{Clock, MachineClock};
use crate::config::Config;
use crate::connection;
use crate::exchange::{Outcome, Routes, attend, direct};
use crate::ledger::JobRecord;
use crate::personality::{Desk, Opened};
use crate::script::{Endpoint, Script};
use crate::seen::Seen;
use crate::server::Server;
use crate::world::{Surroundings, World};
use bytes::Bytes;
use hyper_util::service::TowerToHyperService;
use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// A running practice server. Dropping it stops it.
pub struct Sandbox {
    server: Arc<Server>,
    desk: Arc<dyn Desk>,
    routes: Routes,
    /// What listens. `None`: it has no socket.
    task: Option<JoinHandle<()>>,
}

/// What a server knows after it was started again. What it stores it always keeps.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Restart {
    /// Its jobs, which go on.
    KeepsJobs,
    /// None of its jobs, running or ended.
    LosesJobs,
}

impl Sandbox {
    /// Starts a server in the current tokio runtime.
    ///
    /// # Errors
    /// The port is taken or may not be used.
    pub async fn start(config: Config) -> io::Result<Self> {
        Self::start_by(config, Arc::new(MachineClock)).await
    }

    /// Starts a server that goes by this clock. Delays and the work of jobs take the machine's time all the same.
    ///
    /// # Errors
    /// The port is taken or may not be used.
    pub async fn start_by(config: Config, clock: Arc<dyn Clock>) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, config.port)).await?;
        let origin = format!("http://{}", listener.local_addr()?);
        let mut sandbox = Self::build(origin, config, Surroundings::network(clock));
        let serving = connection::serve(listener, Arc::clone(&sandbox.server), sandbox.routes.clone());
        sandbox.task = Some(tokio::spawn(serving));
        Ok(sandbox)
    }

    /// A server without a socket, at `http://127.0.0.1:PORT` in name only (port 0 is the usual one). It answers
    /// [`Sandbox::exchange`], needs no runtime, never waits and starts no task.
    pub fn in_process(config: Config, world: World) -> Self {
        let origin = match config.port {
            0 => format!("http://{}", Ipv4Addr::LOCALHOST),
            port => format!("http://{}:{port}", Ipv4Addr::LOCALHOST),
        };
        Self::build(origin, config, Surroundings::from(world))
    }

    fn build(origin: String, config: Config, surroundings: Surroundings) -> Self {
        let root = config.personality.root();
        let server = Arc::new(Server::new(origin, root, config.script, surroundings));
        let Opened { below_base, at_root, desk } = config.personality.open(&server);
        // A router cannot be nested at the root itself.
        let routes = if root.is_empty() { at_root.merge(below_base) } else { at_root.nest(root, below_base) };
        let routes = TowerToHyperService::new(routes);
        Self { server, desk, routes, task: None }
    }

    /// Hands a request to the server and waits for what comes of it. Without a socket that takes no time: a job is
    /// worked off within its kick-off, and a delay is only told.
    pub async fn exchange(&self, request: hyper::Request<Bytes>) -> Outcome {
        Outcome::of(attend(&self.server, &self.routes, direct(request)).await).await
    }

    /// The FHIR base URL a client is given: `http://127.0.0.1:PORT/fhir` for most servers, with the path of the real one
    /// where that matters.
    pub fn base_url(&self) -> String {
        self.server.base.clone()
    }

    /// Every request that reached the server, in order of arrival.
    pub fn log(&self) -> Vec<Seen> {
        self.server.log.all()
    }

    /// How many resources are really stored.
    pub fn stored(&self) -> usize {
        self.server.store.count()
    }

    /// How many resources of this type are really stored.
    pub fn stored_of(&self, ty: &str) -> usize {
        self.server.store.count_of(ty)
    }

    /// How many kick-offs reached the server, whatever became of them.
    pub fn kick_offs(&self) -> usize {
        self.server.log.count(Endpoint::KickOff)
    }

    /// How many jobs were really started. More than one for one intent is the failure this number exists for.
    pub fn jobs(&self) -> usize {
        self.server.ledger.status_urls().len()
    }

    /// The status URLs of the jobs that were really started, as an operator would read them off the server.
    pub fn job_urls(&self) -> Vec<String> {
        self.server.ledger.status_urls()
    }

    /// How many requests for a status reached the server.
    pub fn polls(&self) -> usize {
        self.server.log.count(Endpoint::Poll)
    }

    /// How many requests to cancel reached the server.
    pub fn deletes(&self) -> usize {
        self.server.log.count(Endpoint::Delete)
    }

    /// Behaves differently from now on, except for what jobs that run store. Faults count requests from one again.
    pub fn set_script(&self, script: Script) {
        self.server.set_script(script);
    }

    /// Every job that was really started, in that order, and what became of it by now.
    pub fn job_records(&self) -> Vec<JobRecord> {
        self.server.job_records()
    }

    /// Starts the server again: its connections break. Scripts, the log and the books outlive it.
    pub fn restart(&self, restart: Restart) {
        if restart == Restart::LosesJobs {
            self.desk.lose_jobs();
        }
        self.server.restarted.notify_one();
    }

    /// A job that somebody else started just now, without any input. Its status URL.
    pub fn foreign_job(&self) -> String {
        self.foreign_job_from("http://somebody-else.example")
    }

    /// The same with this `inputSource`, which may be that of another job.
    pub fn foreign_job_from(&self, source: &str) -> String {
        self.desk.foreign_job(source)
    }

    /// Closes every connection and frees the port.
    pub async fn stop(mut self) {
        if let Some(task) = &mut self.task {
            task.abort();
            // Being cancelled is how this task ends.
            let _cancelled = task.await;
        }
    }

    /// Serves until the process ends.
    pub async fn run_forever(mut self) {
        if let Some(task) = &mut self.task {
            // The task neither returns nor panics; a cancelled one has nothing left to serve.
            let _ended = task.await;
        }
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::local::Hand;
    use crate::probe::{get, sandbox};
    use crate::{Personality, Script};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    #[tokio::test]
    async fn a_stopped_server_gives_its_port_back() {
        let config = |port| Config { personality: Personality::Hapi, port, script: Script::default() };
        let first = sandbox(Personality::Hapi, Script::default()).await;
        let port = first.base_url().split([':', '/']).nth(4).unwrap().parse().unwrap();
        assert!(Sandbox::start(config(port)).await.is_err());
        assert_eq!(get(&format!("{}/metadata", first.base_url())).await.status, 200);
        first.stop().await;
        let second = Sandbox::start(config(port)).await.unwrap();
        assert_eq!(second.log().len(), 0);
    }

    #[tokio::test]
    async fn a_restart_breaks_the_connections_there_are() {
        let sandbox = sandbox(Personality::SmartManifest, Script::default()).await;
        let url = format!("{}/metadata", sandbox.base_url());
        let host = url.split('/').nth(2).unwrap();
        let mut open = TcpStream::connect(host).await.unwrap();
        open.write_all(b"GET /fhir/nothing HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
        open.readable().await.unwrap();
        sandbox.restart(Restart::KeepsJobs);
        let mut rest = Vec::new();
        // Without the restart the server would keep this connection and the read would not end.
        let _broken = open.read_to_end(&mut rest).await;
        assert_eq!(get(&url).await.status, 200);
    }

    #[tokio::test]
    async fn a_server_with_a_socket_can_go_by_a_given_clock() {
        let config = Config { personality: Personality::SmartManifest, port: 0, script: Script::default() };
        let clock = Hand::new();
        let sandbox = Sandbox::start_by(config, clock.clone()).await.unwrap();
        clock.pass(2_000);
        let answer = get(&format!("{}/metadata", sandbox.base_url())).await;
        assert_eq!(answer.header("date"), Some("Thu, 01 Jan 2026 00:00:02 GMT"));
        assert_eq!(sandbox.log()[0].at_ms, 2_000);
    }

    #[test]
    fn a_server_can_be_shared_between_threads() {
        fn shared<T: Send + Sync>(_: &T) {}
        shared(&Sandbox::in_process(
            Config { personality: Personality::Hapi, port: 0, script: Script::default() },
            World::default(),
        ));
    }
}
