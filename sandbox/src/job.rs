//! Jobs: work of a kick-off, and what a poll may know of it.

use crate::ledger::{Entry, Fate, Worked};
use crate::script::Script;
use crate::server::Server;
use crate::world::Pace;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::AbortHandle;

/// How long a poll that could show the end waits for work that is about to finish. Small imports are over well
/// within it, so that the number of polls they take depends on the script and not on the machine.
const GRACE: Duration = Duration::from_secs(2);

/// What a job ends with.
pub(crate) trait Ending: Send + Sync + 'static {
    /// What the books say of it.
    fn worked(&self) -> Worked;
}

/// A job that ends with an `E`.
pub(crate) struct Job<E> {
    pub(crate) entry: Arc<Entry>,
    end: watch::Receiver<Option<Arc<E>>>,
    /// `None`: the work is done within the kick-off.
    task: Option<AbortHandle>,
}

impl<E> Job<E> {
    /// The end, if the work is over or about to be.
    pub(crate) async fn end(&self) -> Option<Arc<E>> {
        if self.task.is_none() {
            return self.end.borrow().clone();
        }
        let mut end = self.end.clone();
        let over = tokio::time::timeout(GRACE, end.wait_for(Option::is_some)).await;
        over.ok()?.ok()?.clone()
    }
}

/// A job nobody can ask for any more stops working.
impl<E> Drop for Job<E> {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

/// A poll that found its job.
pub(crate) struct Poll<E> {
    pub(crate) job: Arc<Job<E>>,
    /// Which poll of this job it is, from 1.
    pub(crate) number: u32,
    age_ms: u64,
}

impl<E> Poll<E> {
    /// The end, if the script lets this poll see it.
    pub(crate) async fn end(&self, script: &Script) -> Option<Arc<E>> {
        if script.due(self.number - 1, self.age_ms) { self.job.end().await } else { None }
    }

    /// How much of a job is done whose length is a time. `None`: its length is a number of polls.
    pub(crate) fn percent_of_time(&self, script: &Script) -> Option<u64> {
        script.job_ms.map(|length| (self.age_ms.saturating_mul(100) / length.max(1)).min(99))
    }
}

/// Why a kick-off started no job.
pub(crate) enum Unstarted<E> {
    /// This one makes it needless.
    Known(Arc<Job<E>>),
    /// The script leaves no place for one more.
    Full,
}

/// Jobs with their ids, oldest first.
type Known<E> = Vec<(String, Arc<Job<E>>)>;

/// The jobs a server knows.
pub(crate) struct Jobs<E> {
    server: Arc<Server>,
    all: Mutex<Known<E>>,
}

impl<E: Ending> Jobs<E> {
    pub(crate) fn new(server: &Arc<Server>) -> Self {
        Self { server: Arc::clone(server), all: Mutex::default() }
    }

    /// Starts work under an id, unless one of the jobs there are is `known` to be the wanted one, or there is no
    /// place.
    pub(crate) async fn start(
        &self,
        id: String,
        entry: Entry,
        known: impl Fn(&Entry, &Entry) -> bool,
        work: impl Future<Output = E> + Send + 'static,
    ) -> Result<(), Unstarted<E>> {
        // Who owns time also waits for the work: then it is over before the kick-off is answered.
        if let Some(work) = self.enter(id, entry, known, work)? {
            work.await;
        }
        Ok(())
    }

    /// Enters a job, and hands back the work where nobody does it yet.
    fn enter(
        &self,
        id: String,
        entry: Entry,
        known: impl Fn(&Entry, &Entry) -> bool,
        work: impl Future<Output = E> + Send + 'static,
    ) -> Result<Option<impl Future<Output = ()> + Send + 'static>, Unstarted<E>> {
        let mut all = self.lock();
        if let Some(job) = all.iter().map(|(_, job)| job).find(|job| known(&job.entry, &entry)) {
            return Err(Unstarted::Known(Arc::clone(job)));
        }
        if full(&all, &self.server.script()) {
            return Err(Unstarted::Full);
        }
        let (entry, (done, end)) = (Arc::new(entry), watch::channel(None));
        let booked = Arc::clone(&entry);
        let work = async move {
            let end = work.await;
            booked.worked(end.worked());
            done.send_replace(Some(Arc::new(end)));
        };
        self.server.ledger.add(Arc::clone(&entry));
        let (task, work) = match self.server.pace {
            Pace::Waits => (Some(tokio::spawn(work).abort_handle()), None),
            Pace::Tells => (None, Some(work)),
        };
        all.push((id, Arc::new(Job { entry, end, task })));
        Ok(work)
    }

    /// Enters a job whose work is over already.
    pub(crate) fn enter_done(&self, id: String, entry: Entry, end: E) {
        let entry = Arc::new(entry);
        entry.worked(end.worked());
        self.server.ledger.add(Arc::clone(&entry));
        let (_, end) = watch::channel(Some(Arc::new(end)));
        self.lock().push((id, Arc::new(Job { entry, end, task: None })));
    }

