//! Devices and contexts: there is one of each.

use super::code;
use super::state::with;
use std::cell::Cell;
use std::ffi::{c_char, c_uint, c_void};

/// The version of CUDA that the driver says it speaks.
pub(super) const VERSION: i32 = 13000;
/// Compute capability, as major and minor.
pub(super) const CAPABILITY: (i32, i32) = (9, 0);
/// Shared memory of a block without asking for more, and with.
pub(super) const SHARED: usize = 48 << 10;
pub(super) const SHARED_MOST: usize = 227 << 10;
const TOTAL: usize = 8 << 30;
const CONTEXT: usize = 0x100;

thread_local! {
    static CURRENT: Cell<usize> = const { Cell::new(0) };
}

/// Writes through a pointer of the caller.
macro_rules! put {
    ($to:expr, $value:expr) => {{
        if $to.is_null() {
            return $crate::driver::code::INVALID_VALUE;
        }
        // SAFETY: a caller of the driver passes pointers that are valid for writes.
        unsafe { *$to = $value };
    }};
}
pub(super) use put;

#[no_mangle]
pub extern "C" fn cuInit(_flags: c_uint) -> i32 {
    code::SUCCESS
}

/// # Safety
/// `version` is valid for writes.
#[no_mangle]
pub unsafe extern "C" fn cuDriverGetVersion(version: *mut i32) -> i32 {
    put!(version, VERSION);
    code::SUCCESS
}

/// # Safety
/// `device` is valid for writes.
#[no_mangle]
pub unsafe extern "C" fn cuDeviceGet(device: *mut i32, ordinal: i32) -> i32 {
    if ordinal != 0 {
        return code::INVALID_DEVICE;
    }
    put!(device, 0);
    code::SUCCESS
}

/// # Safety
/// `count` is valid for writes.
#[no_mangle]
pub unsafe extern "C" fn cuDeviceGetCount(count: *mut i32) -> i32 {
    put!(count, 1);
    code::SUCCESS
}

/// # Safety
/// `name` is valid for `len` bytes.
#[no_mangle]
pub unsafe extern "C" fn cuDeviceGetName(name: *mut c_char, len: i32, _device: i32) -> i32 {
    let text = b"emulated CUDA device\0";
    if (len as usize) < text.len() {
        return code::INVALID_VALUE;
    }
    // SAFETY: as promised.
    unsafe { std::ptr::copy_nonoverlapping(text.as_ptr().cast(), name, text.len()) };
    code::SUCCESS
}

/// # Safety
/// `uuid` is valid for 16 bytes.
#[no_mangle]
pub unsafe extern "C" fn cuDeviceGetUuid_v2(uuid: *mut [u8; 16], _device: i32) -> i32 {
    put!(uuid, *b"emulated device!");
    code::SUCCESS
}

/// # Safety
/// `uuid` is valid for 16 bytes.
#[no_mangle]
pub unsafe extern "C" fn cuDeviceGetUuid(uuid: *mut [u8; 16], device: i32) -> i32 {
    // SAFETY: as promised.
    unsafe { cuDeviceGetUuid_v2(uuid, device) }
}

/// # Safety
/// `bytes` is valid for writes.
#[no_mangle]
pub unsafe extern "C" fn cuDeviceTotalMem_v2(bytes: *mut usize, _device: i32) -> i32 {
    put!(bytes, TOTAL);
    code::SUCCESS
}

