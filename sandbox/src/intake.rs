//! Taking a batch of resources into the store, with the refusals and the lies the script asks for.

use crate::resource::Resource;
use crate::script::Script;
use crate::store::{Change, Store};
use std::collections::HashSet;

/// What became of one resource of a batch.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// It is stored, or the server says so.
    Stored(Change),
    /// It is not.
    Refused(Refusal),
}

/// Why a resource is not stored.
#[derive(Clone, Debug)]
pub(crate) enum Refusal {
    /// The script rejects this id.
    Scripted,
    /// It refers to something that is neither stored nor accepted in the same batch.
    Dangling { path: String, target: String },
}

/// What a reference may point to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum References {
    /// Anything.
    Unchecked,
    /// What is stored, or in the same batch.
    ToTheBatch,
    /// What is stored, or came before it: files are read in their order, and lines in theirs.
    ToEarlier,
}

impl References {
    /// What the script wants, or else this habit of a server.
    pub(crate) fn scripted(self, script: &Script) -> Self {
        match (script.referential_integrity, self) {
            (None, habit) => habit,
            (Some(false), _) => Self::Unchecked,
            (Some(true), Self::Unchecked) => Self::ToTheBatch,
            (Some(true), habit) => habit,
        }
    }
}

/// How many resources a job really stored, and how many it refused one by one.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Tally {
    pub(crate) stored: u64,
    pub(crate) refused: u64,
}

/// Takes in a batch and says what became of each resource, in the same order.
///
/// The batch is one set: the order of its resources decides only which of two with the same id is the newer one.
pub(crate) fn take_in(
    store: &Store,
    script: &Script,
    references: References,
    batch: &[(String, Resource)],
) -> Vec<Verdict> {
    let refusals = refusals(store, script, references, batch);
    let mut honest = really(script, refusals.iter().filter(|refusal| refusal.is_none()).count());
    let mut take = |id: &str, resource: &Resource| {
        let really = honest > 0;
        honest = honest.saturating_sub(1);
        Verdict::Stored(if really { store.put(resource, id) } else { store.judge(resource, id) })
    };
    let pairs = batch.iter().zip(refusals);
    pairs.map(|((id, resource), no)| no.map_or_else(|| take(id, resource), Verdict::Refused)).collect()
}

/// What the verdicts of a batch really amount to, lies left out.
pub(crate) fn tally(script: &Script, verdicts: &[Verdict]) -> Tally {
    let refused = verdicts.iter().filter(|verdict| matches!(verdict, Verdict::Refused(_))).count();
    Tally { stored: really(script, verdicts.len() - refused) as u64, refused: refused as u64 }
}

/// How many of the accepted resources are really stored.
fn really(script: &Script, accepted: usize) -> usize {
    accepted.saturating_sub(script.lie_drop as usize)
}

fn refusals(
    store: &Store,
    script: &Script,
    references: References,
    batch: &[(String, Resource)],
) -> Vec<Option<Refusal>> {
    let scripted = |id: &String| script.reject_ids.contains(id).then_some(Refusal::Scripted);
    let mut refused: Vec<_> = batch.iter().map(|(id, _)| scripted(id)).collect();
    match references {
        References::Unchecked => {}
        References::ToTheBatch => refuse_dangling(store, batch, &mut refused),
        References::ToEarlier => refuse_unknown_yet(store, batch, &mut refused),
    }
    refused
}

/// Looks at each resource with what came before it, once.
fn refuse_unknown_yet(store: &Store, batch: &[(String, Resource)], refused: &mut [Option<Refusal>]) {
    let mut accepted = HashSet::new();
    for ((id, resource), refusal) in batch.iter().zip(refused) {
        if refusal.is_none() {
            *refusal = first_dangling(store, &accepted, resource);
        }
        if refusal.is_none() {
            accepted.insert((resource.kind.as_str(), id.as_str()));
        }
    }
}

