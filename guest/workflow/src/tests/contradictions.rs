//! Dialects that cannot be meant are refused before anything is sent.

use serde_json::json;

use super::{builtin, defined, dialect};
use crate::dialect::{Delivery, Dialect, Document, Permission, RecoveryClass};
use crate::{Error, start};

fn refused(dialect: Dialect, why: &str) {
    match start(defined(dialect), &builtin()) {
        Err(Error::InvalidRequest(text)) => assert!(text.contains(why), "{text}"),
        other => panic!("{why}: {other:?}"),
    }
}

#[test]
fn the_id_of_an_import_is_no_key_of_a_job() {
    let mut keyed = dialect("smart-manifest");
    keyed.recovery.class = RecoveryClass::CallerKey;
    keyed.kick_off.body["id"] = json!("${import.id}");
    refused(keyed.clone(), "has ${job.id}");
    keyed.kick_off.body["id"] = json!("${job.id}");
    start(defined(keyed), &builtin()).unwrap();
}

#[test]
fn a_document_of_all_files_is_not_sent_with_each_of_several_jobs() {
    let mut split = dialect("smart-manifest");
    split.document = Some(Document { content: json!({}), ..Document::default() });
    start(defined(split.clone()), &builtin()).unwrap();
    split.inputs.per_job = Some(1);
    refused(split, "a [document] tells of all files");
}

#[test]
fn a_piece_of_a_file_is_one_that_a_host_sends() {
    for (bytes, good) in [(0, false), (1, true), (8 << 20, true), ((8 << 20) + 1, false)] {
        let mut uploads = dialect("smart-manifest");
        uploads.kick_off.body = json!("${job.upload}");
        uploads.inputs.delivery = Delivery::Upload(bytes);
        match good {
            true => drop(start(defined(uploads), &builtin()).unwrap()),
            false => refused(uploads, "8388608"),
        }
    }
}

#[test]
fn a_rule_of_inputs_has_no_word_that_nothing_would_come_of() {
    let words = |field: &str, word: &str| {
        let mut text = serde_json::to_value(dialect("smart-manifest")).unwrap();
        text["inputs"][field] = json!(word);
        Dialect::from_json(&text.to_string()).is_ok()
    };
    for field in ["query", "plus", "repeated"] {
        assert!(words(field, "refused") && !words(field, "told"), "{field}");
    }
    assert!(words("conditional-references", "told") && !words("conditional-references", "refused"));
    assert!(words("without-etag", "told") && words("without-etag", "refused"));
    assert_eq!(Permission::default(), Permission::Allowed);
}
