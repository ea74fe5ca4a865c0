//! What each practice server wants of those who import to it.

use fhir_import::secrets::Credential;
use fhir_import_sandbox::Personality;

/// Where the documents of a plan are.
pub const DOCUMENTS: &str = "http://documents.example.org/d";

/// Where a server looks for files.
#[must_use]
pub fn folder(server: Personality) -> &'static str {
    match server {
        Personality::Google => "gs://bucket/in/",
        Personality::Healthlake => "s3://bucket/in/",
        Personality::Ibm => "https://files.example.org/in/",
        Personality::Microsoft => "https://practice.blob.core.windows.net/in/",
        Personality::Onfhir => "file:///data/in/",
        Personality::Pathling | Personality::Pathling7 => "file:///usr/share/staging/in/",
        _ => "http://files.example.org/in/",
    }
}

/// What an operator has to say for a server.
#[must_use]
pub fn settings(server: Personality) -> Vec<(String, String)> {
    let said: &[(&str, &str)] = match server {
        Personality::BulkSubmit | Personality::BulkSubmitArgonaut => &[("submitter", "registry")],
        Personality::Healthlake => &[
            ("datastore-id", "32839038a2f47f17c2fe0f53f0c3a0ba"),
            ("role-arn", "arn:aws:iam::123456789012:role/Import"),
            ("output", "s3://bucket/out/"),
            ("kms-key", "arn:aws:kms:us-east-1:123456789012:key/k"),
        ],
        Personality::UdsPlus => &[("uei", "ABCDEFGHJKL1"), ("grant-number", "H80CS00001"), ("hc-name", "Valley")],
        _ => &[],
    };
    said.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// What a server wants requests to come with, however healthy it is.
#[must_use]
pub fn credential(server: Personality) -> Option<Credential> {
    (server == Personality::Healthlake).then(|| Credential::AwsSigV4 {
        access_key_id: "AKIDEXAMPLE".to_owned(),
        secret_access_key: "secret".into(),
        session_token: None,
        region: "us-east-1".to_owned(),
        service: "healthlake".to_owned(),
    })
}
