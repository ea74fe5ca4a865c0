//! `output[]` and `error[]`, a row an input or a part of one.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{ErrorFile, Offered, Rows, source, types};
use crate::plan::Plan;
use crate::progress::Tally;

pub(super) fn read(body: &Value, plan: &Plan, tally: &mut Tally) -> Option<Offered> {
    let (types, mut seen) = (types(plan), BTreeSet::new());
    for row in body["output"].as_array()? {
        match count(row)? {
            Some(count) => tally.add_imported(types.get(source(row)).copied(), count),
            None => tally.add_silence(),
        }
    }
    let mut offered = Offered::default();
    let errors = match &body["error"] {
        Value::Null => &[][..],
        errors => errors.as_array()?,
    };
    for row in errors {
        // Without a count it is at least one.
        let count = count(row)?.unwrap_or(1);
        tally.add_rejected(types.get(source(row)).copied(), count);
        if let Some(url) = row["url"].as_str().filter(|url| count > 0 && seen.insert(*url)) {
            offered.files.push(ErrorFile { url: url.to_owned(), rows: Rows::Counted });
        }
    }
    Some(offered)
}

/// The count of a row, if it has one; what is no count makes no sense of the whole.
fn count(row: &Value) -> Option<Option<u64>> {
    match row.as_object()?.get("count") {
        None | Some(Value::Null) => Some(None),
        Some(count) => count.as_u64().map(Some),
    }
}
