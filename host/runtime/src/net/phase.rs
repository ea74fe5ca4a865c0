//! How long each part of an exchange may take.

use std::future::Future;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

/// A limit for every phase of an exchange: a peer that stalls costs its limit, never more.
///
/// [`PhaseLimits::default`] is what [`super::Sender`] is meant to run with; each field says the default and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PhaseLimits {
    /// Name resolution: 5 s, what the resolver of glibc waits for one server's answer.
    pub dns: Duration,
    /// TCP, for each address that is tried: 5 s, which is two lost SYN packets.
    pub connect: Duration,
    /// The TLS handshake: 10 s.
    pub tls: Duration,
    /// From the last piece of the request that was taken for sending to the head of the answer: 90 s. Some servers
    /// hold a status request for up to 60 s.
    pub first_byte: Duration,
    /// Between two pieces of the answer's body: 30 s.
    pub between_bytes: Duration,
    /// The whole exchange, from name resolution to the last byte: 15 min. It bounds peers that send a byte now and
    /// then; set it higher for streams of bulk data.
    pub total: Duration,
}

impl Default for PhaseLimits {
    fn default() -> Self {
        Self {
            dns: Duration::from_secs(5),
            connect: Duration::from_secs(5),
            tls: Duration::from_secs(10),
            first_byte: Duration::from_secs(90),
            between_bytes: Duration::from_secs(30),
            total: Duration::from_mins(15),
        }
    }
}

/// The clock of one exchange.
#[derive(Clone, Copy, Debug)]
pub(super) struct Budget {
    pub(super) limits: PhaseLimits,
    ends: Instant,
}

/// A limit that was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct OutOfTime(pub(super) Duration);

impl Budget {
    pub(super) fn start(limits: PhaseLimits) -> Self {
        Self { limits, ends: Instant::now() + limits.total }
    }

    /// When a phase that began at `begin` must be over: after its own limit, or with the exchange.
    pub(super) fn until(&self, begin: Instant, limit: Duration) -> Instant {
        self.ends.min(begin + limit)
    }

    /// Whether the whole exchange has taken too long. Needed where a peer is never waited for.
    pub(super) fn over(&self) -> Option<OutOfTime> {
        (Instant::now() >= self.ends).then_some(OutOfTime(self.limits.total))
    }

    /// Which limit it was that ended a phase at `at`.
    pub(super) fn reached(&self, at: Instant, limit: Duration) -> OutOfTime {
        OutOfTime(if at >= self.ends { self.limits.total } else { limit })
    }

    /// Runs one phase within its limit.
    pub(super) async fn within<F: Future>(&self, limit: Duration, phase: F) -> Result<F::Output, OutOfTime> {
        let until = self.until(Instant::now(), limit);
        timeout_at(until, phase).await.map_err(|_| self.reached(until, limit))
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;

    const SHORT: Duration = Duration::from_millis(5);

    #[tokio::test]
    async fn a_phase_ends_with_its_limit() {
        let budget = Budget::start(PhaseLimits::default());
        assert_eq!(budget.within(SHORT, pending::<()>()).await, Err(OutOfTime(SHORT)));
    }

    #[tokio::test]
    async fn a_phase_ends_with_the_exchange() {
        let budget = Budget::start(PhaseLimits { total: SHORT, ..PhaseLimits::default() });
        assert_eq!(budget.within(Duration::from_secs(60), pending::<()>()).await, Err(OutOfTime(SHORT)));
    }

    #[tokio::test]
    async fn a_phase_in_time_yields_its_value() {
        let budget = Budget::start(PhaseLimits::default());
        assert_eq!(budget.within(SHORT, async { 7 }).await, Ok(7));
    }
}
