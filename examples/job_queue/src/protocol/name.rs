//! Names of tubes.

use std::fmt;
use std::sync::Arc;

use crate::protocol::NAME_MAX;

/// The name of a tube: 1 to 200 bytes of `A-Z a-z 0-9 - + / ; . $ _ ( )`, the first not `-`.
///
/// Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TubeName(Arc<str>);

/// Why something is no name of a tube.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// It has no bytes.
    #[error("the name of a tube must not be empty")]
    Empty,
    /// It has more than [`NAME_MAX`] bytes.
    #[error("the name of a tube must not be longer than {NAME_MAX} bytes")]
    TooLong,
    /// It begins with `-`.
    #[error("the name of a tube must not begin with '-'")]
    Hyphen,
    /// It has a byte that names may not have.
    #[error("the name of a tube may have letters, digits and - + / ; . $ _ ( ) only")]
    Character,
}

impl TubeName {
    /// Checks `bytes`.
    ///
    /// # Errors
    ///
    /// If they are no name: see [`NameError`].
    pub fn new(bytes: &[u8]) -> Result<TubeName, NameError> {
        if bytes.is_empty() {
            return Err(NameError::Empty);
        }
        if bytes.len() > NAME_MAX {
            return Err(NameError::TooLong);
        }
        if bytes[0] == b'-' {
            return Err(NameError::Hyphen);
        }
        let text = std::str::from_utf8(bytes).map_err(|_| NameError::Character)?;
        if !bytes.iter().all(|b| is_name_byte(*b)) {
            return Err(NameError::Character);
        }
        Ok(TubeName(Arc::from(text)))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for TubeName {
    /// `default`, the tube that every connection begins with.
    fn default() -> TubeName {
        TubeName(Arc::from("default"))
    }
}

impl std::str::FromStr for TubeName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<TubeName, NameError> {
        TubeName::new(text.as_bytes())
    }
}

impl fmt::Display for TubeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::borrow::Borrow<str> for TubeName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// Whether names may have this byte.
pub(crate) fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-+/;.$_()".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_1_to_200_bytes() {
        assert_eq!(TubeName::new(b""), Err(NameError::Empty));
        assert!(TubeName::new(&[b'a'; 200]).is_ok());
        assert_eq!(TubeName::new(&[b'a'; 201]), Err(NameError::TooLong));
    }

    #[test]
    fn a_name_does_not_begin_with_a_hyphen_but_may_have_some() {
        assert_eq!(TubeName::new(b"-a"), Err(NameError::Hyphen));
        assert!(TubeName::new(b"a-").is_ok());
    }

    #[test]
    fn exactly_the_characters_of_the_protocol_are_allowed() {
        let allowed: Vec<u8> = (0..=255)
            .filter(|b| TubeName::new(&[b'a', *b]).is_ok())
            .collect();
        let mut expected: Vec<u8> = b"-+/;.$_()".to_vec();
        expected.extend(b'a'..=b'z');
        expected.extend(b'A'..=b'Z');
        expected.extend(b'0'..=b'9');
        expected.sort_unstable();
        assert_eq!(allowed, expected);
    }
}
