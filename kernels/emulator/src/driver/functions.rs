//! Kernels: their attributes and their launches.

use super::code;
use super::device::{put, SHARED, SHARED_MOST};
use super::queue::Work;
use super::state::{with, Driver, Result};
use crate::check::Kind;
use crate::machine::Launch;
use std::ffi::{c_uint, c_void};

/// # Safety
/// `value` is valid for writes.
#[no_mangle]
pub unsafe extern "C" fn cuFuncGetAttribute(
    value: *mut i32,
    attribute: i32,
    function: usize,
) -> i32 {
    let mut found = 0;
    let code = with(|driver| {
        let f = driver.functions.get(&function).ok_or(code::INVALID_HANDLE)?;
        found = match attribute {
            0 => f.program.max_threads as i32,
            1 => f.program.shared as i32,
            3 => f.program.local as i32,
            // what ptxas would need is not known
            4 => f.program.registers.min(255) as i32,
            5 | 6 => super::device::CAPABILITY.0 * 10 + super::device::CAPABILITY.1,
            8 => f.allowed.max(SHARED - f.program.shared.min(SHARED)) as i32,
            _ => 0,
        };
        Ok(())
    });
    put!(value, found);
    code
}

#[no_mangle]
pub extern "C" fn cuFuncSetAttribute(function: usize, attribute: i32, value: i32) -> i32 {
    with(|driver| {
        let f = driver.functions.get_mut(&function).ok_or(code::INVALID_HANDLE)?;
        if attribute != 8 {
            return Ok(());
        }
        let most = SHARED_MOST - f.program.shared;
        if value < 0 || value as usize > most {
            let text = format!("{value} bytes of dynamic shared memory, at most {most} can be had");
            return Err(driver.refuse(Kind::Invalid, "cuFuncSetAttribute", text));
        }
        f.allowed = value as usize;
        Ok(())
    })
}

#[no_mangle]
pub extern "C" fn cuFuncSetCacheConfig(_function: usize, _config: i32) -> i32 {
    code::SUCCESS
}

/// # Safety
/// `blocks` is valid for writes.
#[no_mangle]
pub unsafe extern "C" fn cuOccupancyMaxActiveBlocksPerMultiprocessor(
    blocks: *mut i32,
    function: usize,
    threads: i32,
    dynamic: usize,
) -> i32 {
    let mut found = 0;
    let code = with(|driver| {
        let f = driver.functions.get(&function).ok_or(code::INVALID_HANDLE)?;
        let warps = (threads.max(1) as usize).div_ceil(32);
        let shared = f.program.shared + dynamic + 1024;
        let registers = f.program.registers.clamp(16, 255) as usize * 32 * warps;
        found = (64 / warps).min((228 << 10) / shared).min(65536 / registers).min(32) as i32;
        Ok(())
    });
    put!(blocks, found);
    code
}

/// # Safety
/// As for the function without flags.
#[no_mangle]
pub unsafe extern "C" fn cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(
    blocks: *mut i32,
    function: usize,
    threads: i32,
    dynamic: usize,
    _flags: c_uint,
) -> i32 {
    // SAFETY: as promised.
    unsafe { cuOccupancyMaxActiveBlocksPerMultiprocessor(blocks, function, threads, dynamic) }
}

/// Refuses what a driver refuses.
fn check(driver: &mut Driver, function: usize, launch: &Launch) -> Result<()> {
    let f = driver.functions.get(&function).ok_or(code::INVALID_HANDLE)?;
    let name = f.program.name.clone();
    let threads = launch.block.iter().map(|n| u64::from(*n)).product::<u64>();
    let [bx, by, bz] = launch.block;
    let [gx, gy, gz] = launch.grid;
    let shared = f.program.shared + launch.shared;
    let allowed = if f.allowed > 0 { f.program.shared + f.allowed } else { SHARED };
    let max_threads = f.program.max_threads;
    let wrong = if threads == 0 || [gx, gy, gz].contains(&0) {
        Some(format!("a grid of {:?} blocks of {:?} threads", launch.grid, launch.block))
    } else if threads > 1024 || bx > 1024 || by > 1024 || bz > 64 {
        Some(format!("a block of {:?} threads, at most 1024 and 64 in z", launch.block))
    } else if gx > i32::MAX as u32 || gy > 65535 || gz > 65535 {
        Some(format!("a grid of {:?} blocks, at most 65535 in y and z", launch.grid))
    } else if shared > allowed.max(SHARED) {
        Some(format!("{shared} bytes of shared memory, {} are allowed", allowed.max(SHARED)))
    } else {
        None
    };
    if let Some(text) = wrong {
        return Err(driver.refuse(Kind::Invalid, &name, text));
    }
    if threads > u64::from(max_threads) {
        let text = format!("a block of {threads} threads, the kernel is made for {max_threads}");
        driver.refuse(Kind::Invalid, &name, text);
        return Err(code::OUT_OF_RESOURCES);
    }
    Ok(())
}

/// # Safety
/// `params` has a pointer to the value of each parameter of the kernel.
#[no_mangle]
pub unsafe extern "C" fn cuLaunchKernel(
    function: usize,
    grid_x: c_uint,
    grid_y: c_uint,
    grid_z: c_uint,
    block_x: c_uint,
    block_y: c_uint,
    block_z: c_uint,
    shared: c_uint,
    stream: usize,
    params: *mut *mut c_void,
    _extra: *mut *mut c_void,
) -> i32 {
    with(|driver| {
        driver.healthy()?;
        let program = match driver.functions.get(&function) {
            Some(f) => f.program.clone(),
            None => return Err(code::INVALID_HANDLE),
        };
        if params.is_null() && !program.params.is_empty() {
            let text = "no arguments".to_string();
            return Err(driver.refuse(Kind::Invalid, &program.name, text));
        }
        let mut args = vec![0; program.param_bytes()];
        for (i, p) in program.params.iter().enumerate() {
            // SAFETY: the caller passes as many pointers as the kernel has parameters, each to a value
            // of its size.
            let value =
                unsafe { std::slice::from_raw_parts((*params.add(i)).cast::<u8>(), p.bytes) };
            args[p.offset..p.offset + p.bytes].copy_from_slice(value);
        }
        let launch = Launch {
            grid: [grid_x, grid_y, grid_z],
            block: [block_x, block_y, block_z],
            shared: shared as usize,
            args,
        };
        check(driver, function, &launch)?;
        driver.queue(stream, Work::Run(program, launch)).map(|_| ())
    })
}
