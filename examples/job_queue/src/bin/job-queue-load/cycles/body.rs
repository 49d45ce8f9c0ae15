//! Bodies that say which job they belong to, and that can be checked without keeping them.

use job_queue::trial::chance::Chance;

/// The longest tail after the number.
const TAIL: u32 = 1000;

/// The body of the job with this number: the number, a space, and bytes that follow from it.
pub(crate) fn body(seed: u64, serial: u64) -> Vec<u8> {
    let mut chance = Chance::new(seed ^ serial.rotate_left(32));
    let length = chance.below(TAIL);
    let mut body = format!("{serial} ").into_bytes();
    body.extend((0..length).map(|_| chance.byte()));
    body
}

/// The number that a body begins with, and whether the rest is right.
pub(crate) fn read(seed: u64, bytes: &[u8]) -> Option<(u64, bool)> {
    let end = bytes.iter().position(|&byte| byte == b' ')?;
    let serial = std::str::from_utf8(&bytes[..end]).ok()?.parse().ok()?;
    Some((serial, bytes == body(seed, serial)))
}

#[cfg(test)]
mod tests {
    use super::{body, read};

    #[test]
    fn a_body_says_whose_it_is_and_shows_every_change() {
        let mut bytes = body(1, 42);
        assert_eq!(read(1, &bytes), Some((42, true)));
        assert_eq!(read(2, &bytes), Some((42, false)));
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        assert_eq!(read(1, &bytes), Some((42, false)));
        bytes.truncate(last);
        assert_eq!(read(1, &bytes), Some((42, false)));
        assert_eq!(read(1, b"hello"), None);
    }
}
