//! Credentials and trust, from files and variables.

use std::path::Path;
use std::{env, fs};

use fhir_import::run::Access;
use fhir_import::secrets::{Credential, Secret};

use crate::args::AccessArgs;
use crate::exit::Failure;

/// Reads what the arguments name.
pub fn access(args: AccessArgs) -> Result<Access, Failure> {
    let credential = match (&args.bearer_file, &args.basic_file) {
        (Some(_), Some(_)) => {
            let text = "--bearer-file and --basic-file are both set (perhaps in fhir-import.toml); leave one out";
            return Err(Failure::usage(text));
        }
        (Some(file), None) => Some(bearer(&content(file)?)),
        (None, Some(file)) => Some(basic(&content(file)?, &file.display().to_string())?),
        (None, None) => from_environment()?,
    };
    Ok(Access { allow: args.allow_origin, ca: args.ca, credential })
}

fn from_environment() -> Result<Option<Credential>, Failure> {
    match (env::var("FHIR_IMPORT_BEARER"), env::var("FHIR_IMPORT_BASIC")) {
        (Ok(_), Ok(_)) => Err(Failure::usage("FHIR_IMPORT_BEARER and FHIR_IMPORT_BASIC are both set; unset one")),
        (Ok(token), Err(_)) => Ok(Some(bearer(&token))),
        (Err(_), Ok(text)) => basic(&text, "FHIR_IMPORT_BASIC").map(Some),
        (Err(_), Err(_)) => Ok(None),
    }
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
