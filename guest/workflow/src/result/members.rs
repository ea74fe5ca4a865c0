//! Counts at places that the dialect names; errors are whatever reads like one.

use serde_json::Value;

use super::{Offered, add_failures, source, types};
use crate::dialect::{Members, Path};
use crate::plan::Plan;
use crate::progress::Tally;

pub(super) fn read(members: &Members, body: &Value, plan: &Plan, tally: &mut Tally) -> Option<Offered> {
    let (types, before) = (types(plan), tally.rejected.unwrap_or(0));
    // Beside the rows it is said once more what is in them, and what went well.
    let told = members.rows.as_ref().map_or(Some(body), |rows| rows.find(body))?;
    let rows = match &members.rows {
        Some(_) => told.as_array()?.as_slice(),
        None => std::slice::from_ref(body),
    };
    // Where the status says that the job ended, and failures are marked, no mark says that nothing failed.
    let mut said = !members.failed.is_empty();
    // Where the rows say which failed, a message of another one is no error.
    let mut errors = if members.rows.is_none() { vec![told] } else { vec![&body["error"]] };
    for row in rows {
        let kind = types.get(source(row)).copied();
        let (imported, failed) = (sum(&members.imported, row), members.failed.iter().any(|rule| rule.fits(row)));
        // What failed without a count is at least one.
        let rejected = sum(&members.rejected, row).or(failed.then_some(0)).map(|count| count.max(u64::from(failed)));
        said |= imported.is_some() || rejected.is_some();
        match imported {
            Some(count) => tally.add_imported(kind, count),
            None => tally.add_silence(),
        }
        if let Some(count) = rejected {
            tally.add_rejected(kind, count);
        }
        if failed && members.rows.is_some() {
            errors.push(row);
        }
    }
    errors.into_iter().for_each(|what| add_failures(what, tally, before));
    said.then(Offered::default)
}

/// The sum of those that are there.
fn sum(paths: &[Path], row: &Value) -> Option<u64> {
    paths.iter().filter_map(|path| path.number(row)).reduce(u64::saturating_add)
}
