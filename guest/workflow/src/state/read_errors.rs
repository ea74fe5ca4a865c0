//! The error files of a job are read, a bounded piece a step, and a bounded part of each.

use fhir_import_records::{IssueSeverity, Triage};
use serde::Serialize;
use serde_json::Value;

use super::job_over::job_over;
use super::{Ask, Cx, Reply, State};
use crate::exchange::{Answer, Exchange, FailureKind};
use crate::json::read::read_object;
use crate::progress::CLASSES;
use crate::result::{ErrorFile, Rows};
use crate::transition::{EventKind, Wake};

/// Error files that are read; most results count the errors of all of them.
const MAX_FILES: usize = 12;
/// What their URLs may take of a checkpoint, in bytes.
const MAX_URLS: usize = 6_200;
/// The longest entity tag that is kept.
const MAX_TAG: usize = 256;
/// Read of a file at a time.
const PIECE: u64 = 256 << 10;
/// Read of a file at most.
const MAX_READ: u64 = 4 << 20;
/// How often a piece is asked for.
const ATTEMPTS: u32 = 3;

/// The error files of a job are read.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ReadErrors {
    /// Still to be read, the current one last.
    files: Vec<ErrorFile>,
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
    pub fn enter(cx: &mut Cx<'_>, offered: Vec<ErrorFile>) -> State {
        let mut files = keep(cx, offered);
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
        let Some(file) = self.files.last() else { return Ask::Become(job_over(cx)) };
        let url = match cx.plan.base().place(&file.url) {
            crate::url::Place::Rebased(url) | crate::url::Place::SameOrigin(url) | crate::url::Place::Foreign(url) => {
                url
            }
        };
        let keep = usize::try_from(PIECE).unwrap_or(usize::MAX);
        let range = format!("bytes={}-{}", self.offset, self.offset.saturating_add(PIECE - 1));
        let exchange = Exchange::get(url, "application/fhir+ndjson, application/json;q=0.5", keep);
        let exchange = exchange.with([("range", range.as_str())]);
        Ask::Send(exchange.with(self.etag.as_deref().map(|etag| ("if-match", etag))))
    }

    pub(super) fn answered(self, cx: &mut Cx<'_>, reply: Reply) -> State {
        match reply {
            Ok(answer) if self.fits(&answer) => self.read(cx, &answer),
            Ok(answer) if answer.status == 416 => self.next_file(cx, "read to its end"),
            Ok(answer) if matches!(answer.status, 429 | 500..) => self.again(cx, Some(&answer)),
            Ok(answer) => {
                let text = format!("cannot be read: the server answers {}", answer.status);
                self.unreadable(cx, &text)
            }
            Err(failure) if matches!(failure.kind, FailureKind::Denied | FailureKind::Tls) => {
                self.unreadable(cx, &format!("cannot be read: {}", failure.text))
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
            return self.unreadable(cx, "cannot be read: the server does not answer");
        }
        let wake = cx.back_off(answer, failures);
        State::ReadErrors(Self { failures, due: Some(wake), ..self })
    }

    fn read(self, cx: &mut Cx<'_>, answer: &Answer) -> State {
        let piece = self.piece(answer);
        let mut triage = Triage::new(CLASSES);
        // Where rows point to is for whoever holds the input files; here the kinds count.
        let _ = triage.feed(piece.bytes);
        let read = triage.finish();
        if self.is_uncounted() {
            cx.progress.tally.add_rejected(None, read.failures);
        }
        // Some servers write down in the same file what went well.
        let mut classes = read.classes;
        classes.retain(|class| class.severity != IssueSeverity::Information);
        cx.progress.tally.add_errors(classes);
        match piece.next {
            Some(_) if piece.bytes.is_empty() && self.is_uncounted() => {
                self.unreadable(cx, "read in part: a line is longer than what is read at once")
            }
            Some(next) if next < MAX_READ => {
                let etag = answer.header("etag").filter(|tag| is_strong(tag)).map(str::to_owned);
                State::ReadErrors(Self { offset: next, etag, failures: 0, due: None, ..self })
            }
            Some(_) => self.unreadable(cx, "read in part: it is longer than what is read here"),
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

    /// Whether only the file itself tells of its errors.
    fn is_uncounted(&self) -> bool {
        self.files.last().is_some_and(|file| file.rows == Rows::Uncounted)
    }

    /// What only this file counts is not known, or not all of it.
    fn unreadable(self, cx: &mut Cx<'_>, how: &str) -> State {
        if self.is_uncounted() {
            cx.progress.tally.add_unread();
        }
        self.next_file(cx, how)
    }

    fn next_file(mut self, cx: &mut Cx<'_>, how: &str) -> State {
        let url = self.files.pop().map(|file| file.url).unwrap_or_default();
        cx.tell(EventKind::ErrorFile, format!("error file {} {how}", crate::url::redact(&url)));
        if self.files.is_empty() {
            return job_over(cx);
        }
        State::ReadErrors(Self { offset: 0, etag: None, failures: 0, due: None, ..self })
    }
}

/// Those that can be remembered until they are read; what only the others tell is not known.
pub(super) fn keep(cx: &mut Cx<'_>, offered: Vec<ErrorFile>) -> Vec<ErrorFile> {
    let (all, mut room, mut kept) = (offered.len(), MAX_URLS, Vec::new());
    for file in offered {
        let length = Value::from(file.url.as_str()).to_string().len();
        if kept.len() < MAX_FILES && length <= room {
            room -= length;
            kept.push(file);
        } else if file.rows == Rows::Uncounted {
            cx.progress.tally.add_unread();
        }
    }
    if kept.len() < all {
        cx.tell(EventKind::ErrorFile, format!("{} of {all} error files are read here", kept.len()));
    }
    kept
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

read_object!(ReadErrors { files, offset, etag, failures, due });
