//! Sizes that do not fit are refused when the code is compiled, in words that say what is wrong.
//!
//! Every program of `refused/` is given to `rustc`, with the library as this test was built with: it must
//! not compile, and the answer must hold the sentences behind its `//~`. A program without any must
//! compile: it shows that the others fail for their own reasons.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The library as `cargo` built it beside this test: the latest.
fn library() -> PathBuf {
    let test = std::env::current_exe().expect("the path of this test");
    let folder = test.parent().expect("the folder of this test");
    let files = std::fs::read_dir(folder).expect("a readable folder").flatten();
    let library = |name: &str| name.starts_with("libbrenier-") && name.ends_with(".rlib");
    let found = files.filter(|f| f.file_name().to_str().is_some_and(library));
    let newest = found.max_by_key(|f| f.metadata().and_then(|m| m.modified()).ok());
    newest.expect("the library in the folder of this test").path()
}

/// What `rustc` says of a program, and whether it compiles. Sizes are checked where code is generated,
/// which is therefore asked for, without optimisation.
fn compile(program: &Path, library: &Path) -> (bool, String) {
    let out = tempfile::tempdir().expect("a folder");
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let dependencies = library.parent().expect("the folder of the library");
    let run = Command::new(rustc)
        .args(["--edition", "2021", "--crate-type", "lib", "--emit", "obj", "--color", "never"])
        .arg("--extern")
        .arg(format!("brenier={}", library.display()))
        .arg("-L")
        .arg(format!("dependency={}", dependencies.display()))
        .arg("--out-dir")
        .arg(out.path())
        .arg(program)
        .output()
        .expect("rustc");
    (run.status.success(), String::from_utf8_lossy(&run.stderr).into_owned())
}

#[test]
fn sizes_that_do_not_fit_do_not_compile() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/refused");
    let library = library();
    let (mut refused, mut accepted) = (0, 0);
    for file in std::fs::read_dir(folder).expect("the programs").flatten() {
        let path = file.path();
        let text = std::fs::read_to_string(&path).expect("a program");
        let sentences: Vec<_> = text.lines().filter_map(|l| l.split_once("//~ ")).collect();
        let (compiles, answer) = compile(&path, &library);
        assert_eq!(compiles, sentences.is_empty(), "{}:\n{answer}", path.display());
        for (_, sentence) in &sentences {
            assert!(answer.contains(sentence), "{}:\n{sentence}\nin\n{answer}", path.display());
        }
        *(if compiles { &mut accepted } else { &mut refused }) += 1;
    }
    assert!(refused >= 5 && accepted == 1, "{refused} refused, {accepted} accepted");
}