/// Refusing one resource can leave another without its target, so this looks until nothing changes.
fn refuse_dangling(store: &Store, batch: &[(String, Resource)], refused: &mut [Option<Refusal>]) {
    loop {
        let accepted = accepted(batch, refused);
        let dangling = |resource| first_dangling(store, &accepted, resource);
        let found: Vec<_> = (0..batch.len())
            .filter(|&at| refused[at].is_none())
            .filter_map(|at| Some((at, dangling(&batch[at].1)?)))
            .collect();
        if found.is_empty() {
            return;
        }
        found.into_iter().for_each(|(at, refusal)| refused[at] = Some(refusal));
    }
}

fn accepted<'a>(batch: &'a [(String, Resource)], refused: &[Option<Refusal>]) -> HashSet<(&'a str, &'a str)> {
    let pairs = batch.iter().zip(refused).filter(|(_, refusal)| refusal.is_none());
    pairs.map(|((id, resource), _)| (resource.kind.as_str(), id.as_str())).collect()
}

fn first_dangling(store: &Store, accepted: &HashSet<(&str, &str)>, resource: &Resource) -> Option<Refusal> {
    let known = |kind: &str, id: &str| accepted.contains(&(kind, id)) || store.has(kind, id);
    let dangling = resource.references().into_iter().find(|reference| !known(&reference.kind, &reference.id))?;
    Some(Refusal::Dangling { path: dangling.path, target: format!("{}/{}", dangling.kind, dangling.id) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::MachineClock;
    use std::sync::Arc;

    fn store() -> Store {
        Store::new(Arc::new(MachineClock))
    }

    fn batch(lines: &[&str]) -> Vec<(String, Resource)> {
        let parse = |line: &&str| Resource::parse(line.as_bytes()).unwrap();
        lines.iter().map(parse).map(|resource| (resource.id.clone().unwrap(), resource)).collect()
    }

    const CHAIN: [&str; 3] = [
        r#"{"resourceType":"Observation","id":"o","encounter":{"reference":"Encounter/e"}}"#,
        r#"{"resourceType":"Encounter","id":"e","subject":{"reference":"Patient/p"}}"#,
        r#"{"resourceType":"Patient","id":"p"}"#,
    ];

    #[test]
    fn references_within_a_batch_may_point_forward() {
        let store = store();
        take_in(&store, &Script::default(), References::ToTheBatch, &batch(&CHAIN));
        assert_eq!(store.count(), 3);
    }

    #[test]
    fn a_refusal_takes_with_it_what_depends_on_it() {
        let store = store();
        let script = Script { reject_ids: vec!["p".to_owned()], ..Script::default() };
        let verdicts = take_in(&store, &script, References::ToTheBatch, &batch(&CHAIN));
        assert!(matches!(&verdicts[0], Verdict::Refused(Refusal::Dangling { target, .. }) if target == "Encounter/e"));
        assert!(matches!(&verdicts[2], Verdict::Refused(Refusal::Scripted)));
        assert_eq!(store.count(), 0);
    }

    #[test]
    fn references_may_have_to_point_backward() {
        let (store, mut order) = (store(), batch(&CHAIN));
        let verdicts = take_in(&store, &Script::default(), References::ToEarlier, &order);
        assert!(matches!(&verdicts[1], Verdict::Refused(Refusal::Dangling { target, .. }) if target == "Patient/p"));
        assert_eq!(store.count(), 1);
        order.reverse();
        take_in(&store, &Script::default(), References::ToEarlier, &order);
        assert_eq!(store.count(), 3);
    }

    #[test]
    fn a_lie_claims_all_and_drops_the_last_ones() {
        let store = store();
        let script = Script { lie_drop: 2, ..Script::default() };
        let verdicts = take_in(&store, &script, References::Unchecked, &batch(&CHAIN));
        assert!(verdicts.iter().all(|verdict| matches!(verdict, Verdict::Stored(Change::Created))));
        assert_eq!((store.count(), store.count_of("Observation")), (1, 1));
        assert_eq!(tally(&script, &verdicts), Tally { stored: 1, refused: 0 });
    }
}
