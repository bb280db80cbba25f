//! Measures the interpreter on the half step of `tests/cuda/softmin.cu`, with every check on.
//!
//!     cargo run --release -p brenier-emulator --example speed

use brenier_emulator::machine::{lower, run, Launch, Memory};
use brenier_emulator::{Settings, Stats};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

const PTX: &str = include_str!("../tests/ptx/softmin.ptx");

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let module = brenier_emulator::ptx::parse(PTX)?;
    let lines = Arc::new(PTX.lines().map(str::to_string).collect::<Vec<_>>());
    let (n, m, d) = (512usize, 512usize, 2usize);
    for (name, grid, rounds) in [("rows_right", [4, 1, 1], 20), ("warps_right", [128, 1, 1], 10)] {
        let entry = module.functions.iter().find(|f| f.name == name).ok_or("no kernel")?;
        let program = lower(&module, entry, &HashMap::new(), lines.clone());
        let mut memory = Memory::default();
        let floats = |len: usize, seed: usize| -> Vec<u8> {
            (0..len).flat_map(|i| ((i * seed % 1000) as f32 / 1000.0).to_le_bytes()).collect()
        };
        let (x, y, h) = (floats(n * d, 7919), floats(m * d, 104_729), floats(m, 31));
        let mut args = Vec::new();
        for bytes in [&x, &y, &h] {
            let at = memory.allocate(bytes.len());
            memory.write(at, bytes).map_err(|e| format!("{e:?}"))?;
            args.extend_from_slice(&at.to_le_bytes());
        }
        let f = memory.allocate(4 * n);
        args.extend_from_slice(&f.to_le_bytes());
        args.extend_from_slice(&(n as i32).to_le_bytes());
        args.extend_from_slice(&(m as i32).to_le_bytes());
        args.extend_from_slice(&10f32.to_le_bytes());
        args.resize(program.param_bytes(), 0);
        let launch = Launch { grid, block: [128, 1, 1], shared: 64, args };
        let (settings, mut epoch, mut stats) = (Settings::default(), 0, Stats::default());
        let start = Instant::now();
        for _ in 0..rounds {
            run(&program, &launch, &mut memory, &settings, &mut epoch, &mut stats)
                .map_err(|r| r.to_string())?;
        }
        let seconds = start.elapsed().as_secs_f64();
        println!(
            "{name}: {:.3} s for {rounds} half steps of {n} x {m}, d = {d}; {:.0} M instructions/s \
             of threads, {:.1} M/s of warps; {:.1} ns a pair",
            seconds,
            stats.instructions as f64 / seconds / 1e6,
            stats.warp_instructions as f64 / seconds / 1e6,
            seconds * 1e9 / (rounds * n * m) as f64
        );
    }
    Ok(())
}
