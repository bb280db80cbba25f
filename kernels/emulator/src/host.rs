//! The test's side: loads the shared library and talks to it.

use crate::check::{Kind, Report};
use crate::driver::{self, RawReport};
use crate::settings::{RawSettings, Settings, Stats};
use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_NOW};
use std::ffi::c_void;
use std::io::Write;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, Once, OnceLock};

static LIBRARY: OnceLock<Library> = OnceLock::new();
static TURN: Mutex<()> = Mutex::new(());

/// Puts the emulated driver into this process, before anything looks for a real one.
///
/// The shared library is the one that cargo built beside the test. Its name for the loader is
/// `libcuda.so`, so that whoever asks for that name later gets it. Prints "emulated CUDA device" once.
///
/// # Panics
/// If the library is not there, or another CUDA driver was loaded first.
pub fn install() {
    LIBRARY.get_or_init(|| {
        let path = find();
        // SAFETY: the library is this crate; loading it runs no code.
        let library =
            unsafe { Library::open(Some(&path), RTLD_NOW | RTLD_GLOBAL) }.unwrap_or_else(|e| {
                panic!("the emulated driver {} does not load: {e}", path.display())
            });
        // SAFETY: at most a driver that is loaded already is found.
        let by_name = unsafe { Library::open(Some("libcuda.so"), RTLD_NOW) };
        let ours = by_name.is_ok_and(|l| {
            // SAFETY: the symbol is only looked for.
            unsafe { l.get::<unsafe extern "C" fn()>(b"brenier_emulator_reset") }.is_ok()
        });
        assert!(ours, "another libcuda.so was loaded before the emulated one");
        // past the capture of the test harness, so that nobody takes this for hardware
        let _ = writeln!(std::io::stderr().lock(), "emulated CUDA device ({})", path.display());
        library
    });
}

fn find() -> PathBuf {
    let name =
        format!("{}brenier_emulator{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    let exe = std::env::current_exe().unwrap_or_default();
    let places = exe
        .ancestors()
        .skip(1)
        .take(2)
        .flat_map(|folder| [folder.join(&name), folder.join("deps").join(&name)]);
    let places: Vec<PathBuf> = places.collect();
    match places.iter().find(|p| p.exists()) {
        Some(path) => path.clone(),
        None => panic!("the emulated driver is at none of {places:?}: is brenier-emulator a dependency of this test?"),
    }
}

type Keep = extern "C" fn(*mut c_void, *const RawReport);

/// The functions of `driver/control.rs`: those of the shared library, or those in this program.
#[derive(Clone, Copy)]
struct Control {
    configure: unsafe extern "C" fn(*const RawSettings),
    reset: extern "C" fn(),
    reports: unsafe extern "C" fn(Keep, *mut c_void),
    stats: unsafe extern "C" fn(*mut Stats),
}

impl Control {
    fn of_library() -> Self {
        fn get<T: Copy>(library: &Library, name: &[u8]) -> T {
            // SAFETY: asked for below, with the types of this crate's functions.
            *unsafe { library.get(name) }.expect("the shared library is this crate")
        }
        install();
        let library = LIBRARY.get().expect("installed a line above");
        Self {
            configure: get(library, b"brenier_emulator_configure"),
            reset: get(library, b"brenier_emulator_reset"),
            reports: get(library, b"brenier_emulator_reports"),
            stats: get(library, b"brenier_emulator_stats"),
        }
    }

    fn of_program() -> Self {
        Self {
            configure: driver::brenier_emulator_configure,
            reset: driver::brenier_emulator_reset,
            reports: driver::brenier_emulator_reports,
            stats: driver::brenier_emulator_stats,
        }
    }
}

fn session(control: Control, settings: Settings) -> Session {
    let turn = TURN.lock().unwrap_or_else(|e| e.into_inner());
    let session = Session { _turn: turn, control };
    session.reset();
    session.take_reports();
    session.configure(&settings);
    session
}

/// Installs the driver and takes the device for one test: others wait until the session is dropped.
pub fn exclusive(settings: Settings) -> Session {
    session(Control::of_library(), settings)
}

/// The same for a program that was linked to `libcuda` and `libcublas` when it was built, as programs with
/// `dfdx`'s `Cuda` are: a linker takes those functions from this crate, so the device lives in the program
/// and not in the shared library.
pub fn linked(settings: Settings) -> Session {
    static SAID: Once = Once::new();
    SAID.call_once(|| {
        let _ = writeln!(std::io::stderr().lock(), "emulated CUDA device (in this program)");
    });
    session(Control::of_program(), settings)
}

/// The device in the hands of one test.
pub struct Session {
    _turn: MutexGuard<'static, ()>,
    control: Control,
}

impl Session {
    /// Changes the settings.
    pub fn configure(&self, settings: &Settings) {
        let raw = RawSettings::from(settings);
        // SAFETY: the pointer is valid during the call.
        unsafe { (self.control.configure)(&raw const raw) }
    }

    /// Forgets the error that sticks to the device, work that is still queued, and the statistics.
    /// Reports stay until they are taken.
    pub fn reset(&self) {
        (self.control.reset)();
    }

    /// All reports since they were last taken, in the order in which they were found.
    pub fn take_reports(&self) -> Vec<Report> {
        let mut found: Vec<Report> = Vec::new();
        // SAFETY: `keep` gets `found` back and is called only during the call.
        unsafe { (self.control.reports)(keep, (&raw mut found).cast()) }
        found
    }

    /// Takes the reports and says whether the first is of that kind.
    pub fn caught(&self, kind: Kind) -> bool {
        self.take_reports().first().is_some_and(|r| r.kind == kind)
    }

    /// What the device has done since the last reset.
    pub fn stats(&self) -> Stats {
        let mut stats = Stats::default();
        // SAFETY: the pointer is valid during the call.
        unsafe { (self.control.stats)(&raw mut stats) }
        stats
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.reset();
        self.configure(&Settings::default());
    }
}

extern "C" fn keep(into: *mut c_void, raw: *const RawReport) {
    // SAFETY: `take_reports` passes its vector, the library a valid report.
    unsafe { (*into.cast::<Vec<Report>>()).push((*raw).to_report()) }
}
