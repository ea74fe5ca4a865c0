//! Credentials and trust, from files and variables.

use std::path::Path;
use std::{env, fs};

use fhir_import::run::Access;
use fhir_import::secrets::{Credential, Secret};

use crate::args::AccessArgs;
use crate::context::{Context, quoted};
use crate::exit::Failure;

/// The service that is meant when only a region is named.
const AWS_SERVICE: &str = "healthlake";

/// What was given to be sent as a credential, in words: a server that wants another one does not say what it got.
#[derive(Clone, Debug, Default)]
pub struct Given {
    /// Its kind and where it comes from; none when nothing was given.
    pub what: Option<String>,
    /// The flags that give it once more.
    flags: String,
}

impl Given {
    fn of(args: &AccessArgs, credential: Option<&Credential>) -> Self {
        let kind = match credential {
            None => return Self::default(),
            Some(Credential::AwsSigV4 { .. }) => "a signature with an AWS key",
            Some(Credential::Basic { .. }) => "a user name and password",
            Some(_) => "a bearer token",
        };
        let file = |flag: &str, path: &Path| format!("{flag} {}", quoted(&path.display().to_string()));
        let bearer = args.bearer_file.as_deref().map(|path| file("--bearer-file", path));
        let basic = args.basic_file.as_deref().map(|path| file("--basic-file", path));
        let aws = args.aws_region.as_deref().map(|region| format!("--aws-region {}", quoted(region)));
        let flags = bearer.or(basic).or(aws);
        let variable = match credential {
            Some(Credential::Basic { .. }) => "FHIR_IMPORT_BASIC",
            _ => "FHIR_IMPORT_BEARER",
        };
        let place = flags.as_deref().unwrap_or(variable);
        Self { what: Some(format!("{kind} ({place})")), flags: flags.unwrap_or_default() }
    }

    /// What the server was given, and how to give something else.
    pub fn advice(&self) -> String {
        let ways = "FHIR_IMPORT_BEARER or --bearer-file FILE (a token), FHIR_IMPORT_BASIC or --basic-file FILE \
                    (user:password), --aws-region REGION (a key of AWS)";
        match &self.what {
            None => format!("This command was given no credential. Give one: {ways}."),
            Some(what) => format!("This command was given {what}. Renew it, or give another one: {ways}."),
        }
    }

    /// The flags for the next command, with a space before them.
    pub fn next_flags(&self) -> String {
        match &self.what {
            None => " --bearer-file FILE".to_owned(),
            Some(_) if self.flags.is_empty() => String::new(),
            Some(_) => format!(" {}", self.flags),
        }
    }
}

/// Reads what the arguments name.
pub fn access(cx: &Context, args: AccessArgs) -> Result<Access, Failure> {
    let credential = credential(&args)?;
    cx.was_given(Given::of(&args, credential.as_ref()));
    Ok(Access { allow: args.allow_origin, ca: args.ca, credential, record: args.record })
}

/// Where a credential can come from. A flag, or its line in the file, wins over the variable that holds it.
enum Named<'a> {
    Aws(&'a str),
    BasicFile(&'a Path),
    BearerFile(&'a Path),
}

fn credential(args: &AccessArgs) -> Result<Option<Credential>, Failure> {
    let named = [
        args.bearer_file.as_deref().map(Named::BearerFile),
        args.basic_file.as_deref().map(Named::BasicFile),
        args.aws_region.as_deref().map(Named::Aws),
    ];
    let named: Vec<Named<'_>> = named.into_iter().flatten().collect();
    match named[..] {
        [] => from_environment(),
        [Named::Aws(region)] => aws(region).map(Some),
        [Named::BasicFile(file)] => basic(&content(file)?, &file.display().to_string()).map(Some),
        [Named::BearerFile(file)] => Ok(Some(bearer(&content(file)?))),
        _ => Err(Failure::usage(
            "of --bearer-file, --basic-file and --aws-region more than one is set (perhaps in fhir-import.toml); leave one",
        )),
    }
}

fn from_environment() -> Result<Option<Credential>, Failure> {
    match (env::var("FHIR_IMPORT_BEARER"), env::var("FHIR_IMPORT_BASIC")) {
        (Ok(_), Ok(_)) => Err(Failure::usage("FHIR_IMPORT_BEARER and FHIR_IMPORT_BASIC are both set; unset one")),
        (Ok(token), Err(_)) => Ok(Some(bearer(&token))),
        (Err(_), Ok(text)) => basic(&text, "FHIR_IMPORT_BASIC").map(Some),
        (Err(_), Err(_)) => Ok(None),
    }
}

/// The variables are those of AWS's own tools; another credential beside them would not be sent.
fn aws(typed: &str) -> Result<Credential, Failure> {
    if let Some(other) = ["FHIR_IMPORT_BEARER", "FHIR_IMPORT_BASIC"].into_iter().find(|name| env::var(name).is_ok()) {
        return Err(Failure::usage(format!("--aws-region and {other} are both set; leave one")));
    }
    let (region, service) = typed.split_once('/').unwrap_or((typed, AWS_SERVICE));
    let wanted = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"];
    let [Some(access_key_id), Some(secret_access_key)] = wanted.map(variable) else {
        let missing: Vec<&str> = wanted.into_iter().filter(|name| variable(name).is_none()).collect();
        return Err(Failure::usage(format!("--aws-region signs requests with a key: set {}", missing.join(" and "))));
    };
    Ok(Credential::AwsSigV4 {
        access_key_id,
        secret_access_key: Secret::from(secret_access_key),
        session_token: variable("AWS_SESSION_TOKEN").map(Secret::from),
        region: region.to_owned(),
        service: service.to_owned(),
    })
}

/// What is set to nothing is not set.
fn variable(name: &str) -> Option<String> {
    env::var(name).ok().map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
}

fn content(file: &Path) -> Result<String, Failure> {
    let text = fs::read_to_string(file);
    text.map_err(|error| Failure::usage(format!("{} cannot be read: {error}", file.display())))
}

/// Editors end files with a line end, which is no part of a token.
fn bearer(text: &str) -> Credential {
    Credential::Bearer(Secret::from(text.trim()))
}

fn basic(text: &str, place: &str) -> Result<Credential, Failure> {
    let text = text.trim_end_matches(['\r', '\n']);
    let (user, password) =
        text.split_once(':').ok_or_else(|| Failure::usage(format!("{place} must hold user:password")))?;
    Ok(Credential::Basic { user: user.to_owned(), password: Secret::from(password) })
}
