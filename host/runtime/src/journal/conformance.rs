//! What every journal must do, whatever it is made of: for the tests of another store.

#![expect(clippy::unwrap_used, reason = "a check fails by panicking")]

use super::*;

/// Runs every check, each on an empty journal made for it.
///
/// # Panics
/// When the journal breaks a rule.
pub fn run(fresh: &dyn Fn() -> Box<dyn Journal>) {
    for check in [
        what_is_created_is_loaded,
        ids_and_keys_are_taken_once,
        the_first_digits_find_an_import,
        an_unfinished_import_of_the_same_inputs_is_noticed,
        an_unfinished_import_of_the_same_inputs_is_not_begun_twice,
        imports_are_listed_oldest_first,
        transitions_are_numbered_and_kept_in_order,
        an_append_that_builds_on_another_generation_is_refused,
        one_import_has_one_lease,
        an_older_lease_writes_nothing,
        a_generation_has_one_intent,
        an_intent_is_over_with_its_generation,
        only_a_submit_is_intended,
        the_notes_of_the_host_are_replaced,
        what_is_not_there_is_said_so,
        any_number_and_any_text_is_kept,
    ] {
        check(fresh().as_ref());
    }
}

pub(super) fn id(first: u8) -> ImportId {
    let mut bytes = [0xa0; 16];
    bytes[0] = first;
    ImportId::from_bytes(bytes)
}

pub(super) fn holder() -> Holder {
    Holder { pid: 42, host: "ward-7".to_owned(), since_ms: 1_700_000_000_000 }
}

pub(super) fn transition(next_kind: NextKind, checkpoint: &str) -> StoredTransition {
    StoredTransition {
        checkpoint: checkpoint.to_owned(),
        next_kind,
        next: format!("{{\"for\":\"{checkpoint}\"}}"),
        outcome: (next_kind == NextKind::Done).then_some(7),
        events: vec![
            StoredEvent { at_ms: 5, kind: "kick-off".to_owned(), text: format!("before \"{checkpoint}\"") },
            StoredEvent { at_ms: 0, kind: "manifest".to_owned(), text: String::new() },
        ],
        at_ms: 1_700_000_000_123,
    }
}

pub(super) fn import(first: u8, key: Option<&str>) -> NewImport {
    NewImport {
        id: id(first),
        key: key.map(str::to_owned),
        inputs_digest: "inputs".to_owned(),
        server: "https://fhir.example.org/fhir".to_owned(),
        created_ms: 1000 - u64::from(first),
        plan: "{\"plan\":1}".to_owned(),
        host: "{\"files\":[]}".to_owned(),
        first: transition(NextKind::Submit, "c0"),
        same_inputs: SameInputs::Allow,
    }
}

/// What a load of the import gives right after its creation.
pub(super) fn as_created(new: &NewImport) -> StoredImport {
    let new = new.clone();
    StoredImport {
        id: new.id,
        key: new.key,
        inputs_digest: new.inputs_digest,
        server: new.server,
        created_ms: new.created_ms,
        plan: new.plan,
        host: new.host,
        generation: 0,
        latest: new.first,
        intent: None,
    }
}

fn what_is_created_is_loaded(journal: &dyn Journal) {
    for new in [import(1, None), import(2, Some("run-2"))] {
        journal.create(&new).unwrap();
        assert_eq!(journal.load(&new.id).unwrap(), as_created(&new));
        assert_eq!(journal.history(&new.id).unwrap(), [new.first]);
    }
}

fn ids_and_keys_are_taken_once(journal: &dyn Journal) {
    journal.create(&import(1, Some("run"))).unwrap();
    let again = journal.create(&import(1, None));
    assert!(matches!(again, Err(JournalError::Exists { import }) if import == id(1)));
    let other = journal.create(&import(2, Some("run")));
    assert!(matches!(other, Err(JournalError::KeyTaken { key, by }) if key == "run" && by == id(1)));
    journal.create(&import(3, None)).unwrap();
    journal.create(&import(4, None)).unwrap();
    assert_eq!(journal.by_key("run").unwrap().unwrap().id, id(1));
    assert_eq!(journal.by_key("ru").unwrap(), None);
}

fn the_first_digits_find_an_import(journal: &dyn Journal) {
    for first in [0x11, 0x12] {
        journal.create(&import(first, None)).unwrap();
    }
    assert_eq!(journal.find("12").unwrap(), id(0x12));
    assert_eq!(journal.find(&id(0x11).to_string()).unwrap(), id(0x11));
    let both = journal.find("1");
    assert!(matches!(both, Err(JournalError::Ambiguous { found, .. }) if found == [id(0x12), id(0x11)]));
    for wanted in ["", "2", "x", &id(0x13).to_string()] {
        assert!(matches!(journal.find(wanted), Err(JournalError::NotFound { .. })), "{wanted}");
    }
}

