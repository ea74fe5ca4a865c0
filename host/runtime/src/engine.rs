//! The sandbox: one engine a process, components compiled once, a fresh store a call.

use std::sync::Arc;
use std::time::Duration;

use wasmtime::component::{Component, InstancePre, Linker};
use wasmtime::{Config, Store, UpdateDeadline};
use wasmtime_wasi::clocks::{WasiClocks, WasiClocksView};
use wasmtime_wasi::p2::bindings::clocks;

use crate::contract::importer_world::ImporterComponentPre;
use crate::contract::records_world::RecordsComponentPre;
use crate::store::{Computes, ImporterState, RecordsState};

/// `importer.wasm`, as built with this crate.
pub const IMPORTER_WASM: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/importer.wasm"));
/// `records.wasm`, as built with this crate.
pub const RECORDS_WASM: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/records.wasm"));

/// How often a running guest is looked at.
const TICK: Duration = Duration::from_secs(1);
/// How many ticks a call may compute; waiting for an answer does not count.
const TICKS: u32 = 30;
/// What one call into the host may cost.
const HOSTCALL_FUEL: usize = 4 << 20;
/// Handles that a guest may hold.
const HANDLES: usize = 1_000;

/// The compiled components. Cheap to clone; compile once a process and share.
#[derive(Clone)]
pub struct Engine {
    inner: Arc<Inner>,
}

struct Inner {
    engine: wasmtime::Engine,
    importer: ImporterComponentPre<ImporterState>,
    records: RecordsComponentPre<RecordsState>,
}

/// Why the components cannot be run here.
#[derive(Debug)]
pub struct EngineError(wasmtime::Error);

impl std::fmt::Display for EngineError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the components cannot be run on this machine")
    }
}

impl std::error::Error for EngineError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(self.0.as_ref())
    }
}

impl Engine {
    /// Compiles the components that were built with this crate.
    ///
    /// # Errors
    /// When this machine cannot run them (no executable memory, for example).
    pub fn new() -> Result<Self, EngineError> {
        Self::with_components(IMPORTER_WASM, RECORDS_WASM)
    }

    /// Compiles other builds of the two components.
    ///
    /// # Errors
    /// When one is not a component, or wants more than the contract allows.
    pub fn with_components(importer: &[u8], records: &[u8]) -> Result<Self, EngineError> {
        Self::compile(importer, records).map_err(EngineError)
    }

    fn compile(importer: &[u8], records: &[u8]) -> wasmtime::Result<Self> {
        let engine = wasmtime::Engine::new(&config())?;
        start_ticking(&engine);
        let importer = ImporterComponentPre::new(importer_pre(&engine, importer)?)?;
        let records = RecordsComponentPre::new(records_pre(&engine, records)?)?;
        Ok(Self { inner: Arc::new(Inner { engine, importer, records }) })
    }

    /// Makes an engine that was compiled before a fork usable in the child: threads do not come along, so the one that
    /// bounds how long a call computes is started again. (To compile anew there would wait for threads for ever.)
    pub fn forked(&self) {
        start_ticking(&self.inner.engine);
    }

    pub(crate) fn importer(&self) -> &ImporterComponentPre<ImporterState> {
        &self.inner.importer
    }

    pub(crate) fn records(&self) -> &RecordsComponentPre<RecordsState> {
        &self.inner.records
    }

    pub(crate) fn importer_store(&self, state: ImporterState) -> Store<ImporterState> {
        let mut store = Store::new(&self.inner.engine, state);
        store.limiter(|state| state.limits());
        bound(&mut store);
        store
    }

    pub(crate) fn records_store(&self, state: RecordsState) -> Store<RecordsState> {
        let mut store = Store::new(&self.inner.engine, state);
        store.limiter(|state| state.limits());
        bound(&mut store);
        store
    }
}

/// Everything that the components do not need is off: most advisories of the engine are about those parts.
fn config() -> Config {
    let mut config = Config::new();
    config.epoch_interruption(true).max_wasm_stack(512 << 10);
    config.wasm_component_model(true).wasm_simd(true).wasm_bulk_memory(true).wasm_reference_types(true);
    config.wasm_gc(false).wasm_function_references(false).wasm_exceptions(false).wasm_threads(false);
    config.wasm_relaxed_simd(false).wasm_memory64(false).wasm_multi_memory(false).wasm_tail_call(false);
    config
}

/// Ends with the engine.
fn start_ticking(engine: &wasmtime::Engine) {
    let weak = engine.weak();
    std::thread::spawn(move || {
        while let Some(engine) = weak.upgrade() {
            engine.increment_epoch();
            drop(engine);
            std::thread::sleep(TICK);
        }
    });
}

fn bound<T: Computes + 'static>(store: &mut Store<T>) {
    store.set_hostcall_fuel(HOSTCALL_FUEL);
    store.set_max_component_handles(HANDLES);
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(|mut store| {
        let ticks = store.data_mut().ticks();
        *ticks += 1;
        if *ticks > TICKS {
            wasmtime::bail!("the component computed for more than {TICKS} s");
        }
        Ok(UpdateDeadline::Yield(1))
    });
}

/// Exactly the interfaces of the contract, nothing else: a component that wants more does not link.
fn importer_pre(engine: &wasmtime::Engine, bytes: &[u8]) -> wasmtime::Result<InstancePre<ImporterState>> {
    let component = Component::from_binary(engine, bytes)?;
    let mut linker: Linker<ImporterState> = Linker::new(engine);
    wasmtime_wasi_io::add_to_linker_async(&mut linker)?;
    clocks::wall_clock::add_to_linker::<_, WasiClocks>(&mut linker, WasiClocksView::clocks)?;
    clocks::monotonic_clock::add_to_linker::<_, WasiClocks>(&mut linker, WasiClocksView::clocks)?;
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)?;
    linker.instantiate_pre(&component)
}

fn records_pre(engine: &wasmtime::Engine, bytes: &[u8]) -> wasmtime::Result<InstancePre<RecordsState>> {
    let component = Component::from_binary(engine, bytes)?;
    Linker::new(engine).instantiate_pre(&component)
}
