//! Restate from outside: its ingress takes calls of handlers, its admin API the addresses of workers.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use fhir_import::contract::{Decision, Next, Request, Status};
use fhir_import::net::{Permission, PhaseLimits, Sender, TlsRoots};
use http::StatusCode;
use http_body_util::{BodyExt, Full};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::imports::Stored;

/// Where Restate is, and where it finds the workers.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// URL of the ingress.
    pub ingress: String,
    /// URL of the admin API.
    pub admin: String,
    /// URL at which Restate reaches the workers: one for all of them, so that another one takes over from one that died.
    pub workers: String,
    /// The address that a worker listens on.
    pub listen: std::net::SocketAddr,
    /// The public key of this Restate, `publickeyv1_…`: calls of others are refused then.
    #[serde(default)]
    pub identity: Option<String>,
}

/// Begins imports, and asks about them.
pub struct Restate {
    place: Place,
    sender: Sender,
}

impl Restate {
    /// Sends nothing yet.
    ///
    /// # Errors
    /// When the system's authorities cannot be read.
    pub fn new(place: Place) -> Result<Self> {
        Ok(Self { place, sender: Sender::new(&TlsRoots::default(), PhaseLimits::default())? })
    }

    /// Tells Restate where the workers are. They must be there already: it asks them what they offer.
    ///
    /// # Errors
    /// When Restate cannot be reached, or cannot reach a worker.
    pub async fn register(&self) -> Result<()> {
        let url = format!("{}/deployments", self.place.admin.trim_end_matches('/'));
        self.ask(&url, Some(json!({ "uri": self.place.workers }).to_string())).await.map(drop)
    }

    /// Hands an import to Restate, which drives it from now on. The same id again starts no second one.
    ///
    /// # Errors
    /// What cannot be done, in the words of whoever refused it.
    pub async fn begin(&self, request: &Request) -> Result<()> {
        self.call(&request.id, "begin", Some(&request)).await.map(drop)
    }

    /// Hands in a decision.
    ///
    /// # Errors
    /// What cannot be done, in the words of whoever refused it.
    pub async fn decide(&self, id: &str, decision: &Decision) -> Result<()> {
        self.call(id, "decide", Some(&decision)).await.map(drop)
    }

    /// Where an import stands.
    ///
    /// # Errors
    /// When there is no such import.
    pub async fn status(&self, id: &str) -> Result<Status> {
        read(&self.call(id, "status", None::<&()>).await?)
    }

    /// Waits until an import is over or paused.
    ///
    /// # Errors
    /// When there is no such import, or it cannot go on; the sentence says why.
    pub async fn result(&self, id: &str) -> Result<Next> {
        let mut pause = Duration::from_millis(100);
        loop {
            let stored: Stored = read(&self.call(id, "look", None::<&()>).await?)?;
            match (stored.mistake, stored.next) {
                (Some(mistake), _) => {
                    bail!("the import stands still: {mistake}. Mend that, then start it again: it goes on where it is")
                }
                (None, next @ (Next::Done(_) | Next::Paused(_))) => return Ok(next),
                (None, _) => tokio::time::sleep(pause).await,
            }
            pause = (pause * 2).min(Duration::from_secs(2));
        }
    }

    async fn call(&self, id: &str, handler: &str, input: Option<&impl Serialize>) -> Result<String> {
        if id.len() != 32 || !id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            bail!("{id:?} is no id of an import: it has 32 hex digits");
        }
        let url = format!("{}/FhirImport/{id}/{handler}", self.place.ingress.trim_end_matches('/'));
        self.ask(&url, input.map(serde_json::to_string).transpose()?).await
    }

    async fn ask(&self, url: &str, body: Option<String>) -> Result<String> {
        let request = http::Request::post(url);
        let request = if body.is_some() { request.header("content-type", "application/json") } else { request };
        let request = request.body(Full::new(Bytes::from(body.unwrap_or_default())))?;
        let answer = self.sender.send(request, Permission::AnyAddress).await;
        let answer = answer.context("Restate cannot be asked: is it there, and is a worker?")?;
        let status = answer.status();
        let text = String::from_utf8(answer.into_body().collect().await?.to_bytes().to_vec())?;
        if status.is_success() { Ok(text) } else { bail!("{}", words(status, &text)) }
    }
}

fn read<T: DeserializeOwned>(text: &str) -> Result<T> {
    serde_json::from_str(text).context("Restate's answer is not ours: is it another version's?")
}

fn words(status: StatusCode, text: &str) -> String {
    let message = serde_json::from_str::<Value>(text).ok().and_then(|said| Some(said["message"].as_str()?.to_owned()));
    message.unwrap_or_else(|| format!("Restate answers {status}"))
}
