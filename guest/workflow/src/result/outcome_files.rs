//! `outcome[]` (Bulk Data Access STU4, SMART ping and pull) or `error[]` (drafts of `$bulk-submit`): files of
//! OperationOutcomes of every severity, so that a file alone is no failure.

use serde_json::Value;

use super::{ErrorFile, Offered, Rows};
use crate::dialect::number;
use crate::progress::Tally;

pub(super) fn read(body: &Value, tally: &mut Tally) -> Option<Offered> {
    let rows = |name: &str| body[name].as_array().map(Vec::as_slice);
    let (outcomes, errors) = (rows("outcome"), rows("error"));
    if outcomes.is_none() && errors.is_none() && body["transactionTime"].is_null() {
        return None;
    }
    tally.add_silence();
    let mut offered = Offered { files: Vec::new(), next: next(body) };
    for row in outcomes.into_iter().chain(errors).flatten() {
        let failures = failures(row);
        if let Some(count) = failures {
            tally.add_rejected(None, count);
        }
        let rows = if failures.is_some() { Rows::Counted } else { Rows::Uncounted };
        let empty = failures == Some(0) || row["count"].as_u64() == Some(0);
        offered.files.extend(row["url"].as_str().filter(|_| !empty).map(|url| ErrorFile { url: url.to_owned(), rows }));
    }
    Some(offered)
}

/// Where the next page is (RFC 8288 relation `next`).
fn next(body: &Value) -> Option<String> {
    let links = body["link"].as_array()?;
    Some(links.iter().find(|link| link["relation"] == "next")?["url"].as_str()?.to_owned())
}

/// How many outcomes of the file are errors: an array of codes in STU4, an object in the drafts before it. What is said in
/// another way is not known, and the file tells.
fn failures(row: &Value) -> Option<u64> {
    let counts = [&row["countSeverity"], &row["extension"]["countSeverity"]].into_iter().find(|c| !c.is_null())?;
    match counts {
        Value::Array(codes) if codes.is_empty() => None,
        Value::Array(codes) => {
            let is_failure = |item: &&Value| item["code"] == "error" || item["code"] == "fatal";
            all(codes.iter().filter(is_failure).map(|item| &item["count"]))
        }
        codes => {
            let mut there = ["error", "fatal"].into_iter().filter_map(|code| codes.get(code)).peekable();
            there.peek()?;
            all(there)
        }
    }
}

/// The sum, when each is a number.
fn all<'a>(mut counts: impl Iterator<Item = &'a Value>) -> Option<u64> {
    counts.try_fold(0_u64, |sum, count| Some(sum.saturating_add(number(count)?)))
}
