//! The error files of a job are read, a bounded piece a step. Whole ones are the host's to stream into `records`.

use fhir_import_records::Triage;
use serde::{Deserialize, Serialize};

use super::await_status::job_over;
use super::{Ask, Cx, Reply, State};
use crate::exchange::{Answer, Exchange, FailureKind};
use crate::progress::CLASSES;
use crate::transition::{EventKind, Wake};

/// Error files that are read; the counts of all of them are in the manifest.
const MAX_FILES: usize = 12;
/// The longest URL that is kept.
const MAX_URL: usize = 512;
/// The longest entity tag that is kept.
const MAX_TAG: usize = 256;
/// Read of a file at a time.
const PIECE: u64 = 256 << 10;
/// Read of a file at most.
const MAX_READ: u64 = 4 << 20;
/// How often a piece is asked for.
const ATTEMPTS: u32 = 3;

/// The error files of a job are read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ReadErrors {
    /// Still to be read, the current one last.
    files: Vec<String>,
    offset: u64,
    etag: Option<String>,
    failures: u32,
    due: Option<Wake>,
}

/// A piece of an error file.
struct Piece<'a> {
    bytes: &'a [u8],
    /// Where the next one starts; none at the end.
    next: Option<u64>,
}

impl ReadErrors {
    /// Starts with the first file.
    pub fn enter(cx: &mut Cx<'_>, offered: Vec<String>) -> State {
        let all = offered.len();
        let mut files: Vec<String> = offered.into_iter().filter(|url| url.len() <= MAX_URL).take(MAX_FILES).collect();
        if files.len() < all {
            cx.tell(EventKind::ErrorFile, format!("{} of {all} error files are read here", files.len()));
        }
        if files.is_empty() {
            return job_over(cx);
        }
        files.reverse();
        State::ReadErrors(Self { files, offset: 0, etag: None, failures: 0, due: None })
    }

    /// When it goes on.
    #[must_use]
    pub fn due(&self) -> Option<&Wake> {
        self.due.as_ref()
    }

    pub(super) fn ask(&self, cx: &mut Cx<'_>) -> Ask {
        let Some(url) = self.files.last() else { return Ask::Become(job_over(cx)) };
        let url = match cx.plan.base().place(url) {
            crate::url::Place::Rebased(url) | crate::url::Place::SameOrigin(url) | crate::url::Place::Foreign(url) => {
                url
            }
        };
        let keep = usize::try_from(PIECE).unwrap_or(usize::MAX);
        let mut exchange = Exchange::get(url, "application/fhir+ndjson, application/json;q=0.5", keep);
        exchange.headers.push(("range", format!("bytes={}-{}", self.offset, self.offset.saturating_add(PIECE - 1))));
        exchange.headers.extend(self.etag.clone().map(|etag| ("if-match", etag)));
        Ask::Send(exchange)
    }

    pub(super) fn answered(self, cx: &mut Cx<'_>, reply: Reply) -> State {
        match reply {
            Ok(answer) if self.fits(&answer) => self.read(cx, &answer),
            Ok(answer) if answer.status == 416 => self.next_file(cx, "read to its end"),
            Ok(answer) if matches!(answer.status, 429 | 500..) => self.again(cx, Some(&answer)),
            Ok(answer) => {
                let text = format!("cannot be read: the server answers {}", answer.status);
                self.next_file(cx, &text)
            }
            Err(failure) if matches!(failure.kind, FailureKind::Denied | FailureKind::Tls) => {
                self.next_file(cx, &format!("cannot be read: {}", failure.text))
            }
            Err(_) => self.again(cx, None),
        }
    }

    /// The answer holds what was asked for: a piece from the offset on, or the whole file instead of its first piece.
    fn fits(&self, answer: &Answer) -> bool {
        match answer.status {
            200 => self.offset == 0,
            206 => content_range(answer).is_none_or(|(start, _)| start == self.offset),
            _ => false,
        }
    }

    fn again(self, cx: &mut Cx<'_>, answer: Option<&Answer>) -> State {
        let failures = self.failures.saturating_add(1);
        if failures >= ATTEMPTS {
            return self.next_file(cx, "cannot be read: the server does not answer");
        }
        let wake = cx.back_off(answer, failures);
        State::ReadErrors(Self { failures, due: Some(wake), ..self })
    }

    fn read(self, cx: &mut Cx<'_>, answer: &Answer) -> State {
        let piece = self.piece(answer);
        let mut triage = Triage::new(CLASSES);
        // Where rows point to is for whoever holds the input files; here the kinds count.
        let _ = triage.feed(piece.bytes);
        cx.progress.tally.add_errors(triage.finish().classes);
        match piece.next {
            Some(next) if next < MAX_READ => {
                let etag = answer.header("etag").filter(|tag| is_strong(tag)).map(str::to_owned);
                State::ReadErrors(Self { offset: next, etag, failures: 0, due: None, ..self })
            }
            Some(_) => self.next_file(cx, "read in part: it is longer than what is read here"),
            None => self.next_file(cx, "read to its end"),
        }
    }

    /// Whole lines only, so that nothing of a line must be remembered; a line longer than a piece is passed over.
    fn piece<'a>(&self, answer: &'a Answer) -> Piece<'a> {
        let body = answer.body.as_slice();
        let end = self.offset.saturating_add(body.len() as u64);
        let last = match content_range(answer) {
            _ if answer.status == 200 => true,
            Some((_, Some(total))) => end >= total,
            Some((_, None)) | None => (body.len() as u64) < PIECE,
        };
        if body.is_empty() || (last && !answer.cut) {
            return Piece { bytes: body, next: None };
        }
        let lines = body.iter().rposition(|b| *b == b'\n').map_or(0, |i| i + 1);
        let read = if lines == 0 { body.len() } else { lines };
        let next = (answer.status == 206).then(|| self.offset.saturating_add(read as u64));
        Piece { bytes: &body[..lines], next: next.or(Some(MAX_READ)) }
    }

    fn next_file(mut self, cx: &mut Cx<'_>, how: &str) -> State {
        let url = self.files.pop().unwrap_or_default();
        cx.tell(EventKind::ErrorFile, format!("error file {} {how}", crate::url::redact(&url)));
        if self.files.is_empty() {
            return job_over(cx);
        }
        State::ReadErrors(Self { offset: 0, etag: None, failures: 0, due: None, ..self })
    }
}

/// `Content-Range: bytes START-END/TOTAL`, the total `*` when the server does not know it (RFC 9110 §14.4).
fn content_range(answer: &Answer) -> Option<(u64, Option<u64>)> {
    let (range, total) = answer.header("content-range")?.strip_prefix("bytes ")?.split_once('/')?;
    let (start, _) = range.split_once('-')?;
    Some((start.trim().parse().ok()?, total.trim().parse().ok()))
}

/// If-Match compares strongly, so a weak tag would never match (RFC 9110 §13.1.1).
fn is_strong(tag: &str) -> bool {
    tag.starts_with('"') && tag.len() <= MAX_TAG
}
