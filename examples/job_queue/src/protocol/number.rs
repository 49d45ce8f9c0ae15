//! The arguments of a command line, read from left to right.

use crate::protocol::TubeName;

/// What is left of a line.
#[derive(Debug, Clone, Copy)]
pub(super) struct Arguments<'a>(pub(super) &'a [u8]);

/// The line is not as its command wants it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed;

impl<'a> Arguments<'a> {
    /// A decimal number of digits only, after any number of spaces.
    pub(super) fn number(&mut self) -> Result<u64, Malformed> {
        self.skip_spaces();
        let digits = self.0.iter().take_while(|b| b.is_ascii_digit()).count();
        let (number, rest) = self.0.split_at(digits);
        if number.is_empty() {
            return Err(Malformed);
        }
        let mut value = 0_u64;
        for digit in number {
            let shifted = value.checked_mul(10).ok_or(Malformed)?;
            let digit = u64::from(digit - b'0');
            value = shifted.checked_add(digit).ok_or(Malformed)?;
        }
        self.0 = rest;
        Ok(value)
    }

    /// A [`number`](Arguments::number) below 2^32.
    pub(super) fn small(&mut self) -> Result<u32, Malformed> {
        u32::try_from(self.number()?).map_err(|_| Malformed)
    }

    /// A name that ends at a space or the end, after any number of spaces.
    pub(super) fn name(&mut self) -> Result<TubeName, Malformed> {
        self.skip_spaces();
        let length = self.0.iter().take_while(|b| **b != b' ').count();
        let (name, rest) = self.0.split_at(length);
        self.0 = rest;
        TubeName::new(name).map_err(|_| Malformed)
    }

    /// All that is left is a name.
    pub(super) fn rest_as_name(self) -> Result<TubeName, Malformed> {
        TubeName::new(self.0).map_err(|_| Malformed)
    }

    /// Nothing is left, not even a space.
    pub(super) fn end(self) -> Result<(), Malformed> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(Malformed)
        }
    }

    fn skip_spaces(&mut self) {
        while let Some((b' ', rest)) = self.0.split_first() {
            self.0 = rest;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Result<u64, Malformed> {
        let mut arguments = Arguments(text.as_bytes());
        let number = arguments.number()?;
        arguments.end()?;
        Ok(number)
    }

    #[test]
    fn a_number_has_digits_only() {
        assert_eq!(number("0"), Ok(0));
        assert_eq!(number("  007"), Ok(7));
        for bad in ["", " ", "-1", "+1", "1.5", "0x1", "1 ", "\t1", "x", "1e3"] {
            assert_eq!(number(bad), Err(Malformed), "{bad:?}");
        }
    }

    #[test]
    fn a_number_that_overflows_is_malformed() {
        assert_eq!(number("18446744073709551615"), Ok(u64::MAX));
        assert_eq!(number("18446744073709551616"), Err(Malformed));
        assert_eq!(number(&"9".repeat(100)), Err(Malformed));
        assert_eq!(Arguments(b"4294967295").small(), Ok(u32::MAX));
        assert_eq!(Arguments(b"4294967296").small(), Err(Malformed));
    }
}
