//! Files that are sent instead of fetched: what is on the wire, and what never gets there.

use std::fs;
use std::sync::Arc;

use bytes::Bytes;
use fhir_import::files::OpenInput;
use fhir_import::net::{AllowList, Carried, NetError, NetErrorKind, Origin, Phase, PhaseLimits, Sender, TlsRoots};
use fhir_import::secrets::Secrets;
use fhir_import::{Network, Uploads};
use http::Request;
use tempfile::TempDir;

use crate::harness::scribe::Scribe;

const LINES: &str =
    "{\"resourceType\":\"Patient\",\"id\":\"{{secret:KEY}}\"}\n{\"resourceType\":\"Patient\",\"id\":\"p2\"}\n";

struct Bench {
    folder: TempDir,
    server: Scribe,
    elsewhere: Scribe,
    network: Network,
}

impl Bench {
    async fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("Patient.ndjson");
        fs::write(&path, LINES).unwrap();
        let server = Scribe::start("fhir-import-uploaded: bytes 0-99/99\r\n", "{}").await;
        let elsewhere = Scribe::start("", "{}").await;
        let url = server.url().parse().unwrap();
        let origin = Origin::of(&url).unwrap();
        let mut secrets = Secrets::default();
        secrets.insert("KEY", "CANARY-secret".into(), [origin.clone()]).unwrap();
        let allow = AllowList::new(&url).unwrap().allow(&elsewhere.url()).unwrap();
        let sender = Sender::new(&TlsRoots::default(), PhaseLimits::default()).unwrap();
        let mut network = Network::new(allow, secrets, Arc::new(sender));
        network.uploads = Uploads::new(origin, vec![Some(Arc::new(OpenInput::open(&path).unwrap()))]);
        Self { folder, server, elsewhere, network }
    }

    async fn post(&self, url: &str, body: &'static str) -> Result<Carried, NetError> {
        let request = Request::post(format!("{url}/$import")).header("Content-Type", "application/fhir+json");
        let request = request.header("Content-Length", body.len()).body(Bytes::from(body)).unwrap();
        self.network.exchange(request).await
    }
}

#[tokio::test]
async fn whole_lines_are_sent_as_they_lie_in_the_file_and_the_answer_says_which() {
    let bench = Bench::new().await;
    let first = bench.post(&bench.server.url(), "{{input:0:0:60}}").await.unwrap();
    let rest = bench.post(&bench.server.url(), "{{input:0:49:8388608}}").await.unwrap();
    let other = bench.post(&bench.server.url(), "{}").await.unwrap();
    let told = |answer: &Carried| {
        let all = answer.head.headers.get_all("fhir-import-uploaded").iter();
        all.map(|value| value.to_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(told(&first), ["bytes 0-49/86"]);
    assert_eq!(told(&rest), ["bytes 49-86/86"]);
    assert!(told(&other).is_empty(), "no server speaks in our name");
    let came = bench.server.came();
    let bodies: Vec<&str> = came.iter().map(|request| request.split_once("\r\n\r\n").unwrap().1).collect();
    assert_eq!(bodies, [&LINES[..49], &LINES[49..], "{}"]);
}

#[tokio::test]
async fn nothing_is_sent_of_a_changed_file_or_an_unknown_one_or_to_another_origin() {
    let bench = Bench::new().await;
    let denied = |error: NetError, wanted: &str| {
        assert_eq!((error.phase, error.kind), (Phase::Policy, NetErrorKind::Upload), "{error}");
        assert!(error.to_string().contains(wanted) && !error.may_have_been_sent(), "{error}");
    };
    let elsewhere = bench.post(&bench.elsewhere.url(), "{{input:0:0:60}}").await;
    denied(elsewhere.unwrap_err(), "own origin");
    denied(bench.post(&bench.server.url(), "{{input:1:0:60}}").await.unwrap_err(), "input 1 is no file");
    fs::write(bench.folder.path().join("Patient.ndjson"), "{}\n").unwrap();
    denied(bench.post(&bench.server.url(), "{{input:0:0:60}}").await.unwrap_err(), "since it was checked");
    assert!(bench.server.came().is_empty() && bench.elsewhere.came().is_empty());
}
