//! Finding the source lines that error rows speak of.

use crate::lines::{Line, Lines};
use crate::probe::{Probe, is_id, is_type_name, probe};
use std::collections::BTreeMap;

/// A longer line can be found by number, but what it holds is not looked at.
const MAX_LINE_BYTES: usize = 16 << 20;

/// How an error row names a line of the input.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Locator {
    /// The line, counted from 1, blank lines included.
    Line(u64),
    /// The record, counted from 1: blank lines do not count.
    Record(u64),
    /// The record, counted from 1, in a unit of the file. A server that cuts a file at byte offsets gives the line
    /// that lies across a cut, or starts at it, to the unit before.
    Unit {
        /// Where the unit starts, in bytes; 0 for the first.
        unit_start: u64,
        /// The record in the unit.
        line_in_unit: u64,
    },
    /// Type and id, as in `Patient/123`; every line that has them.
    Reference(String),
}

impl Locator {
    /// The number, when it is one of the whole file.
    pub(crate) fn line(&self) -> Option<u64> {
        match self {
            Self::Line(line) | Self::Record(line) => Some(*line),
            Self::Unit { .. } | Self::Reference(_) => None,
        }
    }
}

/// A line of the input that a locator names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Joined {
    /// Which locator, counted from 0 in the order given.
    pub locator: u32,
    /// The line, counted from 1, blank lines included.
    pub line: u64,
    /// Where it starts, in bytes from the start of the file.
    pub offset: u64,
    /// Its length in bytes without the line end's LF.
    pub length: u64,
    /// The type that it says it is, when it is a readable resource.
    pub resource_type: Option<String>,
}

/// Finds the lines that locators name, in one pass over the file, in memory bounded by the number of locators.
pub struct Joiner {
    lines: Lines,
    index: Index,
}

impl Joiner {
    /// A joiner for one file.
    #[must_use]
    pub fn new(locators: Vec<Locator>) -> Self {
        Self { lines: Lines::new(MAX_LINE_BYTES), index: Index::new(locators) }
    }

    /// The lines found among those that end in this chunk.
    pub fn feed(&mut self, chunk: &[u8]) -> Vec<Joined> {
        let Self { lines, index } = self;
        let mut found = Vec::new();
        lines.feed(chunk, |line| index.line(line, &mut found));
        found
    }

    /// The end of the file: its last line may lack the line end.
    #[must_use]
    pub fn finish(mut self) -> Vec<Joined> {
        let mut found = Vec::new();
        self.lines.end(|line| self.index.line(line, &mut found));
        found
    }
}

/// The locators by what they ask for. Several may ask for the same line.
#[derive(Default)]
struct Index {
    lines: BTreeMap<u64, Vec<u32>>,
    records: BTreeMap<u64, Vec<u32>>,
    references: BTreeMap<String, Vec<u32>>,
    /// Units that have not begun yet; when one does, its locators move to `records`.
    units: BTreeMap<u64, Vec<(u64, u32)>>,
    records_seen: u64,
}

impl Index {
    fn new(locators: Vec<Locator>) -> Self {
        let mut index = Self::default();
        for (number, locator) in (0..).zip(locators) {
            match locator {
                Locator::Line(line) => index.lines.entry(line).or_default().push(number),
                Locator::Record(record) => index.records.entry(record).or_default().push(number),
                Locator::Reference(reference) => index.references.entry(reference).or_default().push(number),
                Locator::Unit { unit_start, line_in_unit } => {
                    index.units.entry(unit_start).or_default().push((line_in_unit, number));
                }
            }
        }
        index
    }

    fn line(&mut self, line: &Line<'_>, found: &mut Vec<Joined>) {
        self.begin_units(line.offset);
        let mut asking = self.lines.remove(&line.number).unwrap_or_default();
        if !line.is_blank() {
            self.records_seen += 1;
            asking.extend(self.records.remove(&self.records_seen).unwrap_or_default());
        }
        let named = self.named_by_reference(line);
        if asking.is_empty() && named.is_empty() {
            return;
        }
        let resource_type = resource_type(line);
        asking.extend(named);
        asking.sort_unstable();
        found.extend(asking.into_iter().map(|locator| Joined {
            locator,
            line: line.number,
            offset: line.offset,
            length: line.length,
            resource_type: resource_type.clone(),
        }));
    }

