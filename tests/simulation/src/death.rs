//! The sudden death of the client's process.

use std::sync::Arc;

use tokio::sync::watch;

/// Tells that the process dies now. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Death(Arc<watch::Sender<u32>>);

impl Default for Death {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(0)))
    }
}

impl Death {
    /// The process dies. Whoever runs it drops all that it was doing.
    pub fn comes(&self) {
        self.0.send_modify(|came| *came += 1);
    }

    /// How often it died so far.
    #[must_use]
    pub fn came(&self) -> u32 {
        *self.0.borrow()
    }

    /// What a dead process does.
    pub async fn forever<T>(&self) -> T {
        self.comes();
        std::future::pending().await
    }

    /// Runs a life until its end or its death.
    pub async fn or<T>(&self, life: impl Future<Output = T>) -> Option<T> {
        let before = self.came();
        let mut receiver = self.0.subscribe();
        tokio::select! {
            biased;
            lived = life => Some(lived).filter(|_| self.came() == before),
            _ = receiver.wait_for(|came| *came > before) => None,
        }
    }
}
