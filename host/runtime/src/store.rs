//! What a guest has while a call lasts: limits, a clock, a way out. Made anew for each call and dropped after it.

use std::time::Duration;

use wasmtime::component::ResourceTable;
use wasmtime::{StoreLimits, StoreLimitsBuilder};
use wasmtime_wasi::{HostMonotonicClock, HostWallClock, WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};
use wasmtime_wasi_io::IoView;

use crate::clock::SharedClock;
use crate::outgoing::Outgoing;

/// Memory of `importer`: a document of 16 MiB is read into a tree.
const IMPORTER_MEMORY: usize = 256 << 20;
/// Memory of `records`: a line of 16 MiB that is chosen as a sample is read into a tree.
const RECORDS_MEMORY: usize = 256 << 20;
/// Host resources that a guest may hold.
const RESOURCES: usize = 1_000;
/// Bytes of the headers of one message.
const FIELDS: usize = 64 << 10;
/// Elements of a table.
const TABLE: usize = 10_000;

fn limits(memory: usize) -> StoreLimits {
    StoreLimitsBuilder::new()
        .memory_size(memory)
        .memories(4)
        .tables(16)
        .table_elements(TABLE)
        .instances(16)
        .trap_on_grow_failure(true)
        .build()
}

/// A state that counts for how long its guest computes.
pub(crate) trait Computes {
    /// Ticks of the engine during which the guest computed, since the last call began.
    fn ticks(&mut self) -> &mut u32;
}

/// The state of a call into `importer`.
pub struct ImporterState {
    ticks: u32,
    limits: StoreLimits,
    table: ResourceTable,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    outgoing: Outgoing,
}

impl ImporterState {
    pub(crate) fn new(clock: &SharedClock, outgoing: Outgoing) -> Self {
        let mut table = ResourceTable::new();
        table.set_max_capacity(RESOURCES);
        let mut http = WasiHttpCtx::new();
        http.set_field_size_limit(FIELDS);
        let mut wasi = WasiCtxBuilder::new();
        wasi.wall_clock(GuestClock(clock.clone())).monotonic_clock(GuestClock(clock.clone()));
        Self { ticks: 0, limits: limits(IMPORTER_MEMORY), table, wasi: wasi.build(), http, outgoing }
    }

    pub(crate) fn limits(&mut self) -> &mut StoreLimits {
        &mut self.limits
    }
}

impl Computes for ImporterState {
    fn ticks(&mut self) -> &mut u32 {
        &mut self.ticks
    }
}

impl IoView for ImporterState {
    fn table(&mut self) -> &mut ResourceTable {
        &mut self.table
    }
}

impl WasiView for ImporterState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for ImporterState {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { ctx: &mut self.http, table: &mut self.table, hooks: &mut self.outgoing }
    }
}

/// The state of calls into `records`: limits, and nothing that could be called.
pub struct RecordsState {
    ticks: u32,
    limits: StoreLimits,
}

impl RecordsState {
    pub(crate) fn new() -> Self {
        Self { ticks: 0, limits: limits(RECORDS_MEMORY) }
    }

    pub(crate) fn limits(&mut self) -> &mut StoreLimits {
        &mut self.limits
    }
}

impl Computes for RecordsState {
    fn ticks(&mut self) -> &mut u32 {
        &mut self.ticks
    }
}

/// The host's clock as a guest sees it: milliseconds, so that two runs with the same clock see the same.
struct GuestClock(SharedClock);

impl HostWallClock for GuestClock {
    fn resolution(&self) -> Duration {
        Duration::from_millis(1)
    }

    fn now(&self) -> Duration {
        Duration::from_millis(self.0.now_ms())
    }
}

impl HostMonotonicClock for GuestClock {
    fn resolution(&self) -> u64 {
        1_000_000
    }

    fn now(&self) -> u64 {
        self.0.now_ms().saturating_mul(1_000_000)
    }
}
