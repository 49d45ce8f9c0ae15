//! The page of the book that shows the table.

use thiserror::Error;

const BEGIN: &str = "<!-- savina: written by `--page`, do not edit -->\n";
const END: &str = "<!-- savina: end -->";

/// A page with a place for the table.
#[derive(Debug)]
pub(crate) struct Page {
    before: String,
    after: String,
}

/// Why there is no such place.
#[derive(Debug, Error, PartialEq, Eq)]
pub(crate) enum ParsePageError {
    #[error("the page lacks the line {:?}, after which the table belongs", BEGIN.trim_end())]
    NoBegin,
    #[error("the page lacks the line {END:?} after the place of the table")]
    NoEnd,
}

impl Page {
    pub(crate) fn parse(text: String) -> Result<Page, ParsePageError> {
        let (before, rest) = text.split_once(BEGIN).ok_or(ParsePageError::NoBegin)?;
        let (_, after) = rest.split_once(END).ok_or(ParsePageError::NoEnd)?;
        Ok(Page {
            before: before.to_owned(),
            after: after.to_owned(),
        })
    }

    /// The page with this in the place.
    pub(crate) fn with(&self, report: &str) -> String {
        let Page { before, after } = self;
        format!("{before}{BEGIN}\n{report}\n{END}{after}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_between_the_markers_is_replaced() {
        let text = format!("# Page\n\n{BEGIN}\nold\n\n{END}\n\nMore.\n");
        let first = Page::parse(text).expect("it has both").with("| new |\n");
        assert_eq!(
            first,
            format!("# Page\n\n{BEGIN}\n| new |\n\n{END}\n\nMore.\n")
        );
        let again = Page::parse(first.clone()).expect("it still has both");
        assert_eq!(again.with("| new |\n"), first);
    }

    #[test]
    fn a_page_without_its_markers_is_refused() {
        let parse = |text: String| Page::parse(text).map(|_| ());
        assert_eq!(parse("# Page".into()), Err(ParsePageError::NoBegin));
        assert_eq!(parse(BEGIN.into()), Err(ParsePageError::NoEnd));
        assert_eq!(parse(format!("{END}\n{BEGIN}")), Err(ParsePageError::NoEnd));
    }

    #[test]
    fn the_page_in_the_book_has_its_markers() {
        let text = include_str!("../../../../docs/src/performance/savina.md");
        assert_eq!(Page::parse(text.into()).map(|_| ()), Ok(()));
    }
}
