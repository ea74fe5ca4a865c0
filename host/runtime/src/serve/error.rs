//! Why the file server cannot start.

use std::net::SocketAddr;
use std::{error, fmt, io};

use super::CapabilityPath;

/// The file server cannot start.
#[derive(Debug)]
#[non_exhaustive]
pub enum ServeError {
    /// The advertised URL cannot be the root of the URLs given to the FHIR server.
    Advertise {
        /// Its host, if it has one.
        host: Option<String>,
        /// What is wrong with it.
        problem: AdvertiseProblem,
    },
    /// The address cannot be listened on.
    Bind {
        /// The address.
        address: SocketAddr,
        /// The operating system's reason.
        error: io::Error,
    },
    /// Two things to serve have one path.
    SamePath {
        /// The path.
        path: CapabilityPath,
    },
}

/// What is wrong with an advertised URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdvertiseProblem {
    /// It holds a user name or a password.
    Credentials,
    /// It has a query or a fragment.
    Query,
    /// It is neither `http` nor `https`.
    Scheme,
}

impl fmt::Display for AdvertiseProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Credentials => "must not hold a user name or password",
            Self::Query => "must not have a query (?…) or fragment (#…)",
            Self::Scheme => "must begin with http:// or https://",
        })
    }
}

impl fmt::Display for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Advertise { host, problem } => {
                write!(f, "the advertised URL of {} {problem}", host.as_deref().unwrap_or("no host"))
            }
            Self::Bind { address, error } => write!(f, "cannot listen on {address}{}", bind_advice(error.kind())),
            Self::SamePath { path } => write!(f, "two files would be served as {path:?}"),
        }
    }
}

fn bind_advice(kind: io::ErrorKind) -> &'static str {
    match kind {
        io::ErrorKind::AddrInUse => ": another program uses the port; stop it, or choose another one",
        io::ErrorKind::AddrNotAvailable => ": no network interface of this machine has that address; try 0.0.0.0",
        io::ErrorKind::PermissionDenied => ": ports below 1024 need privileges; choose a higher one",
        _ => "",
    }
}

impl error::Error for ServeError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Bind { error, .. } => Some(error),
            Self::Advertise { .. } | Self::SamePath { .. } => None,
        }
    }
}