fn an_unfinished_import_of_the_same_inputs_is_noticed(journal: &dyn Journal) {
    for (first, done) in [(9, false), (8, false), (7, true)] {
        journal.create(&import(first, None)).unwrap();
        let lease = journal.lease(&id(first), &holder()).unwrap();
        let next = if done { NextKind::Done } else { NextKind::Paused };
        journal.append(&lease, 0, &transition(next, "c1")).unwrap();
    }
    let noticed = journal.unfinished_by_inputs("inputs").unwrap().unwrap();
    assert_eq!((noticed.id, noticed.next_kind), (id(8), NextKind::Paused));
    assert_eq!(journal.unfinished_by_inputs("others").unwrap(), None);
}

fn an_unfinished_import_of_the_same_inputs_is_not_begun_twice(journal: &dyn Journal) {
    let alone = |first| NewImport { same_inputs: SameInputs::Refuse, ..import(first, None) };
    journal.create(&alone(1)).unwrap();
    let refused = journal.create(&alone(2));
    assert!(matches!(refused, Err(JournalError::Unfinished { by }) if by == id(1)), "{refused:?}");
    assert!(matches!(journal.load(&id(2)), Err(JournalError::NotFound { .. })));
    journal.create(&NewImport { inputs_digest: "others".to_owned(), ..alone(3) }).unwrap();
    let lease = journal.lease(&id(1), &holder()).unwrap();
    journal.append(&lease, 0, &transition(NextKind::Done, "end")).unwrap();
    journal.create(&alone(2)).unwrap();
    journal.create(&import(4, None)).unwrap();
}

fn imports_are_listed_oldest_first(journal: &dyn Journal) {
    assert_eq!(journal.list().unwrap(), []);
    for first in [1, 3, 2] {
        journal.create(&import(first, None)).unwrap();
    }
    let lease = journal.lease(&id(2), &holder()).unwrap();
    journal.append(&lease, 0, &transition(NextKind::Done, "end")).unwrap();
    let listed = journal.list().unwrap();
    assert_eq!(listed.iter().map(|import| import.id).collect::<Vec<_>>(), [id(3), id(2), id(1)]);
    assert_eq!(listed[1], journal.load(&id(2)).unwrap().into());
    assert_eq!((listed[1].generation, listed[1].next_kind, listed[1].outcome), (1, NextKind::Done, Some(7)));
}

fn transitions_are_numbered_and_kept_in_order(journal: &dyn Journal) {
    let new = import(1, None);
    journal.create(&new).unwrap();
    let lease = journal.lease(&id(1), &holder()).unwrap();
    let mut expected = vec![new.first];
    for generation in 0..12 {
        let next = transition(NextKind::Wait, &format!("c{}", generation + 1));
        assert_eq!(journal.append(&lease, generation, &next).unwrap(), generation + 1);
        expected.push(next);
    }
    assert_eq!(journal.history(&id(1)).unwrap(), expected);
    let events: Vec<StoredEvent> = expected.iter().flat_map(|transition| transition.events.clone()).collect();
    assert_eq!(journal.events(&id(1)).unwrap(), events);
    let loaded = journal.load(&id(1)).unwrap();
    assert_eq!((loaded.generation, Some(&loaded.latest)), (12, expected.last()));
}

fn an_append_that_builds_on_another_generation_is_refused(journal: &dyn Journal) {
    journal.create(&import(1, None)).unwrap();
    let lease = journal.lease(&id(1), &holder()).unwrap();
    journal.append(&lease, 0, &transition(NextKind::Step, "c1")).unwrap();
    for expected in [0, 2, u64::MAX] {
        let refused = journal.append(&lease, expected, &transition(NextKind::Step, "other"));
        assert!(matches!(refused, Err(JournalError::Conflict { found: 1, .. })), "{expected}");
    }
    assert_eq!(journal.load(&id(1)).unwrap().latest.checkpoint, "c1");
}

fn one_import_has_one_lease(journal: &dyn Journal) {
    journal.create(&import(1, None)).unwrap();
    journal.create(&import(2, None)).unwrap();
    let first = journal.lease(&id(1), &holder()).unwrap();
    let second = journal.lease(&id(1), &Holder { pid: 43, ..holder() });
    assert!(matches!(second, Err(JournalError::Locked { holder: Some(by), .. }) if by == holder()));
    let other = journal.lease(&id(2), &holder()).unwrap();
    assert_eq!((first.import(), first.epoch(), other.epoch()), (id(1), 1, 1));
    drop(first);
    assert_eq!(journal.lease(&id(1), &holder()).unwrap().epoch(), 2);
}

