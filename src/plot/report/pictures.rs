//! Pictures inside of a page.

use std::path::{Path, PathBuf};

use base64::prelude::{Engine as _, BASE64_STANDARD};
use html_escape::{encode_double_quoted_attribute, encode_text};

use crate::error::{Error, Result};

/// What a picture is by its name.
pub(super) fn kind(path: &Path) -> Option<&'static str> {
    match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
        "svg" => Some("svg+xml"),
        "png" => Some("png"),
        "jpg" | "jpeg" => Some("jpeg"),
        _ => None,
    }
}

/// In the order of their paths.
pub(super) fn pictures_below(folder: &Path) -> Result<Vec<PathBuf>> {
    let read = |e| Error::io("read the folder", folder)(e);
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(read)? {
        let path = entry.map_err(read)?.path();
        if path.is_dir() {
            found.extend(pictures_below(&path)?);
        } else if kind(&path).is_some() {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// A picture with its caption, as HTML.
pub(super) fn figure(caption: &str, kind: &str, bytes: &[u8]) -> String {
    let (alt, text) = (encode_double_quoted_attribute(caption), encode_text(caption));
    let data = BASE64_STANDARD.encode(bytes);
    format!(
        "<figure><img alt=\"{alt}\" src=\"data:image/{kind};base64,{data}\">\
         <figcaption>{text}</figcaption></figure>\n"
    )
}
