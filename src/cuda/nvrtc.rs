//! Compiling kernels at run time, with a folder that keeps what was compiled.

use std::ffi::{c_char, c_int, CString};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use cudarc::nvrtc::sys::{
    nvrtcCompileProgram, nvrtcCreateProgram, nvrtcDestroyProgram, nvrtcGetCUBIN, nvrtcGetCUBINSize,
    nvrtcProgram, nvrtcResult, nvrtcVersion,
};

use super::library::{found, guarded, COMPILER};

macro_rules! sources {
    ($($name:literal),*) => {
        &[$(($name, include_str!(concat!("../../kernels/", $name)))),*]
    };
}

/// The sources that are compiled here, and all they include.
const SOURCES: &[(&str, &str)] = sources!("softmin.cu", "tile.cuh", "cost.cuh", "common.cuh");

/// A folder `brenier` where the user's programs keep what they can make again.
pub(super) fn default_cache() -> Option<PathBuf> {
    let folder = |name| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    let cache = folder("XDG_CACHE_HOME")
        .or_else(|| folder("LOCALAPPDATA"))
        .or_else(|| folder("HOME").map(|home| home.join(".cache")))?;
    Some(cache.join("brenier"))
}

/// Major and minor version of the compiler, if there is one.
fn version() -> Option<(c_int, c_int)> {
    static VERSION: OnceLock<Option<(c_int, c_int)>> = OnceLock::new();
    *VERSION.get_or_init(|| {
        if !found(COMPILER) {
            return None;
        }
        let (mut major, mut minor) = (0, 0);
        // SAFETY: both pointers are to integers that live through the call.
        let status = guarded(|| unsafe { nvrtcVersion(&mut major, &mut minor) })?;
        (status == nvrtcResult::NVRTC_SUCCESS).then_some((major, minor))
    })
}

/// Machine code of `source`, from the cache or the compiler; `None` where there is neither.
pub(super) fn compile(source: &str, options: &[String], cache: Option<&Path>) -> Option<Vec<u8>> {
    let version = version()?;
    // Everything that the result depends on. It is stored with the result and compared, so that equal
    // checksums cannot mix up two results.
    let texts: String = SOURCES.iter().map(|(name, text)| format!("{name}\n{text}\n")).collect();
    let key = format!("NVRTC {version:?}\n{source}\n{}\n{texts}", options.join(" "));
    let sum = crc32fast::hash(key.as_bytes());
    let file =
        cache.map(|folder| folder.join(format!("{}-{sum:08x}.cubin", source.replace('.', "-"))));
    if let Some(kept) = file.as_deref().and_then(|file| load(file, &key)) {
        return Some(kept);
    }
    let binary = guarded(|| build(source, options))??;
    if let Some(file) = file {
        // Not being able to keep it costs time in the next run, and nothing else.
        let _kept = keep(&file, &key, &binary);
    }
    Some(binary)
}

/// What follows the key in a file that starts with it and with the checksum of the rest.
fn load(file: &Path, key: &str) -> Option<Vec<u8>> {
    let bytes = std::fs::read(file).ok()?;
    let rest = bytes.strip_prefix(key.as_bytes())?;
    let (sum, binary) = rest.split_at_checked(4)?;
    (sum == crc32fast::hash(binary).to_le_bytes()).then(|| binary.to_vec())
}

fn keep(file: &Path, key: &str, binary: &[u8]) -> std::io::Result<()> {
    let folder = file.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    // Another process must never see a part of it.
    let mut temporary = tempfile::NamedTempFile::new_in(folder)?;
    temporary.write_all(key.as_bytes())?;
    temporary.write_all(&crc32fast::hash(binary).to_le_bytes())?;
    temporary.write_all(binary)?;
    temporary.persist(file)?;
    Ok(())
}

/// A program of the compiler, destroyed when dropped.
struct Program(nvrtcProgram);

impl Drop for Program {
    fn drop(&mut self) {
        // SAFETY: made by nvrtcCreateProgram and destroyed once.
        unsafe { nvrtcDestroyProgram(&mut self.0) };
    }
}

fn build(source: &str, options: &[String]) -> Option<Vec<u8>> {
    let c = |text: &str| CString::new(text).ok();
    let text = SOURCES.iter().find(|(name, _)| *name == source)?.1;
    let (text, name) = (c(text)?, c(source)?);
    let names = SOURCES.iter().map(|(name, _)| c(name)).collect::<Option<Vec<_>>>()?;
    let texts = SOURCES.iter().map(|(_, text)| c(text)).collect::<Option<Vec<_>>>()?;
    let options = options.iter().map(|o| c(o)).collect::<Option<Vec<_>>>()?;
    let pointers = |v: &[CString]| v.iter().map(|s| s.as_ptr()).collect::<Vec<*const c_char>>();
    let (names, texts, flags) = (pointers(&names), pointers(&texts), pointers(&options));
    let fine = |status| (status == nvrtcResult::NVRTC_SUCCESS).then_some(());
    let count = |v: &[*const c_char]| c_int::try_from(v.len()).ok();
    let mut program = Program(std::ptr::null_mut());
    let mut size = 0;
    // SAFETY: all strings end with zero and live to the end of this function, the counts are those of
    // the arrays, and the code is written to a buffer of the size that was asked for.
    unsafe {
        let (texts, headers) = (texts.as_ptr(), count(&names)?);
        let made = (text.as_ptr(), name.as_ptr());
        fine(nvrtcCreateProgram(&mut program.0, made.0, made.1, headers, texts, names.as_ptr()))?;
        fine(nvrtcCompileProgram(program.0, count(&flags)?, flags.as_ptr()))?;
        fine(nvrtcGetCUBINSize(program.0, &mut size))?;
        let mut binary = vec![0u8; size];
        fine(nvrtcGetCUBIN(program.0, binary.as_mut_ptr().cast()))?;
        Some(binary)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cache_gives_back_what_was_kept_for_this_key_only() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("deeper/x.cubin");
        assert_eq!(load(&file, "key"), None);
        keep(&file, "key", b"machine code").expect("space on the disk");
        assert_eq!(load(&file, "key").as_deref(), Some(&b"machine code"[..]));
        assert_eq!(load(&file, "kex"), None);
        let mut bytes = std::fs::read(&file).expect("the file");
        *bytes.last_mut().expect("bytes") ^= 1;
        std::fs::write(&file, bytes).expect("space on the disk");
        assert_eq!(load(&file, "key"), None);
    }

    #[test]
    fn compiles_where_there_is_a_compiler() {
        let options =
            ["-arch=sm_90", "-DPRECISION=32", "-DFORM=SQUARE", "-DDIM=5"].map(String::from);
        let folder = tempfile::tempdir().expect("a folder");
        let Some(binary) = compile("softmin.cu", &options, Some(folder.path())) else {
            assert!(version().is_none(), "the compiler refused");
            println!("skipped: none of {COMPILER:?} is installed");
            return;
        };
        assert!(binary.starts_with(b"\x7fELF"));
        assert_eq!(compile("softmin.cu", &options, Some(folder.path())), Some(binary));
    }
}
