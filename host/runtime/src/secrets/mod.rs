//! The secrets that the sandbox never sees.
//!
//! Outside of the host a secret is a placeholder, `{{secret:NAME}}`. [`Secrets::outgoing`] puts the values in when a
//! request leaves, toward the origins that a secret is for and nowhere else; [`Secrets::hide`] puts the placeholders
//! back into what a server answers. [`Secrets::sign`] has the last word on a request, where the credential is a key.

mod credential;
mod error;
mod hiding;
mod placeholder;
mod sigv4;
mod value;

use std::collections::BTreeMap;

use http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Uri, request::Parts};
use url::Url;

use crate::net::Origin;

pub use credential::Credential;
pub use error::{Missing, MissingSecret, SecretError};
pub use value::Secret;

use credential::Authorization;
use hiding::Hiding;
use placeholder::{fill, is_name, names_in, placeholder, whole};

/// The name under which credentials are hidden; no secret may have it, so that what was hidden cannot be asked for.
const CREDENTIAL_NAME: &str = "authorization";

/// Named secrets and credentials, each with the origins that it is for.
#[derive(Clone, Debug, Default)]
pub struct Secrets {
    named: BTreeMap<String, Named>,
    credentials: BTreeMap<Origin, Authorization>,
    hiding: Hiding,
}

#[derive(Clone, Debug)]
struct Named {
    value: Secret,
    origins: Vec<Origin>,
}

impl Secrets {
    /// Adds a secret that is put in for `{{secret:NAME}}` toward `origins`; one of the same name is replaced.
    ///
    /// # Errors
    ///
    /// When the name is not 1 to 64 of `A-Z a-z 0-9 _ . -`, or is `authorization`.
    pub fn insert(
        &mut self,
        name: &str,
        value: Secret,
        origins: impl IntoIterator<Item = Origin>,
    ) -> Result<(), SecretError> {
        if !is_name(name) || name == CREDENTIAL_NAME {
            return Err(SecretError::Name(name.to_owned()));
        }
        self.hiding.add(value.expose(), &placeholder(name));
        self.named.insert(name.to_owned(), Named { value, origins: origins.into_iter().collect() });
        Ok(())
    }

    /// Adds the credential for an origin; an earlier one is replaced.
    ///
    /// # Errors
    ///
    /// When the credential cannot be put into a header, or cannot sign.
    pub fn authorize(&mut self, origin: Origin, credential: &Credential) -> Result<(), SecretError> {
        let authorization = credential.authorization()?;
        for form in credential.forms() {
            self.hiding.add(form.expose(), &placeholder(CREDENTIAL_NAME));
        }
        self.credentials.insert(origin, authorization);
        Ok(())
    }

    /// Makes a request ready to leave toward `origin`, which must be where it is sent: puts secrets in for
    /// placeholders, and adds the origin's credential as `Authorization` (but a key's signature, see [`Secrets::sign`]) unless the request has one.
    ///
    /// Placeholders are read in three places: a header value that is nothing else, the query string, and the strings
    /// of a JSON body. `Content-Length` follows the body.
    ///
    /// # Errors
    ///
    /// When a placeholder cannot be filled. The request is then half done and must not be sent.
    pub fn outgoing(
        &self,
        parts: &mut Parts,
        body: Option<&mut Vec<u8>>,
        origin: &Origin,
    ) -> Result<(), MissingSecret> {
        self.fill_headers(&mut parts.headers, origin)?;
        self.fill_query(&mut parts.uri, origin)?;
        if let Some(body) = body.filter(|_| is_json(&parts.headers)) {
            self.fill_body(&mut parts.headers, body, origin)?;
        }
        if let Some(Authorization::Header(header)) = self.credentials.get(origin)
            && !parts.headers.contains_key(AUTHORIZATION)
        {
            parts.headers.insert(AUTHORIZATION, header.clone());
        }
        Ok(())
    }

