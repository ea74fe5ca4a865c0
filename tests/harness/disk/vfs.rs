//! The VFS: asks the disk of a file, then passes on to the unix one.

use std::ffi::{CStr, OsStr, c_char, c_int, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::ptr;
use std::slice;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{Arc, Once};

use rusqlite::ffi::{self, SQLITE_OK, sqlite3_file, sqlite3_int64, sqlite3_io_methods, sqlite3_vfs};

use super::content::Change;
use super::faults::{Operation, Refusal};
use super::{Inner, State};

/// The VFS that was the default before.
static UNIX: AtomicPtr<sqlite3_vfs> = AtomicPtr::new(ptr::null_mut());

/// Makes this VFS the default of the process. Connections that are open keep theirs.
pub(super) fn register() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: the default VFS lives for ever, and so does the copy of it that is leaked here. Its functions do not
        // look at the VFS they are called through, but for the one that opens, which gets its own.
        let code = unsafe {
            let unix = ffi::sqlite3_vfs_find(ptr::null());
            UNIX.store(unix, Ordering::Release);
            let ours = sqlite3_vfs {
                zName: c"disk".as_ptr(),
                szOsFile: (*unix).szOsFile + HEADER,
                pNext: ptr::null_mut(),
                xOpen: Some(open),
                xDelete: Some(delete),
                xAccess: Some(access),
                ..*unix
            };
            ffi::sqlite3_vfs_register(Box::leak(Box::new(ours)), 1)
        };
        assert_eq!(code, SQLITE_OK);
    });
}

fn unix() -> *mut sqlite3_vfs {
    UNIX.load(Ordering::Acquire)
}

/// An open file as SQLite allocates it; right behind it is that of the unix VFS.
#[repr(C)]
struct OpenFile {
    base: sqlite3_file,
    handle: *mut Handle,
}

#[expect(clippy::cast_possible_truncation, clippy::cast_possible_wrap, reason = "two pointers")]
const HEADER: c_int = size_of::<OpenFile>() as c_int;

struct Handle {
    disk: Arc<State>,
    path: PathBuf,
}

fn behind(file: *mut sqlite3_file) -> *mut sqlite3_file {
    file.cast::<OpenFile>().wrapping_add(1).cast()
}

/// What belongs to a file that [`open`] opened.
unsafe fn handle<'a>(file: *mut sqlite3_file) -> &'a Handle {
    // SAFETY: SQLite calls the methods only between open and close, and the handle lives as long.
    unsafe { &*(*file.cast::<OpenFile>()).handle }
}

/// Calls the method of the unix VFS.
macro_rules! unix_file {
    ($file:expr, $method:ident $(, $argument:expr)*) => {{
        let unix_file = behind($file);
        // SAFETY: open succeeded, so the unix VFS set its methods; the arguments are those that SQLite gave.
        unsafe { (*(*unix_file).pMethods).$method.expect("the unix VFS has it")(unix_file $(, $argument)*) }
    }};
}

