//! Serving the local files of an import.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use url::Host;

use super::options::ServeOptions;
use super::{RunError, Server};
use crate::contract::{Phase, Status};
use crate::serve::Listening;

/// Whether the FHIR server may still fetch files, so that whoever serves them must stay.
#[must_use]
pub fn needs_files(status: &Status) -> bool {
    match status.phase {
        Phase::Cancelling | Phase::Verifying | Phase::Done => false,
        Phase::ReadingResult => status.jobs_done + 1 < status.jobs,
        Phase::Detecting | Phase::ReadyToSubmit | Phase::Submitting | Phase::Running | Phase::Paused => true,
    }
}

/// Where to listen, when local files are to be served.
pub(super) fn listen(server: &Server, wanted: Option<&ServeOptions>) -> Result<Listening, RunError> {
    let options = match wanted {
        Some(options) => options.clone(),
        None if server.is_loopback() => ServeOptions { bind: SocketAddr::new(loopback(server), 0), advertise: None },
        None => return Err(RunError::NotServed { server: server.shown() }),
    };
    if options.bind.ip().is_unspecified() && options.advertise.is_none() {
        return Err(RunError::NotAdvertised { bind: options.bind });
    }
    Listening::bind(options.bind, options.advertise).map_err(RunError::Serve)
}

/// The loopback address that the server's own name speaks of.
fn loopback(server: &Server) -> IpAddr {
    match server.url().host() {
        Some(Host::Ipv6(_)) => Ipv6Addr::LOCALHOST.into(),
        _ => Ipv4Addr::LOCALHOST.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_on_another_machine_must_be_told_where_the_files_are() {
        let server = Server::parse("https://fhir.example.org/fhir").unwrap();
        assert!(matches!(listen(&server, None), Err(RunError::NotServed { .. })));
        let everywhere = ServeOptions { bind: "0.0.0.0:0".parse().unwrap(), advertise: None };
        assert!(matches!(listen(&server, Some(&everywhere)), Err(RunError::NotAdvertised { .. })));
    }

    #[tokio::test]
    async fn a_server_on_this_machine_gets_a_free_loopback_port() {
        let server = Server::parse("http://localhost:8080/fhir").unwrap();
        let listening = listen(&server, None).unwrap();
        assert!(listening.local_addr().ip().is_loopback() && listening.local_addr().port() != 0);
    }
}
