//! The requests about a job: what asks for its status, what cancels it.

use super::{Ask, AwaitStatus, Cx};
use crate::dialect::CancelShape;
use crate::exchange::{Exchange, Head, KEEP_DOCUMENT};
use crate::template::Job;
use crate::transition::EventKind;
use crate::url::{Place, redact};

impl AwaitStatus {
    pub(super) fn ask(&self, cx: &Cx<'_>) -> Ask {
        let exchange = match self.handle() {
            Some(handle) => poll(cx, handle),
            None => status_request(cx),
        };
        exchange.map_or(Ask::Stay, |exchange| Ask::Send(Exchange { head: Head::SaysAll, ..exchange }))
    }

    /// Whether the server has a request that cancels a job.
    #[must_use]
    pub fn can_be_cancelled(cx: &Cx<'_>) -> bool {
        cx.dialect().is_some_and(|dialect| dialect.cancel.shape != CancelShape::None)
    }

    /// The request that cancels the job; none, where there is no such, or its status URL is not known.
    #[must_use]
    pub fn cancel(&self, cx: &Cx<'_>) -> Option<Exchange> {
        let rule = &cx.dialect()?.cancel;
        match rule.shape {
            CancelShape::Delete | CancelShape::DeleteUntilGone => Some(Exchange::delete(self.handle()?.to_owned())),
            CancelShape::Post => {
                let job = self.job(cx)?;
                let body = rule.body.as_ref().map_or(Ok(String::new()), |body| job.body(body)).ok()?;
                let rules = (&job.dialect.kick_off.content_type, &job.dialect.poll.accept);
                Some(Exchange::post(job.url(rule.url.as_ref()?).ok()?, rules.0, rules.1, body))
            }
            CancelShape::None => None,
        }
    }

    /// The job, as templates tell of it.
    pub(super) fn job<'a>(&'a self, cx: &'a Cx<'_>) -> Option<Job<'a>> {
        Some(Job { handle: self.handle(), ..cx.job()? })
    }
}

/// The request for the status of a job.
fn poll(cx: &Cx<'_>, handle: &str) -> Option<Exchange> {
    let rule = &cx.dialect()?.poll;
    let job = Job { handle: Some(handle), ..cx.job()? };
    let url = rule.url.as_ref().map_or_else(|| Some(handle.to_owned()), |url| job.url(url).ok())?;
    let exchange = match &rule.body {
        Some(body) => Exchange::post(url, &job.dialect.kick_off.content_type, &rule.accept, job.body(body).ok()?),
        None => Exchange::get(url, &rule.accept, KEEP_DOCUMENT),
    };
    Some(exchange.with(rule.headers.rows().map(|(name, value)| (name, value.as_str()))))
}

/// The request for the status URL of a job that was accepted without one.
fn status_request(cx: &Cx<'_>) -> Option<Exchange> {
    let (rule, job) = (cx.dialect()?.poll.status_request.as_ref()?, cx.job()?);
    let exchange =
        Exchange::post(job.url(&rule.url).ok()?, &rule.content_type, &rule.accept, job.body(&rule.body).ok()?);
    Some(exchange.with(rule.prefer.as_deref().map(|prefer| ("prefer", prefer))))
}

/// Where a status URL of the server's is asked for; a name stays as it is.
pub(super) fn placed(cx: &mut Cx<'_>, reference: &str) -> String {
    if cx.dialect().is_some_and(|d| d.poll.url.is_some()) {
        return name_in(cx, reference).unwrap_or(reference).to_owned();
    }
    match cx.plan.base().place(reference) {
        Place::SameOrigin(url) | Place::Foreign(url) => url,
        Place::Rebased(url) => {
            let text =
                format!("the status URL {} is on another origin; asked at {} instead", redact(reference), redact(&url));
            cx.tell(EventKind::Rebased, text);
            url
        }
    }
}

/// The name of a job in the URL that it is asked for at, which is what a person sees.
fn name_in<'a>(cx: &Cx<'_>, reference: &'a str) -> Option<&'a str> {
    let (before, after) = cx.dialect()?.poll.url.as_ref()?.split_once("${job.handle}")?;
    let job = cx.job()?;
    reference.strip_prefix(job.text(before).ok()?.as_str())?.strip_suffix(job.text(after).ok()?.as_str())
}
