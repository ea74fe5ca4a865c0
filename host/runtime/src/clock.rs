//! Time as the host sees it, and waiting. A test brings its own.

mod not_before;
mod system;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

pub use not_before::not_before;
pub use system::SystemClock;

/// A wait.
pub type Sleep<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// Time and waiting.
pub trait Clock: Send + Sync {
    /// Now, in Unix milliseconds. It never runs backwards.
    fn now_ms(&self) -> u64;

    /// Waits until a time.
    fn sleep_until(&self, at_ms: u64) -> Sleep<'_>;
}

/// A clock that several parts look at.
pub type SharedClock = Arc<dyn Clock>;

/// A clock that stands still until somebody waits: then it is as late as was waited for.
#[derive(Debug, Default)]
pub struct VirtualClock {
    now_ms: AtomicU64,
}

impl VirtualClock {
    /// A clock that shows a time.
    #[must_use]
    pub fn at(now_ms: u64) -> Self {
        Self { now_ms: AtomicU64::new(now_ms) }
    }
}

impl Clock for VirtualClock {
    fn now_ms(&self) -> u64 {
        self.now_ms.load(Ordering::SeqCst)
    }

    fn sleep_until(&self, at_ms: u64) -> Sleep<'_> {
        self.now_ms.fetch_max(at_ms, Ordering::SeqCst);
        Box::pin(std::future::ready(()))
    }
}
