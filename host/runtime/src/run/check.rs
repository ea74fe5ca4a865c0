//! Checking files before anything is sent.

use std::path::PathBuf;

use super::inputs::Local;
use super::{Progress, RunError};
use crate::check::{CheckError, Checked, ToCheck};
use crate::contract::CheckOptions;
use crate::engine::Engine;
use crate::files::{InputSource, OpenInput, discover};

/// Longer lines are a finding and skipped, in bytes.
const LINE_BYTES: u32 = 16 << 20;
/// Findings that are kept; the others are counted.
const FINDINGS: u32 = 1_000;

/// Files, and what was found in them.
#[derive(Clone, Debug, PartialEq)]
pub struct CheckedFiles {
    /// The files, in the order of `checked.files`.
    pub paths: Vec<PathBuf>,
    /// The type that each was announced with, by `Type=` or its name.
    pub declared: Vec<Option<String>>,
    /// What was found.
    pub checked: Checked,
}

/// Finds and checks files, and sends nothing. URLs are left out: whoever has the bytes can check them.
///
/// # Errors
/// [`RunError::Files`] and [`RunError::Check`]; what is wrong *in* a file is a finding.
pub async fn check_files(
    engine: &Engine,
    inputs: &[String],
    say: &mut (dyn FnMut(Progress<'_>) + Send),
) -> Result<CheckedFiles, RunError> {
    let found = discover(inputs).map_err(RunError::Files)?;
    found.skipped.iter().for_each(|skipped| say(Progress::Skipped(skipped)));
    let (mut opened, mut declared) = (Vec::new(), Vec::new());
    for file in found.files {
        match file.source {
            InputSource::Local(path) => {
                opened.push(OpenInput::open(&path).map_err(RunError::Files)?);
                declared.push(file.declared_type);
            }
            remote @ InputSource::Remote(_) => say(Progress::NotChecked(&remote)),
        }
    }
    let inputs: Vec<_> = opened.iter().collect();
    check(engine, &inputs, declared, Samples { size: 0, seed: 0 }, say).await
}

/// How many resources are chosen to be read back, and which.
#[derive(Clone, Copy, Debug)]
pub(super) struct Samples {
    pub(super) size: u32,
    pub(super) seed: u64,
}

/// Checks the local files of an import.
pub(super) async fn check_local(
    engine: &Engine,
    files: &[(&Local, Option<&str>)],
    samples: Samples,
    say: &mut (dyn FnMut(Progress<'_>) + Send),
) -> Result<CheckedFiles, RunError> {
    let inputs: Vec<_> = files.iter().map(|(local, _)| local.input.as_ref()).collect();
    let declared = files.iter().map(|(_, declared)| declared.map(str::to_owned)).collect();
    check(engine, &inputs, declared, samples, say).await
}

async fn check(
    engine: &Engine,
    inputs: &[&OpenInput],
    declared: Vec<Option<String>>,
    samples: Samples,
    say: &mut (dyn FnMut(Progress<'_>) + Send),
) -> Result<CheckedFiles, RunError> {
    say(Progress::Checking { files: inputs.len(), bytes: inputs.iter().map(|input| input.size()).sum() });
    let options = CheckOptions {
        sample_size: samples.size,
        sample_seed: samples.seed,
        max_line_bytes: LINE_BYTES,
        max_findings: FINDINGS,
    };
    let files: Vec<_> = inputs
        .iter()
        .zip(&declared)
        .map(|(input, declared)| ToCheck { input, expected_type: declared.as_deref() })
        .collect();
    let paths: Vec<_> = inputs.iter().map(|input| input.path().to_owned()).collect();
    let checked = crate::check::check(engine, options, &files, &mut |bytes| say(Progress::Read { bytes })).await;
    let checked = checked.map_err(|error| match error {
        CheckError::Read(place, error) => RunError::Read { path: paths[place].clone(), error },
        died @ CheckError::Died(_) => RunError::Check(died),
    })?;
    let files = CheckedFiles { paths, declared, checked };
    say(Progress::Checked(&files));
    Ok(files)
}
