//! Steps of every estimator on `dfdx`'s `Cuda`, with the emulated device in the place of the CUDA libraries.
//! Compiling `dfdx` needs `nvcc`; `kernels/train.py` fetches it and runs this.

mod dfdx_steps;

use brenier_emulator::{linked, Session, Settings};

/// The emulated device for one test.
struct Emulated(Session);

fn device() -> Emulated {
    // the sums of `dfdx` leave before a barrier
    Emulated(linked(Settings { early_exit: true, ..Settings::default() }))
}

impl Drop for Emulated {
    /// What the checkers found fails the test, and so does a device that nothing ran on.
    fn drop(&mut self) {
        let reports = self.0.take_reports();
        if std::thread::panicking() {
            println!("{reports:#?}");
            return;
        }
        assert!(reports.is_empty(), "{reports:#?}");
        assert!(self.0.stats().launches > 0, "nothing ran on the emulated device");
        println!("{:?}", self.0.stats());
    }
}