fn an_older_lease_writes_nothing(journal: &dyn Journal) {
    journal.create(&import(1, None)).unwrap();
    let old = journal.lease(&id(1), &holder()).unwrap().epoch();
    let newest = journal.lease(&id(1), &holder()).unwrap();
    let stale = Lease::new(id(1), old, ());
    let writes = [
        journal.append(&stale, 0, &transition(NextKind::Step, "stale")).map(drop),
        journal.intend(&stale, 0, 9).map(drop),
        journal.append_host(&stale, "stale"),
    ];
    for refused in writes {
        assert!(matches!(refused, Err(JournalError::Fenced { ours: 1, newest: 2, .. })), "{refused:?}");
    }
    assert_eq!(journal.load(&id(1)).unwrap(), as_created(&import(1, None)));
    assert_eq!(journal.append(&newest, 0, &transition(NextKind::Step, "newest")).unwrap(), 1);
}

fn a_generation_has_one_intent(journal: &dyn Journal) {
    journal.create(&import(1, None)).unwrap();
    let lease = journal.lease(&id(1), &holder()).unwrap();
    let intent = journal.intend(&lease, 0, 77).unwrap();
    assert_eq!(intent, Intent { generation: 0, at_ms: 77, epoch: 1 });
    drop(lease);
    let lease = journal.lease(&id(1), &holder()).unwrap();
    let again = journal.intend(&lease, 0, 78);
    assert!(matches!(again, Err(JournalError::AlreadyIntended { intent: present, .. }) if present == intent));
    assert_eq!(journal.load(&id(1)).unwrap().intent, Some(intent));
    assert_eq!(journal.list().unwrap()[0].intent, Some(intent));
}

fn an_intent_is_over_with_its_generation(journal: &dyn Journal) {
    journal.create(&import(1, None)).unwrap();
    let lease = journal.lease(&id(1), &holder()).unwrap();
    journal.intend(&lease, 0, 77).unwrap();
    journal.append(&lease, 0, &transition(NextKind::Submit, "c1")).unwrap();
    assert_eq!(journal.load(&id(1)).unwrap().intent, None);
    assert!(matches!(journal.intend(&lease, 0, 78), Err(JournalError::Conflict { found: 1, .. })));
    let second = journal.intend(&lease, 1, 78).unwrap();
    assert_eq!(journal.load(&id(1)).unwrap().intent, Some(second));
}

fn only_a_submit_is_intended(journal: &dyn Journal) {
    let first = transition(NextKind::Recover, "c0");
    journal.create(&NewImport { first, ..import(1, None) }).unwrap();
    let lease = journal.lease(&id(1), &holder()).unwrap();
    let refused = journal.intend(&lease, 0, 77);
    assert!(matches!(refused, Err(JournalError::NotSubmitting { next: NextKind::Recover, .. })));
}

fn the_notes_of_the_host_are_replaced(journal: &dyn Journal) {
    journal.create(&import(1, None)).unwrap();
    let lease = journal.lease(&id(1), &holder()).unwrap();
    journal.append_host(&lease, "{\"serve\":\"[::1]:8080\"}").unwrap();
    let loaded = journal.load(&id(1)).unwrap();
    assert_eq!((loaded.host.as_str(), loaded.generation), ("{\"serve\":\"[::1]:8080\"}", 0));
}

fn what_is_not_there_is_said_so(journal: &dyn Journal) {
    let lease = Lease::new(id(1), 1, ());
    let answers = [
        journal.load(&id(1)).map(drop),
        journal.history(&id(1)).map(drop),
        journal.lease(&id(1), &holder()).map(drop),
        journal.append(&lease, 0, &transition(NextKind::Step, "c")).map(drop),
        journal.intend(&lease, 0, 1).map(drop),
        journal.append_host(&lease, ""),
    ];
    for answer in answers {
        assert!(matches!(answer, Err(JournalError::NotFound { .. })), "{answer:?}");
    }
}

fn any_number_and_any_text_is_kept(journal: &dyn Journal) {
    let event = StoredEvent { at_ms: u64::MAX, kind: "a\0b".to_owned(), text: "\u{202e}ñ\n\"\\".to_owned() };
    let first = StoredTransition {
        checkpoint: "\0".to_owned(),
        events: vec![event],
        at_ms: u64::MAX,
        outcome: Some(u8::MAX),
        ..transition(NextKind::Done, "")
    };
    let new = NewImport {
        created_ms: u64::MAX,
        key: Some(String::new()),
        plan: "x".repeat(1 << 20),
        first,
        ..import(1, None)
    };
    journal.create(&new).unwrap();
    assert_eq!(journal.load(&id(1)).unwrap(), as_created(&new));
}
