//! Buffers and copies.

use super::code;
use super::device::{fits, put};
use super::queue::{Work, DEFAULT};
use super::state::{with, Driver, Result};
use crate::check::Kind;
use std::ffi::{c_uint, c_void};

fn allocate(driver: &mut Driver, bytes: usize) -> Result<u64> {
    driver.healthy()?;
    match fits(driver.memory.used(), bytes) {
        true => Ok(driver.memory.allocate(bytes)),
        false => Err(code::OUT_OF_MEMORY),
    }
}

/// # Safety
/// `pointer` is valid for writes.
#[no_mangle]
pub unsafe extern "C" fn cuMemAlloc_v2(pointer: *mut u64, bytes: usize) -> i32 {
    let mut found = 0;
    let code = with(|driver| {
        if bytes == 0 {
            return Err(driver.refuse(Kind::Invalid, "cuMemAlloc", "zero bytes".into()));
        }
        found = allocate(driver, bytes)?;
        Ok(())
    });
    put!(pointer, found);
    code
}

/// # Safety
/// `pointer` is valid for writes.
#[no_mangle]
pub unsafe extern "C" fn cuMemAllocAsync(pointer: *mut u64, bytes: usize, stream: usize) -> i32 {
    let mut found = 0;
    let code = with(|driver| {
        driver.stream(stream)?;
        found = allocate(driver, bytes)?;
        Ok(())
    });
    put!(pointer, found);
    code
}

fn free_now(driver: &mut Driver, base: u64) -> Result<()> {
    if base == 0 {
        return Ok(());
    }
    // a free waits for the device; after a fault it still frees
    if driver.sticky == 0 {
        driver.run_all()?;
    }
    driver.memory.free(base).map_err(|failure| {
        let (crate::machine::Failure::Outside(text) | crate::machine::Failure::Freed(text)) =
            failure;
        driver.refuse(Kind::BadFree, "cuMemFree", text)
    })
}

#[no_mangle]
pub extern "C" fn cuMemFree_v2(pointer: u64) -> i32 {
    with(|driver| free_now(driver, pointer))
}

#[no_mangle]
pub extern "C" fn cuMemFreeAsync(pointer: u64, stream: usize) -> i32 {
    with(|driver| {
        if driver.sticky != 0 {
            return free_now(driver, pointer);
        }
        driver.queue(stream, Work::Free(pointer)).map(|_| ())
    })
}

/// # Safety
/// `pointer` is valid for writes.
#[no_mangle]
pub unsafe extern "C" fn cuMemHostAlloc(
    pointer: *mut *mut c_void,
    bytes: usize,
    _flags: c_uint,
) -> i32 {
    let memory = vec![0xffu64; bytes.div_ceil(8).max(1)].into_boxed_slice();
    let start = Box::into_raw(memory).cast::<c_void>();
    with(|driver| {
        driver.pinned.insert(start as usize, bytes);
        Ok(())
    });
    put!(pointer, start);
    code::SUCCESS
}

/// # Safety
/// `pointer` came from [`cuMemHostAlloc`].
#[no_mangle]
pub unsafe extern "C" fn cuMemFreeHost(pointer: *mut c_void) -> i32 {
    with(|driver| {
        if driver.sticky == 0 {
            driver.run_all()?;
        }
        let Some(bytes) = driver.pinned.remove(&(pointer as usize)) else {
            let text = "no pinned memory begins here".to_string();
            return Err(driver.refuse(Kind::BadFree, "cuMemFreeHost", text));
        };
        let words = bytes.div_ceil(8).max(1);
        let slice = std::ptr::slice_from_raw_parts_mut(pointer.cast::<u64>(), words);
        // SAFETY: made by `cuMemHostAlloc` with this length, and not freed before.
        drop(unsafe { Box::from_raw(slice) });
        Ok(())
    })
}

fn pinned(driver: &Driver, pointer: usize) -> bool {
    let below = driver.pinned.range(..=pointer).next_back();
    below.is_some_and(|(start, bytes)| pointer < start + bytes)
}

/// Queues a copy to the device. Pageable memory is read at once, as drivers do.
unsafe fn upload(
    driver: &mut Driver,
    to: u64,
    from: *const c_void,
    len: usize,
    stream: usize,
) -> Result<()> {
    driver.healthy()?;
    if len == 0 {
        return Ok(());
    }
    let from = from.cast::<u8>();
    let work = if pinned(driver, from as usize) {
        Work::WriteFrom { to, from, len }
    } else {
        // SAFETY: the caller's source is valid during the call.
        Work::Write { to, bytes: unsafe { std::slice::from_raw_parts(from, len) }.to_vec() }
    };
    driver.queue(stream, work).map(|_| ())
}

