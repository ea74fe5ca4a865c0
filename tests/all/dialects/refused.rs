//! What an operator gets wrong is told before anything is sent.

use fhir_import::contract::{Outcome, Request};
use fhir_import_sandbox::Personality;
use serde_json::json;

use super::{done, rig};

/// A mistake in a request.
enum Mistake {
    /// The first file is at this URL.
    At(&'static str),
    /// Both files are at this URL.
    Twice(&'static str),
    /// This setting, and no other value of it.
    Set(&'static str, &'static str),
    /// This setting is not given.
    Without(&'static str),
    /// Nothing is published.
    Unpublished,
}

impl Mistake {
    fn make(&self, request: &mut Request) {
        match self {
            Self::At(url) => (*url).clone_into(&mut request.inputs[0].url),
            Self::Twice(url) => request.inputs.iter_mut().for_each(|input| (*url).clone_into(&mut input.url)),
            Self::Set(name, value) => {
                Self::Without(name).make(request);
                request.settings.push(((*name).to_owned(), (*value).to_owned()));
            }
            Self::Without(name) => request.settings.retain(|(other, _)| other != name),
            Self::Unpublished => request.documents_url = None,
        }
    }
}

async fn refused(server: Personality, mistake: &Mistake) -> (Outcome, String) {
    let (rig, mut request) = rig(server, json!({})).await;
    mistake.make(&mut request);
    let id = rig.begin(&request).await;
    let report = done(server, rig.drive(&id).await.0);
    let sent: Vec<_> = rig.sandbox.log().into_iter().filter(|seen| seen.method != "GET").collect();
    assert!(sent.is_empty(), "{server}: {sent:?}");
    assert!(!report.advice.is_empty(), "{server}: {report:?}");
    (report.outcome, format!("{} {}", report.sentence, report.advice))
}

#[tokio::test]
async fn a_scheme_that_the_server_does_not_fetch_is_refused() {
    for row in super::TABLE.iter().filter(|row| row.server != Personality::Sazare) {
        let (outcome, text) = refused(row.server, &Mistake::At("ftp://files.example.org/Patient.ndjson")).await;
        assert_eq!(outcome, Outcome::InputInvalid, "{}: {text}", row.server);
        assert!(text.contains("ftp URLs"), "{}: {text}", row.server);
    }
}

#[tokio::test]
async fn a_setting_that_the_dialect_does_not_have_is_refused() {
    for row in &super::TABLE {
        let (outcome, text) = refused(row.server, &Mistake::Set("colour", "red")).await;
        assert_eq!(outcome, Outcome::Usage, "{}: {text}", row.server);
        assert!(text.contains("takes no value for colour"), "{}: {text}", row.server);
    }
}

#[tokio::test]
async fn what_one_server_wants_and_did_not_get_is_named() {
    use Mistake::{At, Set, Twice, Unpublished, Without};
    use Outcome::{InputInvalid, Usage};
    use Personality as P;
    let table = [
        (P::Aidbox, Set("content-encoding", "zip"), Usage, "plain, gzip"),
        (P::BulkSubmit, Without("submitter"), Usage, "--set submitter=VALUE"),
        (P::BulkSubmit, Set("submission-status", "complete"), Usage, "completed, in-progress"),
        (P::BulkSubmitArgonaut, Set("submission-status", "completed"), Usage, "complete, in-progress"),
        (P::BulkSubmit, Unpublished, Usage, "--serve"),
        (P::SmartPnp, Unpublished, Usage, "--serve"),
        (P::Google, At("gs://bucket/elsewhere/Patient.ndjson"), InputInvalid, "one folder"),
        (P::Google, At("https://storage.googleapis.com/bucket/in/Patient.ndjson"), InputInvalid, "gs"),
        (P::Healthlake, At("s3://other/in/Patient.ndjson"), InputInvalid, "one folder"),
        (P::Healthlake, Without("role-arn"), Usage, "--set role-arn=VALUE"),
        (P::Healthlake, Set("validation-level", "none"), Usage, "structure-only"),
        (P::Ibm, At("http://files.example.org/in/Patient.ndjson"), InputInvalid, "https"),
        (P::Ibm, Set("storage", "ftp"), Usage, "aws-s3"),
        (P::Microsoft, At("https://practice.blob.core.windows.net/in/P.ndjson?sig=1"), InputInvalid, "query"),
        (P::Microsoft, Twice("https://practice.blob.core.windows.net/in/P.ndjson"), InputInvalid, "twice"),
        (P::Microsoft, Set("mode", "Load"), Usage, "InitialLoad"),
        (P::Onfhir, At("https://files.example.org/in/Patient.ndjson"), InputInvalid, "file"),
        (P::Pathling, At("s3://bucket/in/a+b.ndjson"), InputInvalid, "%2B"),
        (P::Pathling, At("https://files.example.org/in/Patient.ndjson"), InputInvalid, "s3a"),
        (P::Pathling7, Set("save-mode", "ignore"), Usage, "merge, overwrite, append"),
        (P::UdsPlus, Without("grant-number"), Usage, "--set grant-number=VALUE"),
    ];
    for (server, mistake, outcome, words) in table {
        let (came, text) = refused(server, &mistake).await;
        assert_eq!(came, outcome, "{server}, {words}: {text}");
        assert!(text.contains(words), "{server}, {words}: {text}");
    }
}
