//! The parameters of kernels, read from their PTX.

use crate::error::{Error, Result};

/// The kind of a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A pointer.
    Buffer,
    Int,
    Single,
    Double,
}

/// The `.param` list of `.entry name` in this PTX.
pub(super) fn parameters(ptx: &str, name: &str) -> Result<Vec<Kind>> {
    let unknown = |problem: &str| Error::device(format!("read the parameters of {name}"), problem);
    let entry = format!(".entry {name}(");
    let from = ptx.find(&entry).ok_or_else(|| unknown("its module has no such entry"))?;
    let list = &ptx[from + entry.len()..];
    let list = &list[..list.find(')').ok_or_else(|| unknown("its list has no end"))?];
    let kind = |text: &str| match text.split_whitespace().nth(1) {
        Some(".u64") => Ok(Kind::Buffer),
        Some(".u32") => Ok(Kind::Int),
        Some(".f32") => Ok(Kind::Single),
        Some(".f64") => Ok(Kind::Double),
        _ => Err(unknown("a parameter has another type than the launcher knows")),
    };
    list.split(',').filter(|text| !text.trim().is_empty()).map(kind).collect()
}

#[cfg(test)]
mod tests {
    use super::super::embedded::EMBEDDED;
    use super::*;

    #[test]
    fn every_entry_of_every_module_has_known_parameters() {
        let mut entries = 0;
        for (module, ptx) in EMBEDDED {
            for rest in ptx.split(".entry ").skip(1) {
                let name = &rest[..rest.find('(').expect("a list")];
                let list = parameters(ptx, name).expect("known kinds");
                assert!(list.contains(&Kind::Buffer), "{module}: {name}");
                entries += 1;
            }
        }
        assert!(entries > EMBEDDED.len());
    }

    #[test]
    fn kinds_in_order() {
        let ptx =
            ".visible .entry k(\n .param .u64 k_param_0,\n .param .u32 k_param_1,\n .param .f32 \
                   k_param_2,\n .param .f64 k_param_3\n)\n{}";
        let kinds = parameters(ptx, "k").expect("kinds");
        assert_eq!(kinds, [Kind::Buffer, Kind::Int, Kind::Single, Kind::Double]);
        assert!(parameters(ptx, "other").is_err());
        assert!(parameters(".entry k(.param .b8 k_param_0[4])", "k").is_err());
    }
}