    /// Counts a poll. `None`: no such job, or one the script forgets.
    pub(crate) fn poll(&self, id: &str) -> Option<Poll<E>> {
        let (job, script) = (self.find(id)?, self.server.script());
        let expired = script.forget_after_end.is_some_and(|most| job.entry.ends_shown() >= most);
        if expired || script.forget_jobs_after_polls.is_some_and(|most| job.entry.polls() >= most) {
            self.forget(id, Fate::Lost);
            return None;
        }
        let number = job.entry.poll();
        let age_ms = job.entry.age_ms(self.server.now());
        Some(Poll { job, number, age_ms })
    }

    pub(crate) fn find(&self, id: &str) -> Option<Arc<Job<E>>> {
        self.lock().iter().find(|(known, _)| known == id).map(|(_, job)| Arc::clone(job))
    }

    /// The jobs that are known, oldest first.
    pub(crate) fn all(&self) -> Vec<Arc<Job<E>>> {
        self.lock().iter().map(|(_, job)| Arc::clone(job)).collect()
    }

    /// The entries of the jobs that are known, oldest first.
    pub(crate) fn list(&self) -> Vec<Arc<Entry>> {
        self.lock().iter().map(|(_, job)| Arc::clone(&job.entry)).collect()
    }

    /// Stops and forgets a job. Whether there was one.
    pub(crate) fn forget(&self, id: &str, why: Fate) -> bool {
        let gone: Known<E> = self.lock().extract_if(.., |(known, _)| known == id).collect();
        self.stop(&gone, why);
        !gone.is_empty()
    }

    /// Stops a job that stays known, unless it is over. What it was before. `None`: no such job.
    pub(crate) fn cancel(&self, id: &str) -> Option<Fate> {
        let (job, script, now) = (self.find(id)?, self.server.script(), self.server.now());
        let before = job.entry.fate(&script, now);
        job.entry.stop(Fate::Cancelled, &script, now);
        if let (Fate::Running, Some(task)) = (before, &job.task) {
            task.abort();
        }
        Some(before)
    }

    /// Forgets every job, as a restart does that keeps none.
    pub(crate) fn lose(&self) {
        let gone = std::mem::take(&mut *self.lock());
        self.stop(&gone, Fate::Lost);
    }

    fn stop(&self, gone: &Known<E>, why: Fate) {
        let (script, now) = (self.server.script(), self.server.now());
        gone.iter().for_each(|(_, job)| job.entry.stop(why, &script, now));
    }

    fn lock(&self) -> MutexGuard<'_, Known<E>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether the script leaves no place for one more job. One whose end was shown has left its place.
fn full<E>(all: &Known<E>, script: &Script) -> bool {
    let running = all.iter().filter(|(_, job)| job.entry.takes_a_place()).count();
    script.max_concurrent.is_some_and(|most| running >= most as usize)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::MachineClock;
    use crate::intake::Tally;
    use crate::ledger::Starter;
    use crate::world::Surroundings;
    use bytes::Bytes;
    use std::time::SystemTime;

    impl Ending for i32 {
        fn worked(&self) -> Worked {
            Worked::Done(Tally::default())
        }
    }

    fn jobs(script: Script) -> Jobs<i32> {
        let surroundings = Surroundings::network(Arc::new(MachineClock));
        Jobs::new(&Arc::new(Server::new("http://a".to_owned(), "/fhir", script, surroundings)))
    }

    async fn start(jobs: &Jobs<i32>, id: &str) -> bool {
        let entry = Entry::new(Starter::KickOff, id.to_owned(), Bytes::new(), SystemTime::now());
        jobs.start(id.to_owned(), entry, |_, _| false, async { 7 }).await.is_ok()
    }

    #[tokio::test]
    async fn polls_are_counted_until_the_job_is_forgotten() {
        let jobs = jobs(Script { forget_jobs_after_polls: Some(2), ..Script::default() });
        assert!(start(&jobs, "a").await);
        assert_eq!(jobs.poll("a").unwrap().number, 1);
        let poll = jobs.poll("a").unwrap();
        assert_eq!((poll.number, *poll.job.end().await.unwrap()), (2, 7));
        assert!(jobs.poll("a").is_none() && jobs.find("a").is_none());
    }

    #[tokio::test]
    async fn a_job_keeps_its_place_until_its_end_was_shown() {
        let jobs = jobs(Script { max_concurrent: Some(1), ..Script::default() });
        assert!(start(&jobs, "a").await);
        assert!(!start(&jobs, "b").await);
        jobs.find("a").unwrap().entry.show_end();
        assert!(start(&jobs, "b").await);
    }
}
