//! `StartFHIRImportJob`: everything below a prefix of a bucket.

use super::call::{Refused, answer};
use super::job;
use super::{DATASTORE, HealthLake, id_of};
use crate::job::Unstarted;
use crate::ledger::{Entry, Starter};
use crate::reply::retry_after;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::Response;
use serde_json::{Value, json};
use std::sync::Arc;

/// An order that can be understood, and its text.
#[derive(Clone)]
pub(super) struct Order(pub(super) Value);

pub(super) async fn start(State(lake): State<Arc<HealthLake>>, body: Bytes) -> Response {
    let script = lake.server.script();
    if !script.import_enabled {
        return Refused::new("UnknownOperationException", "").into_response();
    }
    let order = match Order::read(&body) {
        Ok(order) => order,
        Err(refused) => return refused.into_response(),
    };
    let id = lake.new_id();
    let entry = Entry::new(Starter::KickOff, lake.status_url(&id), body, lake.server.now());
    let known = |known: &Entry, wanted: &Entry| same_token(known, wanted);
    let work = job::run(Arc::clone(&lake.server), script, order);
    match lake.jobs.start(id.clone(), entry, known, work).await {
        Ok(()) => answer(&lake, &submitted(&id)),
        Err(Unstarted::Known(job)) => answer(&lake, &submitted(id_of(&job.entry))),
        Err(Unstarted::Full) => {
            let busy = Refused::new("ThrottlingException", "Rate exceeded").into_response();
            retry_after(busy, &lake.server, "")
        }
    }
}

fn submitted(id: &str) -> Value {
    json!({"JobId": id, "JobStatus": "SUBMITTED", "DatastoreId": DATASTORE})
}

/// The same token means the same job. What happens when the rest differs is not documented.
fn same_token(known: &Entry, wanted: &Entry) -> bool {
    let token = |entry: &Entry| {
        serde_json::from_slice::<Value>(&entry.kick_off).ok()?["ClientToken"].as_str().map(str::to_owned)
    };
    token(known).is_some_and(|token_of_known| token(wanted).as_ref() == Some(&token_of_known))
}

/// The body of a job that somebody else started.
pub(super) fn foreign(source: &str) -> String {
    json!({"JobName": source.chars().take(64).collect::<String>(), "InputDataConfig": {"S3Uri": "s3://somebody-else/"},
        "JobOutputDataConfig": {"S3Configuration": {"S3Uri": "s3://somebody-else/out/", "KmsKeyId": "k"}},
        "DatastoreId": DATASTORE, "DataAccessRoleArn": "arn:aws:iam::012345678910:role/Somebody"})
    .to_string()
}

impl Order {
    fn read(body: &[u8]) -> Result<Self, Refused> {
        let order: Value = serde_json::from_slice(body).map_err(|_| Refused::new("SerializationException", ""))?;
        let text = |path: &str| order.pointer(path).and_then(Value::as_str);
        let output = "/JobOutputDataConfig/S3Configuration";
        for (path, member) in [
            ("/InputDataConfig/S3Uri", "inputDataConfig"),
            ("/JobOutputDataConfig/S3Configuration/S3Uri", "jobOutputDataConfig"),
            ("/JobOutputDataConfig/S3Configuration/KmsKeyId", "jobOutputDataConfig.s3Configuration.kmsKeyId"),
            ("/DatastoreId", "datastoreId"),
            ("/DataAccessRoleArn", "dataAccessRoleArn"),
        ] {
            text(path).ok_or_else(|| Refused::invalid(member, "null", "Member must not be null"))?;
        }
        for (member, uri) in [
            ("/InputDataConfig/S3Uri".to_owned(), "inputDataConfig.s3Uri"),
            (format!("{output}/S3Uri"), "jobOutputDataConfig.s3Configuration.s3Uri"),
        ] {
            matches(uri, text(&member), "s3://{0,1}.*", is_bucket)?;
        }
        matches("dataAccessRoleArn", text("/DataAccessRoleArn"), "arn:aws(-[^:]+)?:iam::[0-9]{12}:role/.+", is_role)?;
        matches("clientToken", text("/ClientToken"), "^[a-zA-Z0-9-]+$", is_token)?;
        matches("validationLevel", text("/ValidationLevel"), "[strict, structure-only, minimal]", is_level)?;
        store(text("/DatastoreId").unwrap_or_default())?;
        Ok(Self(order))
    }

    pub(super) fn prefix(&self) -> &str {
        self.0["InputDataConfig"]["S3Uri"].as_str().unwrap_or_default()
    }
}

/// The only data store is the one of the examples.
pub(super) fn store(id: &str) -> Result<(), Refused> {
    if id == DATASTORE {
        return Ok(());
    }
    Err(Refused::new("ResourceNotFoundException", format!("Data store with id {id} does not exist.")))
}

fn matches(member: &str, value: Option<&str>, pattern: &str, test: fn(&str) -> bool) -> Result<(), Refused> {
    match value.filter(|value| !test(value)) {
        None => Ok(()),
        Some(value) => {
            let constraint = format!("Member must satisfy regular expression pattern: {pattern}");
            Err(Refused::invalid(member, &format!("'{value}'"), &constraint))
        }
    }
}

fn is_bucket(uri: &str) -> bool {
    uri.strip_prefix("s3://").is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'))
}

fn is_role(arn: &str) -> bool {
    let mut parts = arn.splitn(6, ':');
    let mut next = || parts.next().unwrap_or_default();
    let (arn, partition, iam, region, account, role) = (next(), next(), next(), next(), next(), next());
    arn == "arn"
        && (partition == "aws" || partition.starts_with("aws-"))
        && (iam, region) == ("iam", "")
        && account.len() == 12
        && account.bytes().all(|digit| digit.is_ascii_digit())
        && role.strip_prefix("role/").is_some_and(|name| !name.is_empty())
}

fn is_token(token: &str) -> bool {
    (1..=64).contains(&token.len()) && token.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

fn is_level(level: &str) -> bool {
    ["strict", "structure-only", "minimal"].contains(&level)
}
