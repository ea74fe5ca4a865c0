//! The outbound network: one exchange to an allowed place, with a limit on every phase.
//!
//! An exchange passes, in this order:
//!
//! 1. [`request_url`]: one parser, and anything that two parsers could read differently is refused;
//! 2. [`AllowList::check`]: what the operator did not type is denied;
//! 3. name resolution, once; a host that was allowed by a pattern is only dialled at public addresses ([`is_public`]),
//!    and exactly a checked address is dialled;
//! 4. TCP, TLS ([`TlsRoots`]), request, answer: a fresh connection for each exchange, so that nothing is ever sent twice.
//!
//! Redirects are answers: nothing here follows them. Every failure is a [`NetError`], which knows whether the request
//! may have been sent.

mod address;
mod body;
mod dial;
mod error;
mod exchange;
mod failure;
mod origin;
mod phase;
mod policy;
mod request;
mod resolve;
mod sender;
#[cfg(test)]
mod testing;
mod tls;
mod wire;

pub use address::is_public;
pub use body::TimedBody;
pub use error::{NetError, NetErrorKind, Phase};
pub use origin::{Origin, OriginError, redact_url};
pub use phase::PhaseLimits;
pub use policy::{AllowList, Denied, Permission};
pub(crate) use request::host_header;
pub use request::request_url;
pub use sender::Sender;
pub use tls::{TlsRoots, TlsRootsError};
pub use wire::{Carried, Carrying, Wire};
