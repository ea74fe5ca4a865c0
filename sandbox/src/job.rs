//! Jobs: work in the background, and what a poll may know of it.

use crate::script::Script;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};
use tokio::sync::watch;
use tokio::task::AbortHandle;

/// How long a poll that could show the end waits for work that is about to finish. Small imports are over well
/// within it, so that the number of polls they take depends on the script and not on the machine.
const GRACE: Duration = Duration::from_secs(2);

/// A job that ends with an `E`.
pub(crate) struct Job<E> {
    /// When the kick-off was accepted.
    pub(crate) created: SystemTime,
    polls: AtomicU32,
    end_shown: AtomicBool,
    end: watch::Receiver<Option<Arc<E>>>,
    task: AbortHandle,
}

impl<E> Job<E> {
    /// The end, if the work is over or about to be.
    pub(crate) async fn end(&self) -> Option<Arc<E>> {
        let mut end = self.end.clone();
        let over = tokio::time::timeout(GRACE, end.wait_for(Option::is_some)).await;
        over.ok()?.ok()?.clone()
    }

    /// Notes that a client has been told how the job ended, which frees its place.
    pub(crate) fn show_end(&self) {
        self.end_shown.store(true, Ordering::Relaxed);
    }
}

/// A job nobody can ask for any more stops working.
impl<E> Drop for Job<E> {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The jobs a server knows, by id.
pub(crate) struct Jobs<E> {
    all: Mutex<HashMap<String, Arc<Job<E>>>>,
}

impl<E: Send + Sync + 'static> Jobs<E> {
    pub(crate) fn new() -> Self {
        Self { all: Mutex::default() }
    }

    /// Starts work under an id.
    pub(crate) fn start(&self, id: String, work: impl Future<Output = E> + Send + 'static) {
        let (done, end) = watch::channel(None);
        let task = tokio::spawn(async move { done.send_replace(Some(Arc::new(work.await))) }).abort_handle();
        let (polls, end_shown) = (AtomicU32::new(0), AtomicBool::new(false));
        let job = Job { created: SystemTime::now(), polls, end_shown, end, task };
        self.lock().insert(id, Arc::new(job));
    }

    /// Counts a poll and says which one it was, from 1. `None`: no such job, or one the script forgets.
    pub(crate) fn poll(&self, id: &str, script: &Script) -> Option<(Arc<Job<E>>, u32)> {
        let job = self.find(id)?;
        let number = job.polls.fetch_add(1, Ordering::Relaxed) + 1;
        if script.forget_jobs_after_polls.is_some_and(|most| number > most) {
            self.forget(id);
            return None;
        }
        Some((job, number))
    }

    pub(crate) fn find(&self, id: &str) -> Option<Arc<Job<E>>> {
        self.lock().get(id).cloned()
    }

    /// Stops and forgets a job. Whether there was one.
    pub(crate) fn forget(&self, id: &str) -> bool {
        self.lock().remove(id).is_some()
    }

    /// Whether the script leaves no place for one more job.
    pub(crate) fn full(&self, script: &Script) -> bool {
        let running = self.lock().values().filter(|job| !job.end_shown.load(Ordering::Relaxed)).count();
        script.max_concurrent.is_some_and(|most| running >= most as usize)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Arc<Job<E>>>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn polls_are_counted_until_the_job_is_forgotten() {
        let jobs = Jobs::new();
        let script = Script { forget_jobs_after_polls: Some(2), ..Script::default() };
        jobs.start("a".to_owned(), async { 7 });
        assert_eq!(jobs.poll("a", &script).unwrap().1, 1);
        let (job, number) = jobs.poll("a", &script).unwrap();
        assert_eq!((number, *job.end().await.unwrap()), (2, 7));
        assert!(jobs.poll("a", &script).is_none() && jobs.find("a").is_none());
    }

    #[tokio::test]
    async fn a_job_keeps_its_place_until_its_end_was_shown() {
        let jobs = Jobs::new();
        let script = Script { max_concurrent: Some(1), ..Script::default() };
        jobs.start("a".to_owned(), async { 7 });
        assert!(jobs.full(&script));
        jobs.find("a").unwrap().show_end();
        assert!(!jobs.full(&script));
    }
}
