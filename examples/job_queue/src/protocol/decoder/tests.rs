use proptest::prelude::*;

use super::*;
use crate::protocol::JOB_SIZE_DEFAULT;

fn all(decoder: &mut Decoder) -> Vec<Request> {
    std::iter::from_fn(|| decoder.next_request()).collect()
}

/// What the bytes mean to a decoder for bodies of at most 10 bytes.
fn decode(bytes: &[u8]) -> Vec<Request> {
    let mut decoder = Decoder::new(10);
    decoder.push(bytes);
    all(&mut decoder)
}

fn put(body: &[u8]) -> Request {
    Request::Command(Command::Put {
        pri: 1,
        delay: 2,
        ttr: 3,
        body: Arc::from(body),
    })
}

const STATS: Request = Request::Command(Command::Stats);
const BAD: Request = Request::Refused(Response::BadFormat);

#[test]
fn a_put_is_its_line_and_its_body() {
    assert_eq!(decode(b"put 1 2 3 4\r\nabcd\r\n"), [put(b"abcd")]);
    assert_eq!(decode(b"put 1 2 3 0\r\n\r\n"), [put(b"")]);
    assert_eq!(
        decode(b"put 1 2 3 4\r\n\r\n\r\n\r\nstats\r\n"),
        [put(b"\r\n\r\n"), STATS]
    );
}

#[test]
fn a_body_without_crlf_is_refused_and_what_follows_it_is_a_line() {
    let expected = Request::Refused(Response::ExpectedCrlf);
    let unknown = Request::Refused(Response::UnknownCommand);
    let decoded = decode(b"put 1 2 3 3\r\nabcdef\r\nstats\r\n");
    assert_eq!(decoded, [expected, unknown, STATS]);
}

#[test]
fn a_body_that_is_too_big_is_skipped_and_then_refused() {
    let too_big = || Request::Refused(Response::JobTooBig);
    let decoded = decode(b"put 1 2 3 11\r\n0123456789x\r\nstats\r\n");
    assert_eq!(decoded, [too_big(), STATS]);
    let mut decoder = Decoder::new(10);
    decoder.push(b"put 1 2 3 4294967295\r\n");
    let mut left = u64::from(u32::MAX) + 2;
    let piece = vec![0; 1 << 24];
    while left > 0 {
        assert_eq!(decoder.next_request(), None);
        let now = left.min(piece.len() as u64);
        decoder.push(&piece[..now as usize]);
        left -= now;
        assert!(decoder.pending() <= piece.len());
    }
    decoder.push(b"stats\r\n");
    assert_eq!(all(&mut decoder), [too_big(), STATS]);
}

#[test]
fn a_put_line_that_is_refused_has_no_body() {
    assert_eq!(decode(b"put 1 2 3 x\r\nstats\r\n"), [BAD, STATS]);
}

#[test]
fn a_line_has_at_most_224_bytes() {
    for (length, fits) in [
        (222, true),
        (223, false),
        (224, false),
        (300, false),
        (65_536, false),
    ] {
        let mut bytes = vec![b'x'; length];
        bytes.extend(b"\r\nstats\r\n");
        let first = if fits {
            Request::Refused(Response::UnknownCommand)
        } else {
            BAD
        };
        assert_eq!(decode(&bytes), [first, STATS], "{length}");
    }
}

#[test]
fn a_line_that_is_too_long_is_dropped_as_it_comes_and_refused_at_its_end() {
    let mut decoder = Decoder::new(10);
    for _ in 0..1_000 {
        decoder.push(&[b'x'; 100]);
        assert_eq!(decoder.next_request(), None);
        assert!(decoder.pending() < LINE_MAX);
    }
    decoder.push(b"\r");
    assert_eq!(decoder.next_request(), None);
    decoder.push(b"\nstats\r\n");
    assert_eq!(all(&mut decoder), [BAD, STATS]);
}

#[test]
fn only_crlf_ends_a_line() {
    assert_eq!(decode(b"stats\n"), []);
    assert_eq!(decode(b"stats\nstats\r\n"), [BAD]);
    assert_eq!(decode(b"use a\rb\r\n"), [BAD]);
    assert_eq!(decode(b"stats\r\r\n"), [BAD]);
}

#[test]
fn nothing_is_read_after_quit() {
    assert_eq!(
        decode(b"stats\r\nquit\r\nstats\r\n"),
        [STATS, Request::Quit]
    );
}

#[test]
fn the_room_of_a_large_body_is_given_back() {
    let mut decoder = Decoder::new(JOB_SIZE_DEFAULT);
    decoder.push(format!("put 0 0 1 60000\r\n{}\r\n", "x".repeat(60_000)).as_bytes());
    assert_eq!(all(&mut decoder).len(), 1);
    assert!(decoder.bytes.capacity() <= 16 * 1024);
}

/// Pieces of conversations, and of nonsense.
fn input() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(b"stats\r\n".to_vec()),
        Just(b"put 1 2 3 4\r\nabcd\r\n".to_vec()),
        Just(b"put 1 2 3 12\r\n0123456789ab\r\n".to_vec()),
        Just(b"put 1 2 3 5\r\nabcd\r\n".to_vec()),
        Just(b"use a\r\n".to_vec()),
        Just(vec![b'y'; 230]),
        proptest::collection::vec(prop_oneof![Just(b'\r'), Just(b'\n'), any::<u8>()], 0..20),
    ];
    proptest::collection::vec(piece, 0..20).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn it_does_not_matter_in_which_pieces_bytes_come(
        bytes in input(),
        cuts in proptest::collection::vec(1..9_usize, 1..9),
    ) {
        let whole = decode(&bytes);
        let mut decoder = Decoder::new(10);
        let mut found = Vec::new();
        let (mut rest, mut cuts) = (&bytes[..], cuts.iter().cycle());
        while !rest.is_empty() {
            let (piece, later) = rest.split_at(rest.len().min(*cuts.next().unwrap()));
            rest = later;
            decoder.push(piece);
            if piece.len() % 2 == 0 {
                found.extend(all(&mut decoder));
                prop_assert!(decoder.pending() < LINE_MAX);
            }
        }
        found.extend(all(&mut decoder));
        prop_assert_eq!(found, whole);
    }
}
