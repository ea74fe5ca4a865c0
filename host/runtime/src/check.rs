//! Whoever holds the bytes feeds `records.wasm`: input files are checked without any of them being held in memory.

use std::io;

use wasmtime::Store;
use wasmtime::component::ResourceAny;

use crate::contract::records_world::RecordsComponent;
use crate::contract::{CheckOptions, FileSummary, Finding, Summary};
use crate::engine::Engine;
use crate::files::OpenInput;
use crate::store::{Computes, RecordsState};

/// How much is fed at a time.
const CHUNK: usize = 1 << 20;

/// Why a check did not come to its end.
#[derive(Debug)]
pub enum CheckError {
    /// A file could not be read; its place in the list.
    Read(usize, io::Error),
    /// The component broke a limit or died.
    Died(wasmtime::Error),
}

impl std::fmt::Display for CheckError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Read(..) => f.write_str("a file could not be read"),
            Self::Died(_) => f.write_str("the component that reads records died"),
        }
    }
}

impl std::error::Error for CheckError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Read(_, error) => Some(error),
            Self::Died(error) => Some(error.as_ref()),
        }
    }
}

/// A file to be checked.
#[derive(Debug, Clone, Copy)]
pub struct ToCheck<'a> {
    /// The file.
    pub input: &'a OpenInput,
    /// The type that its resources should have.
    pub expected_type: Option<&'a str>,
}

/// What a check found.
#[derive(Debug, Clone, PartialEq)]
pub struct Checked {
    /// All files.
    pub summary: Summary,
    /// Each file, in the order in which they were given.
    pub files: Vec<FileSummary>,
    /// The first findings.
    pub findings: Vec<Finding>,
}

/// Checks files, one after the other.
///
/// # Errors
/// [`CheckError::Read`] names the file. What is wrong *in* a file is a finding.
pub async fn check(
    engine: &Engine,
    options: CheckOptions,
    files: &[ToCheck<'_>],
    read: &mut (dyn FnMut(u64) + Send),
) -> Result<Checked, CheckError> {
    let mut check = Check::open(engine, options).await.map_err(CheckError::Died)?;
    let (mut summaries, mut findings) = (Vec::new(), Vec::new());
    for (place, file) in files.iter().enumerate() {
        summaries.push(check.file(place, file, &mut findings, read).await?);
    }
    Ok(Checked { summary: check.finish().await.map_err(CheckError::Died)?, files: summaries, findings })
}

struct Check {
    store: Store<RecordsState>,
    world: RecordsComponent,
    checker: ResourceAny,
}

impl Check {
    async fn open(engine: &Engine, options: CheckOptions) -> wasmtime::Result<Self> {
        let mut store = engine.records_store(RecordsState::new());
        let world = engine.records().instantiate_async(&mut store).await?;
        let checker = world.fhir_import_workflow_records().checker().call_constructor(&mut store, options).await?;
        Ok(Self { store, world, checker })
    }

    async fn file(
        &mut self,
        place: usize,
        file: &ToCheck<'_>,
        findings: &mut Vec<Finding>,
        read: &mut (dyn FnMut(u64) + Send),
    ) -> Result<FileSummary, CheckError> {
        self.begin(file.expected_type).await.map_err(CheckError::Died)?;
        let mut buffer = vec![0; CHUNK];
        let mut offset = 0;
        loop {
            let n = file.input.read_at(&mut buffer, offset).map_err(|error| CheckError::Read(place, error))?;
            if n == 0 {
                break;
            }
            offset += n as u64;
            findings.extend(self.feed(buffer[..n].to_vec()).await.map_err(CheckError::Died)?);
            read(n as u64);
        }
        let (last, summary) = self.end().await.map_err(CheckError::Died)?;
        findings.extend(last);
        Ok(summary)
    }

    async fn begin(&mut self, expected_type: Option<&str>) -> wasmtime::Result<()> {
        let records = self.world.fhir_import_workflow_records();
        records.checker().call_next_file(&mut self.store, self.checker, expected_type).await
    }

    async fn feed(&mut self, bytes: Vec<u8>) -> wasmtime::Result<Vec<Finding>> {
        *self.store.data_mut().ticks() = 0;
        self.world.fhir_import_workflow_records().checker().call_feed(&mut self.store, self.checker, &bytes).await
    }

    async fn end(&mut self) -> wasmtime::Result<(Vec<Finding>, FileSummary)> {
        self.world.fhir_import_workflow_records().checker().call_end_file(&mut self.store, self.checker).await
    }

    async fn finish(mut self) -> wasmtime::Result<Summary> {
        *self.store.data_mut().ticks() = 0;
        self.world.fhir_import_workflow_records().checker().call_finish(&mut self.store, self.checker).await
    }
}
