//! Programs of examples.

use std::path::Path;
use std::process::Command;

/// An example, from the folder beside that of this test.
pub fn example(name: &str) -> Command {
    let test = std::env::current_exe().expect("the path of this test");
    let folder = test.ancestors().nth(2).expect("target/release").join("examples");
    let path = folder.join(name).with_extension(std::env::consts::EXE_EXTENSION);
    let hint = "`cargo test --release` builds it, or `cargo build --release --examples`";
    assert!(path.is_file(), "there is no {}: {hint}", path.display());
    Command::new(path)
}

/// What a run that succeeds prints.
pub fn printed(command: &mut Command) -> String {
    let done = command.output().expect("a program");
    let [out, error] = [done.stdout, done.stderr].map(|t| String::from_utf8(t).expect("text"));
    assert!(done.status.success(), "{command:?}: {}\n{out}\n{error}", done.status);
    out
}

/// What a run that fails says.
pub fn refusal(command: &mut Command) -> String {
    let done = command.output().expect("a program");
    assert!(!done.status.success(), "{command:?} should fail");
    String::from_utf8(done.stderr).expect("text")
}

pub fn read(path: impl AsRef<Path>) -> String {
    let path = path.as_ref();
    std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Numbers as little-endian bytes.
pub fn bytes_of(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

/// `n` bytes of images.
pub fn pixels(key: brenier::random::Key, n: usize) -> Vec<u8> {
    key.indices(n, 256).iter().map(|v| *v as u8).collect()
}
