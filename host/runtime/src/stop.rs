//! Asking a drive to stop at the next place where everything is stored.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

/// A request to stop, shared by those who ask and those who look.
#[derive(Debug, Clone)]
pub struct Stop {
    sender: Arc<watch::Sender<bool>>,
}

impl Default for Stop {
    fn default() -> Self {
        Self { sender: Arc::new(watch::Sender::new(false)) }
    }
}

impl Stop {
    /// Asks.
    pub fn request(&self) {
        self.sender.send_replace(true);
    }

    /// Whether somebody asked.
    #[must_use]
    pub fn requested(&self) -> bool {
        *self.sender.borrow()
    }

    /// Waits for something, but not longer than until somebody asks. Answers whether somebody asked.
    pub async fn unless(&self, wait: impl Future<Output = ()>) -> bool {
        let mut receiver = self.sender.subscribe();
        tokio::select! {
            biased;
            _ = receiver.wait_for(|asked| *asked) => true,
            () = wait => self.requested(),
        }
    }

    /// Does something to its end, unless somebody asks, or asked: then it is dropped after `grace`, and answers none.
    pub async fn within<T>(&self, grace: Duration, work: impl Future<Output = T>) -> Option<T> {
        let mut receiver = self.sender.subscribe();
        let over = async {
            // The sender is ours, so the channel stays open.
            let _asked = receiver.wait_for(|asked| *asked).await;
            if !grace.is_zero() {
                tokio::time::sleep(grace).await;
            }
        };
        tokio::select! {
            biased;
            done = work => Some(done),
            () = over => None,
        }
    }
}
