//! Update masks: which fields of a resource a request means.

use cleave_kernel::Violation;
use prost_types::FieldMask;

/// Which fields a request means to change.
pub(crate) enum Mask {
    /// Those that hold something.
    Populated,
    /// All that people write.
    All,
    /// These.
    Paths(Vec<String>),
}

impl Mask {
    /// The mask, whose paths must be among those that people write, or those that they cannot and that are
    /// passed over.
    pub(crate) fn parse(
        mask: Option<FieldMask>,
        written: &[&str],
        output: &[&str],
    ) -> Result<Self, Violation> {
        let Some(mask) = mask else {
            return Ok(Self::Populated);
        };
        if mask.paths.iter().any(|path| path == "*") {
            return Ok(Self::All);
        }
        for (index, path) in mask.paths.iter().enumerate() {
            let path = path.as_str();
            if !written.contains(&path) && !output.contains(&path) {
                let all = written.join(", ");
                let fault = Violation::new(
                    "",
                    "UNKNOWN_PATH",
                    format!("{path:?} cannot be changed; these can: {all}"),
                );
                return Err(fault.at(index).under("paths").under("update_mask"));
            }
        }
        Ok(Self::Paths(mask.paths))
    }

    /// Whether the field at `path` is meant, which holds something when `populated`.
    pub(crate) fn means(&self, path: &str, populated: bool) -> bool {
        match self {
            Self::Populated => populated,
            Self::All => true,
            Self::Paths(paths) => paths.iter().any(|found| found == path),
        }
    }

    /// The new value of a text that must be there, if it is meant.
    pub(crate) fn text(
        &self,
        path: &str,
        text: &str,
        max: usize,
    ) -> Result<Option<String>, Violation> {
        if !self.means(path, !text.is_empty()) {
            return Ok(None);
        }
        operations_domain::text::required(path, text, max).map(Some)
    }

    /// The new value of a text that may be empty, if it is meant.
    pub(crate) fn maybe_text(
        &self,
        path: &str,
        text: &str,
        max: usize,
    ) -> Result<Option<Option<String>>, Violation> {
        if !self.means(path, !text.is_empty()) {
            return Ok(None);
        }
        operations_domain::text::optional(path, text, max).map(Some)
    }

    /// The new value of a field, if it is meant, as `parse` reads it.
    pub(crate) fn value<T>(
        &self,
        path: &str,
        populated: bool,
        parse: impl FnOnce() -> Result<T, Violation>,
    ) -> Result<Option<T>, Violation> {
        self.means(path, populated).then(parse).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(paths: &[&str]) -> Result<Mask, Violation> {
        let paths = paths.iter().map(|path| (*path).to_owned()).collect();
        Mask::parse(Some(FieldMask { paths }), &["name", "note"], &["state"])
    }

    #[test]
    fn without_a_mask_what_holds_something_is_meant() {
        let mask = Mask::parse(None, &["name"], &[]).unwrap();
        assert!(mask.means("name", true));
        assert!(!mask.means("name", false));
    }

    #[test]
    fn a_path_means_its_field_even_when_empty() {
        let mask = parse(&["note", "state"]).unwrap();
        assert!(mask.means("note", false));
        assert!(!mask.means("name", true));
        assert!(parse(&["*"]).unwrap().means("name", false));
    }

    #[test]
    fn an_unknown_path_is_refused_by_name() {
        let fault = parse(&["name", "id"]).err().unwrap();
        assert_eq!(fault.field, "update_mask.paths[1]");
        assert!(fault.description.contains("name, note"));
    }
}
