//! stub replaced at merge
use crate::error::{Error, Result};
use std::path::Path;
pub(crate) fn write_atomically(path: &Path, bytes: &[u8]) -> Result<()> {
    std::fs::write(path, bytes).map_err(Error::io("write", path))
}
