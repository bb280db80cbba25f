//! Files that are either wholly written or not touched.

use std::io::Write;
use std::path::Path;

use crate::error::{Error, Result};

/// Writes `bytes` to `path` so that a reader, or a crash at any moment, finds the old contents or the
/// new ones and nothing in between: a temporary file in the same folder is written, flushed to the
/// disk and renamed. Missing folders are created; a file that was there keeps its permissions; a
/// symbolic link is replaced.
///
/// # Errors
/// [`Error::Io`] naming the path; whatever was there before is untouched and no temporary file stays.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    std::fs::create_dir_all(folder).map_err(Error::io("create the folder", folder))?;
    write_in(folder, path, bytes).map_err(Error::io("write", path))
}

fn write_in(folder: &Path, path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".brenier-").suffix(".tmp");
    #[cfg(unix)]
    {
        // As for any new file: the process' mask decides, not the private mode of temporary files.
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    let mut file = builder.tempfile_in(folder)?;
    file.write_all(bytes)?;
    if let Ok(old) = std::fs::symlink_metadata(path) {
        if old.is_file() {
            file.as_file().set_permissions(old.permissions())?;
        }
    }
    file.as_file().sync_all()?;
    file.persist(path).map_err(|refused| refused.error)?;
    // The rename itself reaches the disk with its folder. Some file systems cannot flush a folder;
    // the file is complete under its name all the same, so that is no reason to report a failure.
    #[cfg(unix)]
    if let Ok(folder) = std::fs::File::open(folder) {
        let _ = folder.sync_all();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<_> =
            entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn creates_folders_and_overwrites() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("a/b/file.bin");
        write_atomically(&path, b"first, and longer").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"first, and longer");
        write_atomically(&path, b"second").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"second");
        write_atomically(&path, b"").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"");
        assert_eq!(names(path.parent().unwrap()), ["file.bin"]);
    }

    /// A handle opened before the write goes on reading the old file: it was not written into.
    #[test]
    fn an_open_reader_keeps_the_old_contents() {
        use std::io::Read;
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("file");
        write_atomically(&path, b"old").unwrap();
        let mut reader = fs::File::open(&path).unwrap();
        write_atomically(&path, b"new").unwrap();
        let mut seen = String::new();
        reader.read_to_string(&mut seen).unwrap();
        assert_eq!(seen, "old");
        assert_eq!(fs::read(&path).unwrap(), b"new");
    }

    #[test]
    fn a_refusal_names_the_path_and_changes_nothing() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("file");
        fs::write(&file, b"kept").unwrap();
        // A file where a folder should be.
        let below = file.join("child");
        match write_atomically(&below, b"x") {
            Err(Error::Io { path, .. }) => assert_eq!(path, file),
            other => panic!("{other:?}"),
        }
        // A folder where the file should be: fails at the rename, after the temporary was written.
        let folder = home.path().join("folder");
        fs::create_dir_all(folder.join("inside")).unwrap();
        match write_atomically(&folder, b"x") {
            Err(Error::Io { path, action, .. }) => assert_eq!((path, action), (folder, "write")),
            other => panic!("{other:?}"),
        }
        // A name longer than file systems allow, and paths that name no file.
        for path in [home.path().join("n".repeat(4000)), "".into(), "/".into(), "..".into()] {
            assert!(matches!(write_atomically(&path, b"x"), Err(Error::Io { .. })), "{path:?}");
        }
        // A folder in which nobody, not even root, may create files.
        #[cfg(target_os = "linux")]
        assert!(matches!(write_atomically(Path::new("/proc/file"), b"x"), Err(Error::Io { .. })));
        assert_eq!(fs::read(&file).unwrap(), b"kept");
        assert_eq!(names(home.path()), ["file", "folder"]);
    }

    #[cfg(unix)]
    #[test]
    fn permissions_are_those_of_other_files() {
        use std::os::unix::fs::PermissionsExt;
        let home = tempfile::tempdir().unwrap();
        let (plain, path) = (home.path().join("plain"), home.path().join("file"));
        let mode = |p: &Path| fs::metadata(p).unwrap().permissions().mode() & 0o7777;
        fs::write(&plain, b"").unwrap();
        write_atomically(&path, b"new").unwrap();
        assert_eq!(mode(&path), mode(&plain));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        write_atomically(&path, b"again").unwrap();
        assert_eq!(mode(&path), 0o640);
    }
}
