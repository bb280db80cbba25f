//! The machine that a report was made on.

/// What a reader must know of the machine to compare times.
pub(super) fn environment() -> Vec<Vec<String>> {
    let row = |name: &str, value: String| vec![name.to_owned(), value];
    let mut rows = vec![
        row("brenier", env!("CARGO_PKG_VERSION").into()),
        row("system", format!("{} {}", std::env::consts::OS, std::env::consts::ARCH)),
        row("threads", rayon::current_num_threads().to_string()),
        row("vectors", vectors().into()),
    ];
    let listed = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = listed.lines().find(|line| line.starts_with("model name"));
    if let Some((_, name)) = name.and_then(|line| line.split_once(':')) {
        rows.insert(1, row("processor", name.trim().into()));
    }
    rows
}

/// The vector instructions that the kernels take.
fn vectors() -> &'static str {
    #[cfg(target_arch = "x86_64")]
    match pulp::Arch::new() {
        pulp::Arch::V4(_) => return "AVX-512",
        pulp::Arch::V3(_) => return "AVX2",
        _ => {}
    }
    "those of the target"
}