/// Queues a copy to the host. Until it is made the target holds what no computation gives.
unsafe fn download(
    driver: &mut Driver,
    to: *mut c_void,
    from: u64,
    len: usize,
    stream: usize,
) -> Result<()> {
    driver.healthy()?;
    if len == 0 {
        return Ok(());
    }
    let to = to.cast::<u8>();
    let wait = driver.settings.copies_wait && !pinned(driver, to as usize);
    // SAFETY: the caller's target is valid for writes from now until it has waited.
    unsafe { std::ptr::write_bytes(to, 0xff, len) };
    let ticket = driver.queue(stream, Work::Read { to, from, len })?;
    if wait {
        let stream = driver.stream(stream)?;
        driver.run_until(stream, ticket)?;
    }
    Ok(())
}

/// # Safety
/// `from` is valid for `len` bytes; if it is pinned, until the stream was waited for.
#[no_mangle]
pub unsafe extern "C" fn cuMemcpyHtoDAsync_v2(
    to: u64,
    from: *const c_void,
    len: usize,
    stream: usize,
) -> i32 {
    // SAFETY: as promised.
    with(|driver| unsafe { upload(driver, to, from, len, stream) })
}

/// # Safety
/// `from` is valid for `len` bytes.
#[no_mangle]
pub unsafe extern "C" fn cuMemcpyHtoD_v2(to: u64, from: *const c_void, len: usize) -> i32 {
    with(|driver| {
        // SAFETY: as promised.
        unsafe { upload(driver, to, from, len, DEFAULT) }?;
        driver.run_stream(DEFAULT)
    })
}

/// # Safety
/// `to` is valid for `len` bytes until the stream was waited for.
#[no_mangle]
pub unsafe extern "C" fn cuMemcpyDtoHAsync_v2(
    to: *mut c_void,
    from: u64,
    len: usize,
    stream: usize,
) -> i32 {
    // SAFETY: as promised.
    with(|driver| unsafe { download(driver, to, from, len, stream) })
}

/// # Safety
/// `to` is valid for `len` bytes.
#[no_mangle]
pub unsafe extern "C" fn cuMemcpyDtoH_v2(to: *mut c_void, from: u64, len: usize) -> i32 {
    with(|driver| {
        // SAFETY: as promised.
        unsafe { download(driver, to, from, len, DEFAULT) }?;
        driver.run_stream(DEFAULT)
    })
}

#[no_mangle]
pub extern "C" fn cuMemcpyDtoDAsync_v2(to: u64, from: u64, len: usize, stream: usize) -> i32 {
    with(|driver| {
        driver.healthy()?;
        match len {
            0 => Ok(()),
            _ => driver.queue(stream, Work::Copy { to, from, len }).map(|_| ()),
        }
    })
}

#[no_mangle]
pub extern "C" fn cuMemcpyDtoD_v2(to: u64, from: u64, len: usize) -> i32 {
    // between buffers of the device this call does not wait either
    cuMemcpyDtoDAsync_v2(to, from, len, DEFAULT)
}

fn fill(to: u64, pattern: Vec<u8>, count: usize, stream: usize) -> i32 {
    with(|driver| {
        driver.healthy()?;
        let len = pattern.len() * count;
        match len {
            0 => Ok(()),
            _ => driver.queue(stream, Work::Fill { to, pattern, len }).map(|_| ()),
        }
    })
}

#[no_mangle]
pub extern "C" fn cuMemsetD8Async(to: u64, value: u8, count: usize, stream: usize) -> i32 {
    fill(to, vec![value], count, stream)
}

#[no_mangle]
pub extern "C" fn cuMemsetD8_v2(to: u64, value: u8, count: usize) -> i32 {
    fill(to, vec![value], count, DEFAULT)
}

#[no_mangle]
pub extern "C" fn cuMemsetD16Async(to: u64, value: u16, count: usize, stream: usize) -> i32 {
    fill(to, value.to_le_bytes().to_vec(), count, stream)
}

#[no_mangle]
pub extern "C" fn cuMemsetD32Async(to: u64, value: u32, count: usize, stream: usize) -> i32 {
    fill(to, value.to_le_bytes().to_vec(), count, stream)
}

#[no_mangle]
pub extern "C" fn cuMemsetD32_v2(to: u64, value: u32, count: usize) -> i32 {
    fill(to, value.to_le_bytes().to_vec(), count, DEFAULT)
}
