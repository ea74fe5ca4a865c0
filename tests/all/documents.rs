//! Documents that a plan asks to publish: noted with the import, served beside its files, also by another process.

use fhir_import::contract::{Decision, Document, Request, Started, Transition};
use fhir_import::journal::{Holder, Journal, SameInputs};
use fhir_import::run::{
    self, Access, DialectWanted, DocumentNote, InputSecrets, Prepared, Run, RunOptions, Server, Setup,
};
use fhir_import::serve::CapabilityPath;
use fhir_import::{Begin, Call, CallError, Decisions, DriveError, Importer, Moved, SharedClock, begin, begin_started};
use fhir_import_sandbox::{Config, Personality, Sandbox, Script};
use tempfile::TempDir;

use crate::harness::http::get;
use crate::harness::rig::{Rig, engine};

const PATIENT: &str = "{\"resourceType\":\"Patient\",\"id\":\"p1\"}\n";
const MANIFEST: &str = r#"{"output":[{"type":"Patient","url":"http://files.example.org/Patient.ndjson"}]}"#;

async fn prepared(setup: &Setup, server: &Sandbox, inputs: &[&str]) -> Box<Run> {
    let inputs: Vec<String> = inputs.iter().map(|input| (*input).to_owned()).collect();
    let mut options = RunOptions::new(Server::parse(&server.base_url()).unwrap(), inputs);
    options.dialect = DialectWanted::Named("hapi".to_owned());
    match run::prepare(setup, &options, &mut |_| {}).await.unwrap() {
        Prepared::New(run) => run,
        Prepared::Known(_) | Prepared::Unfinished(_) => panic!("nothing was imported before"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_process_serves_documents_and_files_where_they_were() {
    let server =
        Sandbox::start(Config { personality: Personality::Hapi, port: 0, script: Script::default() }).await.unwrap();
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("Patient.ndjson");
    std::fs::write(&file, PATIENT).unwrap();
    let setup = Setup::in_folder(engine(), folder.path()).unwrap();
    let run = prepared(&setup, &server, &[file.to_str().unwrap()]).await;
    let (id, mut notes) = (run.id(), run.notes().clone());
    let file_url = run.file_server().unwrap().url_of(0).unwrap().to_string();
    drop(run);

    let served = CapabilityPath::new([5; 16], "manifests/1.json").unwrap();
    let note = DocumentNote { served, media_type: "application/json".to_owned(), content: MANIFEST.to_owned() };
    notes.documents.push(note);
    let lease = setup.journal.lease(&id, &Holder::this_process(setup.clock.now_ms())).unwrap();
    setup.journal.append_host(&lease, &notes.encode()).unwrap();
    drop(lease);

    let again = run::resume(&setup, id, &Access::default(), InputSecrets::default()).await.unwrap();
    let url = again.file_server().unwrap().document_url(0).unwrap().to_string();
    let port = |url: &str| url.parse::<url::Url>().unwrap().port();
    assert_eq!(port(&url), port(&file_url));
    let answer = tokio::task::spawn_blocking(move || (get(&url), get(&file_url))).await.unwrap();
    assert_eq!((answer.0.status, answer.0.body.as_str()), (200, MANIFEST));
    assert_eq!(answer.0.header("content-type"), Some("application/json"));
    assert_eq!((answer.1.status, answer.1.body.as_str()), (200, PATIENT));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_files_and_documents_nothing_is_served() {
    let server =
        Sandbox::start(Config { personality: Personality::Hapi, port: 0, script: Script::default() }).await.unwrap();
    let setup = Setup::in_memory(engine());
    let run = prepared(&setup, &server, &["Patient=HTTPS://Files.example.org/a+b/./*%2f.ndjson"]).await;
    assert!(run.file_server().is_none() && run.notes().serve.is_none());
    run.drive(&fhir_import::Stop::default(), &mut |_: &fhir_import::contract::Event| {}).await.unwrap();
    let kick_off = server.log().into_iter().find(|seen| seen.method == "POST").unwrap();
    let body = String::from_utf8(kick_off.body).unwrap();
    assert!(body.contains("\"HTTPS://Files.example.org/a+b/./*%2f.ndjson\""), "{body}");
}

/// The real decisions, and a document beside each plan.
struct WithDocument(Importer);

impl Decisions for WithDocument {
    fn clock(&self) -> &SharedClock {
        self.0.clock()
    }

    async fn start(&self, request: &Request) -> Result<Started, CallError> {
        let started = self.0.start(request).await?;
        let document = Document {
            name: "manifest.json".to_owned(),
            media_type: "application/json".to_owned(),
            content: MANIFEST.to_owned(),
        };
        Ok(Started { documents: vec![document], ..started })
    }

    async fn call(&self, call: Call, plan: &str, checkpoint: &str) -> Result<Moved, CallError> {
        self.0.call(call, plan, checkpoint).await
    }

    async fn resolve(&self, plan: &str, checkpoint: &str, decision: &Decision) -> Result<Transition, CallError> {
        self.0.resolve(plan, checkpoint, decision).await
    }
}

#[tokio::test]
async fn a_plan_whose_documents_nobody_publishes_is_not_begun() {
    let rig = Rig::new(Personality::Hapi, Script::default()).await;
    let mut request = rig.request(&[("Patient", PATIENT)]);
    request.documents_url = Some("http://127.0.0.1:9/documents".to_owned());
    let new = || Begin {
        request: &request,
        key: None,
        inputs_digest: "digest".to_owned(),
        server: request.base_url.clone(),
        host: "{}".to_owned(),
        same_inputs: SameInputs::Allow,
    };
    let decisions = WithDocument(rig.importer.clone());
    let refused = begin(&decisions, &rig.journal, new()).await.unwrap_err();
    assert!(matches!(&refused, DriveError::Call(CallError::Refused(_))), "{refused:?}");
    assert!(rig.journal.load(&request.id.parse().unwrap()).is_err(), "nothing is stored");

    let started = decisions.start(&request).await.unwrap();
    let id = begin_started(rig.clock.as_ref(), &rig.journal, new(), started).unwrap();
    assert!(rig.journal.load(&id).is_ok());
}
