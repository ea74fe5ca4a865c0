//! Which bytes of a content were delivered, whatever the ranges they were fetched in.

/// More separate pieces than this are not told apart: then only a whole fetch counts as complete.
const MAX_PIECES: usize = 4096;

/// Delivered pieces `[start, end)`: in order, apart from each other.
#[derive(Debug, Default)]
pub(super) struct Coverage {
    pieces: Vec<(u64, u64)>,
}

impl Coverage {
    /// Adds the bytes `start..end`.
    pub(super) fn add(&mut self, start: u64, end: u64) {
        let first = self.pieces.partition_point(|piece| piece.1 < start);
        let after = self.pieces.partition_point(|piece| piece.0 <= end);
        let touching = &self.pieces[first..after];
        if touching.is_empty() && self.pieces.len() >= MAX_PIECES {
            return;
        }
        let start = touching.first().map_or(start, |piece| piece.0.min(start));
        let end = touching.last().map_or(end, |piece| piece.1.max(end));
        self.pieces.splice(first..after, [(start, end)]);
    }

    /// Whether all of `size` bytes were added; for an empty content, whether anything was.
    pub(super) fn is_whole(&self, size: u64) -> bool {
        self.pieces.first().is_some_and(|&(start, end)| start == 0 && end >= size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_in_any_order_make_a_whole() {
        let mut coverage = Coverage::default();
        for (start, end) in [(4, 6), (0, 2), (8, 10), (5, 9), (4, 5)] {
            coverage.add(start, end);
            assert!(!coverage.is_whole(10), "{coverage:?}");
        }
        coverage.add(2, 4);
        assert_eq!(coverage.pieces, [(0, 10)]);
        assert!(coverage.is_whole(10));
    }

    #[test]
    fn an_empty_content_is_whole_once_fetched() {
        let mut coverage = Coverage::default();
        assert!(!coverage.is_whole(0));
        coverage.add(0, 0);
        assert!(coverage.is_whole(0));
    }

    #[test]
    fn memory_is_bounded() {
        let mut coverage = Coverage::default();
        (0..2 * MAX_PIECES as u64).for_each(|index| coverage.add(3 * index, 3 * index + 1));
        assert_eq!(coverage.pieces.len(), MAX_PIECES);
        coverage.add(0, u64::MAX);
        assert!(coverage.is_whole(u64::MAX));
    }
}