/// # Safety
/// `value` is valid for writes.
#[no_mangle]
pub unsafe extern "C" fn cuDeviceGetAttribute(
    value: *mut i32,
    attribute: i32,
    _device: i32,
) -> i32 {
    let found = match attribute {
        1..=3 => 1024,      // threads of a block, in x, in y
        4 => 64,            // in z
        5 => i32::MAX,      // blocks in x
        6 | 7 => 65535,     // in y and z
        8 => SHARED as i32, // shared memory of a block
        9 => 64 << 10,      // constant memory
        10 => 32,           // lanes of a warp
        12 | 82 => 65536,   // registers of a block, of a multiprocessor
        13 => 1_000_000,    // clock in kHz
        16 => 132,          // multiprocessors
        31 | 41 | 95 => 1,  // concurrent kernels, one address space, cooperative launch
        36 => 1_000_000,    // memory clock in kHz
        37 => 4096,         // width of the memory bus
        38 => 50 << 20,     // second-level cache
        39 => 2048,         // threads of a multiprocessor
        75 => CAPABILITY.0,
        76 => CAPABILITY.1,
        81 => 228 << 10,          // shared memory of a multiprocessor
        97 => SHARED_MOST as i32, // shared memory of a block that asks for it
        106 => 32,                // blocks of a multiprocessor
        115 => 1,                 // memory pools
        _ => 0,
    };
    put!(value, found);
    code::SUCCESS
}

/// # Safety
/// `context` is valid for writes.
#[no_mangle]
pub unsafe extern "C" fn cuDevicePrimaryCtxRetain(context: *mut usize, _device: i32) -> i32 {
    put!(context, CONTEXT);
    code::SUCCESS
}

#[no_mangle]
pub extern "C" fn cuDevicePrimaryCtxRelease_v2(_device: i32) -> i32 {
    code::SUCCESS
}

#[no_mangle]
pub extern "C" fn cuCtxSetCurrent(context: usize) -> i32 {
    CURRENT.set(context);
    code::SUCCESS
}

/// # Safety
/// `context` is valid for writes.
#[no_mangle]
pub unsafe extern "C" fn cuCtxGetCurrent(context: *mut usize) -> i32 {
    put!(context, CURRENT.get());
    code::SUCCESS
}

/// # Safety
/// `device` is valid for writes.
#[no_mangle]
pub unsafe extern "C" fn cuCtxGetDevice(device: *mut i32) -> i32 {
    if CURRENT.get() == 0 {
        return code::INVALID_CONTEXT;
    }
    put!(device, 0);
    code::SUCCESS
}

#[no_mangle]
pub extern "C" fn cuCtxSynchronize() -> i32 {
    with(|driver| driver.run_all())
}

#[no_mangle]
pub extern "C" fn cuCtxSetFlags(_flags: c_uint) -> i32 {
    code::SUCCESS
}

#[no_mangle]
pub extern "C" fn cuCtxSetCacheConfig(_config: i32) -> i32 {
    code::SUCCESS
}

#[no_mangle]
pub extern "C" fn cuCtxSetLimit(_limit: i32, _value: usize) -> i32 {
    code::SUCCESS
}

/// # Safety
/// Both pointers are valid for writes.
#[no_mangle]
pub unsafe extern "C" fn cuCtxGetStreamPriorityRange(least: *mut i32, most: *mut i32) -> i32 {
    put!(least, 0);
    put!(most, 0);
    code::SUCCESS
}

/// # Safety
/// Both pointers are valid for writes.
#[no_mangle]
pub unsafe extern "C" fn cuMemGetInfo_v2(free: *mut usize, total: *mut usize) -> i32 {
    let mut used = 0;
    with(|driver| {
        used = driver.memory.used();
        Ok(())
    });
    put!(free, TOTAL.saturating_sub(used));
    put!(total, TOTAL);
    code::SUCCESS
}

/// Whether the allocation of so much more would still fit.
pub(super) fn fits(used: usize, more: usize) -> bool {
    used.checked_add(more).is_some_and(|sum| sum <= TOTAL)
}

#[no_mangle]
pub extern "C" fn cuProfilerStart() -> i32 {
    code::SUCCESS
}

#[no_mangle]
pub extern "C" fn cuProfilerStop() -> i32 {
    code::SUCCESS
}

/// Nothing can be looked up by version here.
#[no_mangle]
pub extern "C" fn cuGetProcAddress_v2(
    _name: *const c_char,
    _function: *mut *mut c_void,
    _version: i32,
    _flags: u64,
    _status: *mut i32,
) -> i32 {
    code::NOT_FOUND
}
