//! Whether the libraries of CUDA are there.

/// Names of the driver's library.
pub(super) const DRIVER: &[&str] =
    if cfg!(windows) { &["nvcuda.dll"] } else { &["libcuda.so", "libcuda.so.1"] };

/// Names of the run-time compiler's library.
pub(super) const COMPILER: &[&str] = if cfg!(windows) {
    &["nvrtc.dll", "nvrtc64.dll", "nvrtc64_120_0.dll", "nvrtc64_130_0.dll"]
} else {
    &["libnvrtc.so", "libnvrtc.so.13", "libnvrtc.so.12"]
};

/// Whether the linker finds one of these names.
pub(super) fn found(names: &[&str]) -> bool {
    names.iter().any(|name| {
        // SAFETY: these libraries run no code on loading beyond what the driver itself expects of a
        // process that uses it.
        unsafe { libloading::Library::new(*name) }.is_ok()
    })
}

/// Calls into a library that may panic where a function is missing.
pub(super) fn guarded<V>(call: impl FnOnce() -> V) -> Option<V> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(call)).ok()
}
