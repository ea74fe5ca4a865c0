//! A practice FHIR server with the import behaviour of real ones.
//!
//! It is written from evidence: what running servers answered, and where none runs, what its specification says. It
//! knows nothing of the client it is used to test, so the two cannot share a mistake. It listens on the loopback
//! address, keeps everything in memory, and really fetches, stores and serves what it is asked to import.
//!
//! A [`Script`] makes it late, forgetful, broken or untruthful. [`Sandbox::log`] says what really reached it, and
//! [`Sandbox::stored`] what it really holds: a test asks these, never the client.

mod clock;
mod connection;
mod cut;
mod fetch;
mod front;
mod identity;
mod intake;
mod job;
mod json;
mod outcome;
mod personality;
#[cfg(test)]
mod probe;
mod r4;
mod reply;
mod resource;
mod rest;
mod script;
mod seen;
mod server;
mod store;

pub use personality::{Personality, UnknownPersonality};
pub use script::{Action, Canned, Endpoint, Fault, Script};
pub use seen::Seen;

use axum::Router;
use server::Server;
use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// Which server to be, where, and how badly to behave.
#[derive(Clone, Debug)]
pub struct Config {
    /// The server to behave like.
    pub personality: Personality,
    /// The port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// Deviations from an honest, healthy server.
    pub script: Script,
}

/// A running practice server. Dropping it stops it.
pub struct Sandbox {
    server: Arc<Server>,
    task: JoinHandle<()>,
}

impl Sandbox {
    /// Starts a server in the current tokio runtime.
    ///
    /// # Errors
    /// The port is taken or may not be used.
    pub async fn start(config: Config) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, config.port)).await?;
        let base = format!("http://{}/fhir", listener.local_addr()?);
        let server = Arc::new(Server::new(base, config.script));
        let router = Router::new().nest("/fhir", config.personality.routes(&server));
        let task = tokio::spawn(connection::serve(listener, Arc::clone(&server), router));
        Ok(Self { server, task })
    }

    /// The FHIR base URL: `http://127.0.0.1:PORT/fhir`.
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
        self.server.accepted().len()
    }

    /// The status URLs of the jobs that were really started, as an operator would read them off the server.
    pub fn job_urls(&self) -> Vec<String> {
        self.server.accepted()
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

    /// Closes every connection and frees the port.
    pub async fn stop(mut self) {
        self.task.abort();
        // Being cancelled is how this task ends.
        let _cancelled = (&mut self.task).await;
    }

    /// Serves until the process ends.
    pub async fn run_forever(mut self) {
        // The task neither returns nor panics; a cancelled one has nothing left to serve.
        let _ended = (&mut self.task).await;
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::{get, sandbox};

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
}
