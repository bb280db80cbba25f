//! Result codes.

use crate::check::Kind;
use std::ffi::c_char;

macro_rules! codes {
    ($($name:ident = $value:literal, $full:literal, $text:literal;)*) => {
        $(pub(super) const $name: i32 = $value;)*

        fn entry(code: i32) -> Option<(&'static [u8], &'static [u8])> {
            match code {
                $($value => Some((concat!($full, "\0").as_bytes(), concat!($text, "\0").as_bytes())),)*
                _ => None,
            }
        }
    };
}

codes! {
    SUCCESS = 0, "CUDA_SUCCESS", "no error";
    INVALID_VALUE = 1, "CUDA_ERROR_INVALID_VALUE", "invalid argument";
    OUT_OF_MEMORY = 2, "CUDA_ERROR_OUT_OF_MEMORY", "out of memory";
    INVALID_DEVICE = 101, "CUDA_ERROR_INVALID_DEVICE", "invalid device ordinal";
    INVALID_IMAGE = 200, "CUDA_ERROR_INVALID_IMAGE", "device kernel image is invalid";
    INVALID_CONTEXT = 201, "CUDA_ERROR_INVALID_CONTEXT", "invalid device context";
    NO_BINARY = 209, "CUDA_ERROR_NO_BINARY_FOR_GPU", "no kernel image is available for execution on the device";
    INVALID_PTX = 218, "CUDA_ERROR_INVALID_PTX", "a PTX JIT compilation failed";
    UNSUPPORTED_PTX = 222, "CUDA_ERROR_UNSUPPORTED_PTX_VERSION", "the provided PTX was compiled with an unsupported toolchain";
    FILE_NOT_FOUND = 301, "CUDA_ERROR_FILE_NOT_FOUND", "file not found";
    INVALID_HANDLE = 400, "CUDA_ERROR_INVALID_HANDLE", "invalid resource handle";
    NOT_FOUND = 500, "CUDA_ERROR_NOT_FOUND", "named symbol not found";
    NOT_READY = 600, "CUDA_ERROR_NOT_READY", "device not ready";
    ILLEGAL_ADDRESS = 700, "CUDA_ERROR_ILLEGAL_ADDRESS", "an illegal memory access was encountered";
    OUT_OF_RESOURCES = 701, "CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES", "too many resources requested for launch";
    TIMEOUT = 702, "CUDA_ERROR_LAUNCH_TIMEOUT", "the launch timed out and was terminated";
    ASSERT = 710, "CUDA_ERROR_ASSERT", "device-side assert triggered";
    ILLEGAL_INSTRUCTION = 715, "CUDA_ERROR_ILLEGAL_INSTRUCTION", "an illegal instruction was encountered";
    MISALIGNED = 716, "CUDA_ERROR_MISALIGNED_ADDRESS", "misaligned address";
    LAUNCH_FAILED = 719, "CUDA_ERROR_LAUNCH_FAILED", "unspecified launch failure";
    NOT_SUPPORTED = 801, "CUDA_ERROR_NOT_SUPPORTED", "operation not supported";
    UNKNOWN = 999, "CUDA_ERROR_UNKNOWN", "unknown error";
}

/// The code that hardware would give for a fault, or the closest to it.
pub(super) fn of(kind: Kind) -> i32 {
    match kind {
        Kind::OutOfBounds | Kind::UseAfterFree => ILLEGAL_ADDRESS,
        Kind::Misaligned => MISALIGNED,
        Kind::Endless | Kind::Barrier => TIMEOUT,
        Kind::Unsupported => ILLEGAL_INSTRUCTION,
        Kind::Trap => ASSERT,
        Kind::Invalid | Kind::BadFree => INVALID_VALUE,
        Kind::Module => INVALID_PTX,
        Kind::Internal => UNKNOWN,
        _ => LAUNCH_FAILED,
    }
}

fn put(code: i32, to: *mut *const c_char, text: bool) -> i32 {
    let Some((name, message)) = entry(code) else { return INVALID_VALUE };
    // SAFETY: a caller of the driver passes a valid pointer; the texts end with a zero byte.
    unsafe { *to = if text { message } else { name }.as_ptr().cast() };
    SUCCESS
}

/// # Safety
/// `to` is valid for writes.
#[no_mangle]
pub unsafe extern "C" fn cuGetErrorName(code: i32, to: *mut *const c_char) -> i32 {
    put(code, to, false)
}

/// # Safety
/// `to` is valid for writes.
#[no_mangle]
pub unsafe extern "C" fn cuGetErrorString(code: i32, to: *mut *const c_char) -> i32 {
    put(code, to, true)
}
