//! Signatures of AWS: what the wire carries, and what a person is told who gives half of a key.

use std::sync::Arc;

use bytes::Bytes;
use fhir_import::net::{AllowList, Origin, PhaseLimits, Sender, TlsRoots};
use fhir_import::secrets::{Credential, Secrets};
use fhir_import::{Network, VirtualClock};
use http::Request;

use crate::harness::cli::{Desk, Ran, ran};
use crate::harness::rig::START_MS;
use crate::harness::scribe::Scribe;

fn key() -> Credential {
    Credential::AwsSigV4 {
        access_key_id: "AKIDEXAMPLE".to_owned(),
        secret_access_key: "CANARY-secret-key".into(),
        session_token: Some("CANARY-session-token".into()),
        region: "us-east-1".to_owned(),
        service: "healthlake".to_owned(),
    }
}

#[tokio::test]
async fn a_request_is_signed_by_the_imports_clock_after_its_secrets_were_filled_in() {
    let server = Scribe::start("", r#"{"message":"signed with CANARY-session-token"}"#).await;
    let url = server.url().parse().unwrap();
    let mut secrets = Secrets::default();
    secrets.authorize(Origin::of(&url).unwrap(), &key()).unwrap();
    secrets.insert("input-1-query", "sig=abcdefgh".into(), [Origin::of(&url).unwrap()]).unwrap();
    let sender = Sender::new(&TlsRoots::default(), PhaseLimits::default()).unwrap();
    let network =
        Network::new(AllowList::new(&url).unwrap(), secrets, Arc::new(sender)).by(Arc::new(VirtualClock::at(START_MS)));
    let body = |query: &str| Bytes::from(format!(r#"{{"InputDataConfig":{{"S3Uri":"s3://b/p?{query}"}}}}"#));
    let request = |body| {
        let request = Request::post(format!("{}/r4/$import?x=1", server.url()));
        request.header("Content-Type", "application/json").body(body).unwrap()
    };
    let filled_by_host = network.exchange(request(body("{{secret:input-1-query}}"))).await.unwrap();
    network.exchange(request(body("sig=abcdefgh"))).await.unwrap();

    let came = server.came();
    assert_eq!(came[0], came[1], "what is signed is what is sent");
    assert!(came[0].contains("x-amz-date: 20260101T000000Z"), "{}", came[0]);
    assert!(came[0].contains("Credential=AKIDEXAMPLE/20260101/us-east-1/healthlake/aws4_request"), "{}", came[0]);
    assert!(came[0].contains("x-amz-security-token: CANARY-session-token"), "{}", came[0]);
    let answer = String::from_utf8(filled_by_host.body.to_vec()).unwrap();
    assert_eq!(answer, r#"{"message":"signed with {{secret:authorization}}"}"#);
}

fn detect(desk: &Desk, args: &[&str], env: &[(&str, &str)]) -> Ran {
    let mut command = desk.command(["detect", "http://127.0.0.1:9/fhir"].iter().chain(args));
    ran(&command.envs(env.iter().copied()).output().unwrap())
}

#[test]
fn half_of_a_key_and_two_credentials_are_mistakes_that_are_named() {
    let desk = Desk::new();
    let token = desk.write("token", "t");
    let id = ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE");
    let key = ("AWS_SECRET_ACCESS_KEY", "CANARY-secret-key");
    let region = ["--aws-region", "us-east-1"];
    for (args, env, wanted) in [
        (&region[..], &[][..], "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"),
        (&region, &[id], "with a key: set AWS_SECRET_ACCESS_KEY"),
        (&region, &[key, ("AWS_ACCESS_KEY_ID", "")], "with a key: set AWS_ACCESS_KEY_ID"),
        (&region, &[id, key, ("FHIR_IMPORT_BEARER", "t")], "--aws-region and FHIR_IMPORT_BEARER are both set"),
        (&["--aws-region", "us east"], &[id, key], "written like us-east-1"),
        (&["--aws-region", "us-east-1", "--bearer-file", token.to_str().unwrap()], &[id, key], "cannot be used with"),
        (&["--aws-region", "us-east-1", "--basic-file", token.to_str().unwrap()], &[id, key], "cannot be used with"),
    ] {
        let told = detect(&desk, args, env);
        assert!(told.code == 2 && told.stderr.contains(wanted), "{wanted}: {told:?}");
        assert!(!told.said().contains("CANARY"), "{told:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_region_and_a_key_in_the_environment_sign_every_request() {
    let server = Scribe::start("Content-Type: application/json\r\n", "{}").await;
    let desk = Desk::new();
    let mut command = desk.command(["detect", &server.url()]);
    command.env("FHIR_IMPORT_AWS_REGION", "eu-west-1/other");
    command.env("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE").env("AWS_SECRET_ACCESS_KEY", "CANARY-secret-key");
    let told = ran(&command.output().unwrap());
    let came = server.came();
    assert!(!came.is_empty(), "{told:?}");
    for request in came {
        assert!(request.contains("/eu-west-1/other/aws4_request, SignedHeaders="), "{request}");
        assert!(!request.contains("x-amz-security-token"), "{request}");
    }
}