    /// Signs a request that is otherwise ready to leave toward `url`, when the credential of its origin is a key, unless
    /// the request has an `Authorization`. Nothing of it may change afterwards.
    pub fn sign(&self, parts: &mut Parts, body: &[u8], url: &Url, now_ms: u64) {
        let Ok(origin) = Origin::of(url) else { return };
        if let Some(Authorization::Signature(signer)) = self.credentials.get(&origin)
            && !parts.headers.contains_key(AUTHORIZATION)
        {
            signer.sign(parts, body, url, now_ms);
        }
    }

    /// Puts placeholders in for all known secrets, also where they are spelled with JSON escapes or percent-encoded.
    ///
    /// Secrets shorter than 8 bytes stay: replacing `demo` everywhere would damage the answer and protect nothing. A
    /// secret that is cut by the end of `bytes` is not seen, so an answer is hidden as a whole.
    pub fn hide(&self, bytes: &mut Vec<u8>) {
        if let Some(hidden) = self.hiding.hide(bytes) {
            *bytes = hidden;
        }
    }

    /// Does the same for the headers of an answer.
    pub fn hide_headers(&self, headers: &mut HeaderMap) {
        for value in headers.values_mut() {
            let hidden = self.hiding.hide(value.as_bytes());
            if let Some(hidden) = hidden.and_then(|hidden| HeaderValue::from_bytes(&hidden).ok()) {
                *value = hidden;
            }
        }
    }

    fn fill_headers(&self, headers: &mut HeaderMap, origin: &Origin) -> Result<(), MissingSecret> {
        for value in headers.values_mut() {
            if let Some(name) = whole(value.as_bytes()) {
                let secret = self.value(name, origin)?;
                *value = sensitive(secret.expose()).ok_or_else(|| MissingSecret::new(name, Missing::Unusable))?;
            } else if let Some(name) = names_in(value.as_bytes()).next() {
                return Err(MissingSecret::new(name, Missing::NotASlot));
            }
        }
        Ok(())
    }

    fn fill_query(&self, uri: &mut Uri, origin: &Origin) -> Result<(), MissingSecret> {
        let Some(query) = uri.query() else { return Ok(()) };
        let filled = fill(query.as_bytes(), |name| {
            let value = self.value(name, origin)?.expose();
            let plain = value.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#');
            plain.then(|| value.to_owned()).ok_or_else(|| MissingSecret::new(name, Missing::Unusable))
        })?;
        let Some(filled) = filled else { return Ok(()) };
        let unusable = || {
            let name = names_in(query.as_bytes()).next().unwrap_or_default();
            MissingSecret::new(name, Missing::Unusable)
        };
        let path_and_query = [uri.path().as_bytes(), b"?", &filled].concat();
        let mut pieces = uri.clone().into_parts();
        pieces.path_and_query = Some(path_and_query.as_slice().try_into().map_err(|_| unusable())?);
        *uri = Uri::from_parts(pieces).map_err(|_| unusable())?;
        Ok(())
    }

    fn fill_body(&self, headers: &mut HeaderMap, body: &mut Vec<u8>, origin: &Origin) -> Result<(), MissingSecret> {
        let filled = fill(body, |name| Ok(escaped(self.value(name, origin)?.expose())))?;
        if let Some(filled) = filled {
            *body = filled;
            if headers.contains_key(CONTENT_LENGTH) {
                headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
            }
        }
        Ok(())
    }

    fn value(&self, name: &str, origin: &Origin) -> Result<&Secret, MissingSecret> {
        let named = self.named.get(name).ok_or_else(|| MissingSecret::new(name, Missing::Unknown))?;
        let meant = named.origins.contains(origin);
        meant.then_some(&named.value).ok_or_else(|| MissingSecret::new(name, Missing::OtherOrigin(origin.clone())))
    }
}

/// A header value that logs and HPACK tables keep out.
fn sensitive(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// `application/json`, `application/fhir+json` and other `+json` (RFC 6839 §3.1).
fn is_json(headers: &HeaderMap) -> bool {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    media_type == "application/json" || media_type.ends_with("+json")
}

/// The inside of a JSON string (RFC 8259 §7).
fn escaped(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

#[cfg(test)]
mod tests;
