//! Streams and events.

use super::code;
use super::device::put;
use super::queue::{Stream, Work};
use super::state::{with, Event};
use std::ffi::{c_uint, c_void};

/// # Safety
/// `stream` is valid for writes.
#[no_mangle]
pub unsafe extern "C" fn cuStreamCreate(stream: *mut usize, flags: c_uint) -> i32 {
    let mut handle = 0;
    let code = with(|driver| {
        driver.healthy()?;
        handle = driver.handle();
        let blocking = flags & 1 == 0;
        driver.streams.insert(handle, Stream { blocking, ..Stream::default() });
        Ok(())
    });
    put!(stream, handle);
    code
}

/// # Safety
/// `stream` is valid for writes.
#[no_mangle]
pub unsafe extern "C" fn cuStreamCreateWithPriority(
    stream: *mut usize,
    flags: c_uint,
    _priority: i32,
) -> i32 {
    // SAFETY: as promised.
    unsafe { cuStreamCreate(stream, flags) }
}

#[no_mangle]
pub extern "C" fn cuStreamDestroy_v2(stream: usize) -> i32 {
    with(|driver| {
        let handle = driver.stream(stream)?;
        // its work is still done
        if driver.sticky == 0 {
            driver.run_stream(handle)?;
        }
        driver.streams.remove(&handle);
        Ok(())
    })
}

#[no_mangle]
pub extern "C" fn cuStreamSynchronize(stream: usize) -> i32 {
    with(|driver| {
        let handle = driver.stream(stream)?;
        driver.run_stream(handle)
    })
}

#[no_mangle]
pub extern "C" fn cuStreamQuery(stream: usize) -> i32 {
    with(|driver| {
        driver.healthy()?;
        let handle = driver.stream(stream)?;
        // a host that asks again and again gets on by one piece of work each time
        match driver.streams[&handle].queue.front().map(|w| w.0) {
            None => Ok(()),
            Some(ticket) => {
                driver.run_until(handle, ticket)?;
                Err(code::NOT_READY)
            }
        }
    })
}

#[no_mangle]
pub extern "C" fn cuStreamWaitEvent(stream: usize, event: usize, _flags: c_uint) -> i32 {
    with(|driver| {
        let handle = driver.stream(stream)?;
        let event = driver.events.get(&event).ok_or(code::INVALID_HANDLE)?;
        match event.recorded {
            Some((other, ticket)) if other != handle => {
                driver.queue(handle, Work::Wait(other, ticket)).map(|_| ())
            }
            _ => Ok(()),
        }
    })
}

/// # Safety
/// `f` can be called with `data` when the stream gets there.
#[no_mangle]
pub unsafe extern "C" fn cuLaunchHostFunc(
    stream: usize,
    f: Option<unsafe extern "C" fn(*mut c_void)>,
    data: *mut c_void,
) -> i32 {
    with(|driver| {
        driver.healthy()?;
        let f = f.ok_or(code::INVALID_VALUE)?;
        driver.queue(stream, Work::Call(f, data)).map(|_| ())
    })
}

/// # Safety
/// `event` is valid for writes.
#[no_mangle]
pub unsafe extern "C" fn cuEventCreate(event: *mut usize, _flags: c_uint) -> i32 {
    let mut handle = 0;
    with(|driver| {
        handle = driver.handle();
        driver.events.insert(handle, Event::default());
        Ok(())
    });
    put!(event, handle);
    code::SUCCESS
}

#[no_mangle]
pub extern "C" fn cuEventDestroy_v2(event: usize) -> i32 {
    with(|driver| match driver.events.remove(&event) {
        Some(_) => Ok(()),
        None => Err(code::INVALID_HANDLE),
    })
}

#[no_mangle]
pub extern "C" fn cuEventRecord(event: usize, stream: usize) -> i32 {
    with(|driver| {
        driver.healthy()?;
        if !driver.events.contains_key(&event) {
            return Err(code::INVALID_HANDLE);
        }
        let handle = driver.stream(stream)?;
        let ticket = driver.queue(handle, Work::Reach(event))?;
        driver.events.insert(event, Event { recorded: Some((handle, ticket)), reached: None });
        Ok(())
    })
}

#[no_mangle]
pub extern "C" fn cuEventSynchronize(event: usize) -> i32 {
    with(|driver| {
        driver.healthy()?;
        let event = driver.events.get(&event).ok_or(code::INVALID_HANDLE)?;
        match event.recorded {
            Some((stream, ticket)) => driver.run_until(stream, ticket),
            None => Ok(()),
        }
    })
}

#[no_mangle]
pub extern "C" fn cuEventQuery(event: usize) -> i32 {
    with(|driver| {
        driver.healthy()?;
        let event = *driver.events.get(&event).ok_or(code::INVALID_HANDLE)?;
        let Some((stream, ticket)) = event.recorded else { return Ok(()) };
        let next = driver.streams.get(&stream).and_then(|s| s.queue.front().map(|w| w.0));
        match next {
            Some(next) if next <= ticket => {
                driver.run_until(stream, next)?;
                Err(code::NOT_READY)
            }
            _ => Ok(()),
        }
    })
}

/// # Safety
/// `milliseconds` is valid for writes.
#[no_mangle]
pub unsafe extern "C" fn cuEventElapsedTime_v2(
    milliseconds: *mut f32,
    start: usize,
    end: usize,
) -> i32 {
    let mut elapsed = 0.0;
    let code = with(|driver| {
        let at = |event: usize| driver.events.get(&event).ok_or(code::INVALID_HANDLE);
        match (at(start)?.reached, at(end)?.reached) {
            (Some(start), Some(end)) => {
                elapsed = ((end - start) * 1e3) as f32;
                Ok(())
            }
            _ => Err(code::NOT_READY),
        }
    });
    put!(milliseconds, elapsed);
    code
}

/// # Safety
/// `milliseconds` is valid for writes.
#[no_mangle]
pub unsafe extern "C" fn cuEventElapsedTime(
    milliseconds: *mut f32,
    start: usize,
    end: usize,
) -> i32 {
    // SAFETY: as promised.
    unsafe { cuEventElapsedTime_v2(milliseconds, start, end) }
}
