//! What stands under one name: on the disk, and in the memory of the system on the way there.

/// A change that is not known to be durable.
#[derive(Debug, Clone)]
pub(super) enum Change {
    Create,
    Write { offset: usize, bytes: Vec<u8> },
    Truncate { length: usize },
    Delete,
}

impl Change {
    /// None is a file that is not there.
    fn apply(&self, file: &mut Option<Vec<u8>>) {
        match self {
            Self::Create => *file = Some(file.take().unwrap_or_default()),
            Self::Write { offset, bytes } => write(file.get_or_insert_default(), *offset, bytes),
            Self::Truncate { length } => file.get_or_insert_default().resize(*length, 0),
            Self::Delete => *file = None,
        }
    }

    fn is_about_the_name(&self) -> bool {
        matches!(self, Self::Create | Self::Delete)
    }

    /// What a power cut in its middle leaves of it.
    fn torn(&self, random: &mut Random) -> Option<Self> {
        let Self::Write { offset, bytes } = self else { return random.coin().then(|| self.clone()) };
        let length = random.below(bytes.len() + 1);
        // A disk writes whole sectors, the system may not even have given it one.
        let length = if random.coin() { length.saturating_sub((offset + length) % SECTOR) } else { length };
        Some(Self::Write { offset: *offset, bytes: bytes[..length].to_vec() })
    }
}

const SECTOR: usize = 512;

fn write(file: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    let end = offset + bytes.len();
    if file.len() < end {
        file.resize(end, 0);
    }
    file[offset..end].copy_from_slice(bytes);
}

/// One name.
#[derive(Debug, Default)]
pub(super) struct Content {
    durable: Option<Vec<u8>>,
    written: Option<Vec<u8>>,
    /// With their numbers on this disk.
    pending: Vec<(u64, Change)>,
}

impl Content {
    /// A file that has been there for long.
    pub(super) fn durable(found: Option<Vec<u8>>) -> Self {
        Self { durable: found.clone(), written: found, pending: Vec::new() }
    }

    /// What a reader sees.
    pub(super) fn written(&self) -> Option<&[u8]> {
        self.written.as_deref()
    }

    pub(super) fn change(&mut self, number: u64, change: Change) {
        change.apply(&mut self.written);
        self.pending.push((number, change));
    }

    /// What was written is durable, and so is the name.
    pub(super) fn sync(&mut self) {
        self.durable = self.without_power(None);
        self.pending.clear();
    }

    /// The name is durable, or durably gone. What was written under it is not.
    pub(super) fn sync_name(&mut self) {
        if let Some(deleted) = self.pending.iter().rposition(|(_, change)| matches!(change, Change::Delete)) {
            self.durable = None;
            self.pending.drain(..=deleted);
        }
        if self.has_new_name() {
            self.durable.get_or_insert_default();
            self.pending.retain(|(_, change)| !change.is_about_the_name());
        }
    }

    /// Whether it was made, and nobody knows whether that is durable.
    pub(super) fn has_new_name(&self) -> bool {
        self.pending.iter().any(|(_, change)| matches!(change, Change::Create))
    }

    /// Linux takes pages that it could not write for clean: readers see them, and no later sync writes them.
    pub(super) fn fail_to_sync(&mut self) {
        self.pending.retain(|(_, change)| change.is_about_the_name());
    }

    /// The number of the latest change that is not durable.
    pub(super) fn latest(&self) -> Option<u64> {
        self.pending.last().map(|(number, _)| *number)
    }

    /// What is left when nothing unsynced is; the seed decides whether a new name is there.
    pub(super) fn synced_only(&self, random: &mut Random) -> Option<Vec<u8>> {
        let made = self.durable.is_none() && self.has_new_name();
        self.durable.clone().or_else(|| (made && random.coin()).then(Vec::new))
    }

    /// What is left when all unsynced changes are, and the one with this number in part.
    pub(super) fn torn(&self, number: u64, random: &mut Random) -> Option<Vec<u8>> {
        self.without_power(Some((number, random)))
    }

    fn without_power(&self, mut tear: Option<(u64, &mut Random)>) -> Option<Vec<u8>> {
        let mut file = self.durable.clone();
        for (number, change) in &self.pending {
            match &mut tear {
                Some((torn, random)) if torn == number => {
                    change.torn(random).iter().for_each(|part| part.apply(&mut file));
                }
                _ => change.apply(&mut file),
            }
        }
        file
    }
}

/// Numbers that a seed decides (SplitMix64).
#[derive(Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number smaller than `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end.max(1) as u64).expect("it is smaller than a usize")
    }

    /// Heads or tails.
    pub(crate) fn coin(&mut self) -> bool {
        self.next() & 1 == 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(bytes: &[u8]) -> Change {
        Change::Write { offset: 0, bytes: bytes.to_vec() }
    }

    #[test]
    fn a_power_cut_takes_what_was_not_synced() {
        let mut file = Content::durable(None);
        file.change(1, Change::Create);
        file.change(2, written(b"old"));
        file.sync();
        file.change(3, written(b"newer"));
        assert_eq!(file.written(), Some(&b"newer"[..]));
        assert_eq!(file.synced_only(&mut Random::new(1)).as_deref(), Some(&b"old"[..]));
    }

    #[test]
    fn a_torn_write_is_a_prefix_over_what_was_there() {
        let mut file = Content::durable(Some(vec![0; 2000]));
        file.change(1, written(&[1; 100]));
        file.change(2, written(&[2; 1500]));
        let mut lengths = std::collections::BTreeSet::new();
        for seed in 0..200 {
            let torn = file.torn(2, &mut Random::new(seed)).unwrap();
            let length = torn.iter().take_while(|byte| **byte == 2).count();
            assert!(torn[length..].iter().enumerate().all(|(i, byte)| *byte == u8::from(length + i < 100)), "{seed}");
            lengths.insert(length);
        }
        assert!(lengths.len() > 50 && lengths.contains(&512) && lengths.contains(&1024), "{lengths:?}");
    }

    #[test]
    fn a_sync_that_failed_is_not_made_good_by_the_next() {
        let mut file = Content::durable(Some(b"old".to_vec()));
        file.change(1, written(b"new"));
        file.fail_to_sync();
        file.sync();
        assert_eq!(file.written(), Some(&b"new"[..]));
        assert_eq!(file.synced_only(&mut Random::new(1)).as_deref(), Some(&b"old"[..]));
    }
}