    /// Counts the locators of units that begin before this line from here.
    fn begin_units(&mut self, offset: u64) {
        while let Some(unit) = self.units.first_entry().filter(|unit| *unit.key() == 0 || *unit.key() < offset) {
            for (line_in_unit, number) in unit.remove() {
                let record = self.records_seen.saturating_add(line_in_unit);
                self.records.entry(record).or_default().push(number);
            }
        }
    }

    fn named_by_reference(&self, line: &Line<'_>) -> Vec<u32> {
        if self.references.is_empty() {
            return Vec::new();
        }
        reference(line).and_then(|reference| self.references.get(&reference)).cloned().unwrap_or_default()
    }
}

fn read<'a>(line: &Line<'a>) -> Option<Probe<'a>> {
    let text = line.record()?;
    probe(text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text)).ok()
}

fn resource_type(line: &Line<'_>) -> Option<String> {
    read(line)?.resource_type.accepted(is_type_name).map(str::to_owned)
}

fn reference(line: &Line<'_>) -> Option<String> {
    let probe = read(line)?;
    Some(format!("{}/{}", probe.resource_type.accepted(is_type_name)?, probe.id.accepted(is_id)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lines start at 0, 9, 10, 43, 75 and 108; the second is blank.
    const FILE: &str = "{\"a\": 1}\n\n{\"resourceType\":\"Group\",\"id\":\"1\"}\n{\"resourceType\":\"Group\",\"id\":\"2\"}\n\
                        {\"resourceType\":\"Basic\",\"id\":\"1\"}\r\n{\"resourceType\":\"Group\",\"id\":\"1\"}";

    fn join(locators: &[Locator], chunks: &[&[u8]]) -> Vec<Joined> {
        let mut joiner = Joiner::new(locators.to_vec());
        let mut found: Vec<_> = chunks.iter().flat_map(|chunk| joiner.feed(chunk)).collect();
        found.extend(joiner.finish());
        found
    }

    fn lines(locator: Locator) -> Vec<u64> {
        join(&[locator], &[FILE.as_bytes()]).into_iter().map(|joined| joined.line).collect()
    }

    fn start(line: usize) -> u64 {
        FILE.split_inclusive('\n').take(line - 1).map(str::len).sum::<usize>() as u64
    }

    #[test]
    fn each_way_of_counting_finds_its_line() {
        let unit = |unit_start, line_in_unit| Locator::Unit { unit_start, line_in_unit };
        let cases: [(Locator, &[u64]); 13] = [
            (Locator::Line(2), &[2]),
            (Locator::Line(3), &[3]),
            (Locator::Record(2), &[3]),
            (Locator::Record(0), &[]),
            (Locator::Line(99), &[]),
            (unit(0, 1), &[1]),
            (unit(0, 2), &[3]),
            (unit(1, 1), &[3]),
            (unit(start(4), 1), &[5]),
            (unit(start(4) - 1, 1), &[4]),
            (unit(99_999, 1), &[]),
            (unit(0, u64::MAX), &[]),
            (Locator::Reference("Group/1".to_owned()), &[3, 6]),
        ];
        for (locator, expected) in cases {
            assert_eq!(lines(locator.clone()), expected, "{locator:?}");
        }
    }

    #[test]
    fn what_is_found_can_be_cut_out() {
        let [joined] = join(&[Locator::Line(4)], &[FILE.as_bytes()]).try_into().unwrap();
        let range = usize::try_from(joined.offset).unwrap()..usize::try_from(joined.offset + joined.length).unwrap();
        assert_eq!(&FILE[range], "{\"resourceType\":\"Group\",\"id\":\"2\"}");
        assert_eq!(joined.resource_type.as_deref(), Some("Group"));
    }

    #[test]
    fn cutting_anywhere_changes_nothing() {
        let locators = [
            Locator::Reference("Group/1".to_owned()),
            Locator::Line(6),
            Locator::Record(1),
            Locator::Unit { unit_start: 12, line_in_unit: 2 },
            Locator::Line(6),
        ];
        let whole = join(&locators, &[FILE.as_bytes()]);
        assert_eq!(whole.iter().map(|joined| joined.locator).collect::<Vec<_>>(), [2, 0, 3, 0, 1, 4]);
        for at in 0..=FILE.len() {
            let (head, tail) = FILE.as_bytes().split_at(at);
            assert_eq!(join(&locators, &[head, tail]), whole, "cut at {at}");
        }
    }
}
