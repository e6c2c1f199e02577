//! Names made of columns: `Ad {ad_id}`.

use serde::Deserialize;

/// A text with places that columns fill.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Template {
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Column(String),
}

/// A brace without its partner, or with nothing between.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is not a template such as \"Ad {{ad_id}}\": a brace is left open or empty")]
pub(crate) struct InvalidTemplate(String);

impl Template {
    /// The columns that it names.
    pub(crate) fn columns(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Column(name) => Some(name.as_str()),
            Piece::Text(_) => None,
        })
    }

    /// The text for one line, whose cells `cell` knows by column.
    pub(crate) fn fill<'a>(&self, cell: impl Fn(&str) -> &'a str) -> String {
        self.pieces
            .iter()
            .map(|piece| match piece {
                Piece::Text(text) => text.as_str(),
                Piece::Column(name) => cell(name),
            })
            .collect()
    }
}

impl TryFrom<String> for Template {
    type Error = InvalidTemplate;

    fn try_from(text: String) -> Result<Self, InvalidTemplate> {
        let mut pieces = Vec::new();
        let mut rest = text.as_str();
        while let Some((before, after)) = rest.split_once('{') {
            let column = after.split_once('}');
            let Some((name, after)) = column.filter(|(name, _)| !name.is_empty()) else {
                return Err(InvalidTemplate(text));
            };
            if before.contains('}') || name.contains('{') {
                return Err(InvalidTemplate(text));
            }
            pieces.push(Piece::Text(before.to_owned()));
            pieces.push(Piece::Column(name.to_owned()));
            rest = after;
        }
        if rest.contains('}') {
            return Err(InvalidTemplate(text));
        }
        pieces.push(Piece::Text(rest.to_owned()));
        Ok(Self { pieces })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_fill_their_places() {
        let template = Template::try_from("{a}-x{b b}".to_owned()).expect("a template");
        assert_eq!(template.columns().collect::<Vec<_>>(), ["a", "b b"]);
        assert_eq!(
            template.fill(|name| if name == "a" { "1" } else { "2" }),
            "1-x2"
        );
    }

    #[test]
    fn open_and_empty_braces_are_mistakes() {
        for text in ["{", "}", "{}", "a{b", "a}b", "{a{b}}", "{a}}"] {
            assert!(Template::try_from(text.to_owned()).is_err(), "{text}");
        }
    }
}