static METHODS: sqlite3_io_methods = sqlite3_io_methods {
    iVersion: 2,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(check_reserved_lock),
    xFileControl: Some(control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(characteristics),
    xShmMap: Some(shm_map),
    xShmLock: Some(shm_lock),
    xShmBarrier: Some(shm_barrier),
    xShmUnmap: Some(shm_unmap),
    // Files are never mapped into memory: such reads could not fail.
    xFetch: None,
    xUnfetch: None,
};

impl Refusal {
    fn code(self) -> c_int {
        match self {
            Self::Dead(code) | Self::Broken(code) => code,
        }
    }
}

/// The disk that a name lies on.
unsafe fn watched(name: *const c_char) -> Option<(Arc<State>, PathBuf)> {
    if name.is_null() {
        return None;
    }
    // SAFETY: SQLite gives a name that ends in a zero.
    let name = unsafe { CStr::from_ptr(name) };
    let path = Path::new(OsStr::from_bytes(name.to_bytes()));
    Some((State::of(path)?, path.to_owned()))
}

unsafe extern "C" fn open(
    _: *mut sqlite3_vfs,
    name: *const c_char,
    file: *mut sqlite3_file,
    flags: c_int,
    granted: *mut c_int,
) -> c_int {
    // SAFETY: SQLite gives room for as much as `szOsFile` says, which is enough for either.
    unsafe {
        let pass_on = |file| (*unix()).xOpen.expect("every VFS opens")(unix(), name, file, flags, granted);
        let Some((disk, path)) = watched(name) else { return pass_on(file) };
        (*file).pMethods = ptr::null();
        let code = disk.open(&path, flags, || pass_on(behind(file)));
        if code == SQLITE_OK {
            let handle = Box::into_raw(Box::new(Handle { disk, path }));
            file.cast::<OpenFile>().write(OpenFile { base: sqlite3_file { pMethods: &raw const METHODS }, handle });
        }
        code
    }
}

impl State {
    fn open(&self, path: &Path, flags: c_int, pass_on: impl FnOnce() -> c_int) -> c_int {
        let mut inner = self.inner();
        let makes = flags & ffi::SQLITE_OPEN_CREATE != 0 && !path.exists();
        if let Err(refusal) = inner.plan.admit(if makes { Operation::Create } else { Operation::Open }) {
            return refusal.code();
        }
        inner.files.look_at(path);
        let code = pass_on();
        if code == SQLITE_OK {
            inner.files.opened(path);
        }
        code
    }
}

unsafe extern "C" fn delete(_: *mut sqlite3_vfs, name: *const c_char, sync_folder: c_int) -> c_int {
    // SAFETY: as in `open`.
    unsafe {
        let pass_on = || (*unix()).xDelete.expect("every VFS deletes")(unix(), name, sync_folder);
        let Some((disk, path)) = watched(name) else { return pass_on() };
        let mut inner = disk.inner();
        if let Err(refusal) = inner.plan.admit(Operation::Delete) {
            return refusal.code();
        }
        inner.files.look_at(&path);
        let code = pass_on();
        if code == SQLITE_OK {
            inner.files.changed(&path, Change::Delete);
            if sync_folder != 0 {
                inner.files.sync_names(path.parent());
            }
        }
        code
    }
}

unsafe extern "C" fn access(_: *mut sqlite3_vfs, name: *const c_char, flags: c_int, answer: *mut c_int) -> c_int {
    // SAFETY: as in `open`.
    unsafe {
        if let Some((disk, _)) = watched(name)
            && let Err(refusal) = disk.inner().plan.admit(Operation::Access)
        {
            return refusal.code();
        }
        (*unix()).xAccess.expect("every VFS looks for files")(unix(), name, flags, answer)
    }
}

/// Asks the disk, does it, and notes what changed.
unsafe fn perform(
    file: *mut sqlite3_file,
    operation: Operation,
    pass_on: impl FnOnce() -> c_int,
    note: impl FnOnce(&mut Inner, &Path),
) -> c_int {
    // SAFETY: `file` is what SQLite gave to a method.
    let handle = unsafe { handle(file) };
    let mut inner = handle.disk.inner();
    if let Err(refusal) = inner.plan.admit(operation) {
        return refusal.code();
    }
    let code = pass_on();
    if code == SQLITE_OK {
        note(&mut inner, &handle.path);
    }
    code
}

fn nothing(_: &mut Inner, _: &Path) {}

unsafe extern "C" fn close(file: *mut sqlite3_file) -> c_int {
    // SAFETY: SQLite closes a file once, and `open` made the handle with a box.
    let handle = unsafe { Box::from_raw((*file.cast::<OpenFile>()).handle) };
    let code = unix_file!(file, xClose);
    handle.disk.inner().files.closed(&handle.path);
    code
}

unsafe extern "C" fn read(file: *mut sqlite3_file, to: *mut c_void, amount: c_int, offset: sqlite3_int64) -> c_int {
    let pass_on = || unix_file!(file, xRead, to, amount, offset);
    // SAFETY: `file` is what SQLite gave.
    unsafe { perform(file, Operation::Read, pass_on, nothing) }
}

unsafe extern "C" fn write(file: *mut sqlite3_file, from: *const c_void, amount: c_int, at: sqlite3_int64) -> c_int {
    // SAFETY: `file` is what SQLite gave.
    let handle = unsafe { handle(file) };
    let mut inner = handle.disk.inner();
    let (amount, refused) = match inner.plan.admit(Operation::Write) {
        Ok(()) => (amount, None),
        Err(Refusal::Dead(code)) => return code,
        // The system wrote as much as it could before it gave up.
        Err(Refusal::Broken(code)) => (part(&mut inner, amount), Some(code)),
    };
    let code = if amount > 0 { unix_file!(file, xWrite, from, amount, at) } else { SQLITE_OK };
    if code == SQLITE_OK && amount > 0 {
        // SAFETY: SQLite gives that many bytes.
        let bytes = unsafe { slice::from_raw_parts(from.cast::<u8>(), length(amount)) }.to_vec();
        inner.files.changed(&handle.path, Change::Write { offset: length(at), bytes });
    }
    refused.unwrap_or(code)
}

fn part(inner: &mut Inner, amount: c_int) -> c_int {
    c_int::try_from(inner.random.below(length(amount))).expect("it is smaller than a c_int")
}

fn length(number: impl TryInto<usize>) -> usize {
    number.try_into().ok().expect("SQLite has no negative lengths")
}

unsafe extern "C" fn truncate(file: *mut sqlite3_file, size: sqlite3_int64) -> c_int {
    let pass_on = || unix_file!(file, xTruncate, size);
    let note = |inner: &mut Inner, path: &Path| inner.files.changed(path, Change::Truncate { length: length(size) });
    // SAFETY: `file` is what SQLite gave.
    unsafe { perform(file, Operation::Truncate, pass_on, note) }
}

/// The real disk is not asked: what is durable is decided here.
unsafe extern "C" fn sync(file: *mut sqlite3_file, _: c_int) -> c_int {
    // SAFETY: `file` is what SQLite gave.
    let handle = unsafe { handle(file) };
    let mut inner = handle.disk.inner();
    let admitted = inner.plan.admit(Operation::Sync);
    match admitted {
        Ok(()) => inner.files.sync(&handle.path),
        Err(Refusal::Broken(_)) => inner.files.content(&handle.path).fail_to_sync(),
        Err(Refusal::Dead(_)) => {}
    }
    admitted.map_or_else(Refusal::code, |()| SQLITE_OK)
}

unsafe extern "C" fn size(file: *mut sqlite3_file, answer: *mut sqlite3_int64) -> c_int {
    let pass_on = || unix_file!(file, xFileSize, answer);
    // SAFETY: `file` is what SQLite gave.
    unsafe { perform(file, Operation::Size, pass_on, nothing) }
}

unsafe extern "C" fn lock(file: *mut sqlite3_file, level: c_int) -> c_int {
    let pass_on = || unix_file!(file, xLock, level);
    // SAFETY: `file` is what SQLite gave.
    unsafe { perform(file, Operation::Lock, pass_on, nothing) }
}

/// What is given back is given back on a dead disk as well: the end of a process does the same.
unsafe extern "C" fn unlock(file: *mut sqlite3_file, level: c_int) -> c_int {
    unix_file!(file, xUnlock, level)
}

unsafe extern "C" fn check_reserved_lock(file: *mut sqlite3_file, answer: *mut c_int) -> c_int {
    unix_file!(file, xCheckReservedLock, answer)
}

unsafe extern "C" fn control(file: *mut sqlite3_file, what: c_int, argument: *mut c_void) -> c_int {
    unix_file!(file, xFileControl, what, argument)
}

unsafe extern "C" fn sector_size(file: *mut sqlite3_file) -> c_int {
    unix_file!(file, xSectorSize)
}

unsafe extern "C" fn characteristics(file: *mut sqlite3_file) -> c_int {
    unix_file!(file, xDeviceCharacteristics)
}

unsafe extern "C" fn shm_map(
    file: *mut sqlite3_file,
    region: c_int,
    size: c_int,
    extend: c_int,
    answer: *mut *mut c_void,
) -> c_int {
    let pass_on = || unix_file!(file, xShmMap, region, size, extend, answer);
    // SAFETY: `file` is what SQLite gave.
    unsafe { perform(file, Operation::ShmMap, pass_on, nothing) }
}

unsafe extern "C" fn shm_lock(file: *mut sqlite3_file, offset: c_int, count: c_int, flags: c_int) -> c_int {
    let pass_on = || unix_file!(file, xShmLock, offset, count, flags);
    if flags & ffi::SQLITE_SHM_UNLOCK != 0 {
        return pass_on();
    }
    // SAFETY: `file` is what SQLite gave.
    unsafe { perform(file, Operation::ShmLock, pass_on, nothing) }
}

unsafe extern "C" fn shm_barrier(file: *mut sqlite3_file) {
    unix_file!(file, xShmBarrier);
}

unsafe extern "C" fn shm_unmap(file: *mut sqlite3_file, and_delete: c_int) -> c_int {
    // SAFETY: `file` is what SQLite gave.
    let halted = unsafe { handle(file) }.disk.inner().plan.is_halted();
    unix_file!(file, xShmUnmap, if halted { 0 } else { and_delete })
}
