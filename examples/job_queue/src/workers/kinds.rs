//! The ordinary kinds of jobs. Files are read where it hurts nobody, in a thread for what blocks.

use std::fs::File;
use std::io::Read;
use std::time::Duration;

use regrow::{blocking, sleep};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::registry::{Done, Failure, Job, Registry};

/// Bytes of a file that are read at once.
const PIECE: usize = 64 * 1024;

pub(super) fn register(registry: &mut Registry) {
    registry.register("sha256", |job| Box::pin(sha256(job)));
    registry.register("word_count", |job| Box::pin(word_count(job)));
    registry.register("sleep", |job| Box::pin(sleeps(job)));
}

/// `{"kind": "sha256", "path": "/etc/hostname"}`: the digest of a file.
async fn sha256(job: Job) -> Result<Done, Failure> {
    let path = job.text("path")?.to_owned();
    blocking(move || {
        let mut digest = Sha256::new();
        read(&path, |piece| digest.update(piece))?;
        let digest = digest.finalize();
        let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(json!({ "path": path, "sha256": hex }).into())
    })
    .await
}

/// `{"kind": "word_count", "path": "/etc/hostname"}`: lines, words and bytes of a file, as `wc`
/// counts them.
async fn word_count(job: Job) -> Result<Done, Failure> {
    let path = job.text("path")?.to_owned();
    blocking(move || {
        let mut count = Count::default();
        read(&path, |piece| count.add(piece))?;
        let (lines, words, bytes) = (count.lines, count.words, count.bytes);
        Ok(json!({ "path": path, "lines": lines, "words": words, "bytes": bytes }).into())
    })
    .await
}

/// `{"kind": "sleep", "ms": 20}`.
async fn sleeps(job: Job) -> Result<Done, Failure> {
    let ms = job.number("ms")?;
    sleep(Duration::from_millis(ms)).await;
    Ok(json!({ "ms": ms }).into())
}

/// The file may come, or become readable: another time this may succeed.
fn read(path: &str, mut take: impl FnMut(&[u8])) -> Result<(), Failure> {
    let failed = |error| Failure::Now(format!("cannot read `{path}`: {error}"));
    let mut file = File::open(path).map_err(failed)?;
    let mut piece = vec![0; PIECE];
    loop {
        match file.read(&mut piece).map_err(failed)? {
            0 => return Ok(()),
            length => take(&piece[..length]),
        }
    }
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Count {
    lines: u64,
    words: u64,
    bytes: u64,
    in_word: bool,
}

impl Count {
    fn add(&mut self, piece: &[u8]) {
        self.bytes += piece.len() as u64;
        for byte in piece {
            self.lines += u64::from(*byte == b'\n');
            // The vertical tab too, which Rust does not count among the spaces.
            let space = byte.is_ascii_whitespace() || *byte == 0x0b;
            self.words += u64::from(!space && !self.in_word);
            self.in_word = !space;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_counted_as_wc_does_also_across_pieces() {
        let text = b"two words\n\n  and\tthree more \x0b";
        let mut whole = Count::default();
        whole.add(text);
        assert_eq!((whole.lines, whole.words), (2, 5));
        assert_eq!(whole.bytes, text.len() as u64);
        for cut in 0..text.len() {
            let mut count = Count::default();
            count.add(&text[..cut]);
            count.add(&text[cut..]);
            assert_eq!(count, whole, "cut at {cut}");
        }
    }

    #[test]
    fn a_file_that_is_not_there_is_a_failure_for_now() {
        let failed = read("/no/such/file", |_| {});
        assert!(matches!(failed, Err(Failure::Now(why)) if why.contains("/no/such/file")));
    }
}
