//! Archives of arrays of NumPy: `.npz`.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Cursor, Write};
use std::path::{Path, PathBuf};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use super::array::Array;
use super::npy::{encode, parse};
use super::number::Number;
use crate::error::{Error, Result};
use crate::files::write_atomically;

/// An open `.npz` archive (compressed or not), whose arrays are read one by one.
#[derive(Debug)]
pub struct Npz {
    path: PathBuf,
    archive: ZipArchive<BufReader<File>>,
}

impl Npz {
    /// Opens an archive and reads its list of contents.
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be opened, [`Error::Format`] if it is no such archive.
    pub fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(Error::io("open", path))?;
        let archive = ZipArchive::new(BufReader::new(file))
            .map_err(|e| Error::format(path, format_args!("not an npz archive: {e}")))?;
        Ok(Self { path: path.into(), archive })
    }

    /// The names of the arrays, sorted.
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self
            .archive
            .file_names()
            .filter_map(|n| Some(n.strip_suffix(".npy")?.into()))
            .collect();
        names.sort();
        names
    }

    /// One array.
    ///
    /// # Errors
    /// [`Error::Format`] if there is none of this name (the message lists those that there are), and as
    /// [`read_npy`](super::read_npy).
    ///
    /// ```
    /// use brenier::data::{write_npz, Array, Npz};
    /// let folder = tempfile::tempdir()?;
    /// let path = folder.path().join("labelled.npz");
    /// write_npz(&path, &[("y", &Array::new(vec![3], vec![0.0, 1.0, 2.0])?)])?;
    /// let labels: Array<u8> = Npz::open(&path)?.array("y")?;
    /// assert_eq!(labels.values, [0, 1, 2]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn array<E: Number>(&mut self, name: &str) -> Result<Array<E>> {
        let known = self.names();
        let mut entry = self.archive.by_name(&format!("{name}.npy")).map_err(|e| {
            let problem = match e {
                zip::result::ZipError::FileNotFound => {
                    format!("no array {name}, but {}", known.join(", "))
                }
                other => format!("{name}: {other}"),
            };
            Error::format(&self.path, problem)
        })?;
        let array = parse(&mut entry);
        array.map_err(|problem| Error::format(&self.path, format_args!("{name}: {problem}")))
    }
}

/// All arrays of an archive in double precision, by name. Of an archive that also holds text, read those
/// arrays that are wanted with [`Npz`].
///
/// # Errors
/// As [`Npz::open`] and [`Npz::array`].
pub fn read_npz(path: &Path) -> Result<BTreeMap<String, Array>> {
    let mut archive = Npz::open(path)?;
    let names = archive.names();
    names.into_iter().map(|name| Ok((name.clone(), archive.array(&name)?))).collect()
}

/// Writes arrays as a compressed archive, atomically; equal arrays give equal bytes.
///
/// # Errors
/// [`Error::Io`] if the file cannot be written, [`Error::InvalidConfig`] if a name comes twice.
pub fn write_npz<E: Number>(path: &Path, arrays: &[(&str, &Array<E>)]) -> Result<()> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .last_modified_time(zip::DateTime::default())
        .large_file(true);
    for (name, array) in arrays {
        writer
            .start_file(format!("{name}.npy"), options)
            .map_err(|_| Error::config("name of an array", name, "must be there once only"))?;
        writer.write_all(&encode(array)).map_err(Error::io("encode", path))?;
    }
    let bytes = writer.finish().map_err(|e| Error::io("encode", path)(e.into()))?;
    write_atomically(path, &bytes.into_inner())
}
