//! Compares what two servers have said, byte for byte but for what is masked.

use job_queue::trial::answer::parse;

use crate::allowed::{Allowed, Kind};
use crate::play::{After, Heard, Transcript};
use crate::script::{Differs, Script};

/// What the comparison of one script has found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// How many answers the first server has given.
    pub(crate) answers: usize,
    /// Differences that were declared, by name.
    pub(crate) declared: Vec<String>,
    pub(crate) problems: Vec<Problem>,
}

/// Something that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    /// Which step; `None`: the end of the script.
    pub(crate) step: Option<usize>,
    pub(crate) connection: char,
    pub(crate) what: What,
    pub(crate) first: Vec<u8>,
    pub(crate) second: Vec<u8>,
}

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// The two differ.
    Differ,
    /// Neither gave what the script waits for: the script is wrong.
    Nothing,
    /// A difference is declared, and the two differ in another way, or do not differ.
    NotAsDeclared,
}

/// Compares two transcripts of one script. `declared` says whether declared differences count: not
/// if a server is compared with itself.
pub(crate) fn compare(
    script: &Script,
    allowed: &Allowed,
    first: &Transcript,
    second: &Transcript,
    declared: bool,
) -> Verdict {
    let mut verdict = Verdict::default();
    // Both play the same steps, so both have heard as often.
    for (first, second) in first.heard.iter().zip(&second.heard) {
        verdict.answers += count(&first.bytes);
        let differs = first
            .step
            .and_then(|step| script.steps[step].differs.as_ref())
            .filter(|_| declared);
        let what = judge(allowed, first, second, differs);
        if let Some(what) = what {
            verdict.problems.push(Problem {
                step: first.step,
                connection: first.connection,
                what,
                first: shown(allowed, first),
                second: shown(allowed, second),
            });
        } else if let Some(differs) = differs {
            verdict.declared.push(differs.name.clone());
        }
    }
    verdict
}

fn judge(
    allowed: &Allowed,
    first: &Heard,
    second: &Heard,
    differs: Option<&Differs>,
) -> Option<What> {
    let (said, other) = (shown(allowed, first), shown(allowed, second));
    if let Some(differs) = differs {
        return (!is_as_declared(allowed, differs, &said, &other)).then_some(What::NotAsDeclared);
    }
    if said != other {
        return Some(What::Differ);
    }
    (first.after == After::Silent).then_some(What::Nothing)
}

/// Whether two answers differ just as declared: each is what was declared for it, or, if lines of a
/// dictionary were declared, they are the same but for these lines.
fn is_as_declared(allowed: &Allowed, differs: &Differs, said: &[u8], other: &[u8]) -> bool {
    if said == other {
        return false;
    }
    match (lines(&differs.beanstalkd), lines(&differs.job_queue)) {
        (Some(from), Some(to)) if from.len() == to.len() => {
            replaced(said, &from, &to).is_some_and(|replaced| replaced == other)
        }
        _ => {
            said == masked(allowed, &differs.beanstalkd)
                && other == masked(allowed, &differs.job_queue)
        }
    }
}

/// The lines of a dictionary that were declared, if that is what was declared.
fn lines(declared: &[u8]) -> Option<Vec<&str>> {
    let text = std::str::from_utf8(declared).ok()?;
    let lines: Vec<&str> = text.lines().collect();
    let plain = !text.is_empty() && !text.contains('\r');
    (plain && lines.iter().all(|line| line.contains(": "))).then_some(lines)
}

/// The answer with other lines in its dictionary.
fn replaced(answer: &[u8], from: &[&str], to: &[&str]) -> Option<Vec<u8>> {
    let parsed = parse(answer).ok()??;
    let body = std::str::from_utf8(&answer[parsed.body?]).ok()?;
    let mut lines: Vec<&str> = body.split_inclusive('\n').collect();
    for (from, to) in from.iter().zip(to) {
        let place = lines.iter_mut().find(|line| line.trim_end() == *from)?;
        *place = to;
    }
    let body: String = lines
        .iter()
        .map(|line| format!("{}\n", line.trim_end_matches('\n')))
        .collect();
    let mut replaced = format!("OK {}\r\n{body}\r\n", body.len()).into_bytes();
    replaced.extend_from_slice(&answer[parsed.length..]);
    Some(replaced)
}

/// What was heard, masked, and how the wait ended if not as wished.
fn shown(allowed: &Allowed, heard: &Heard) -> Vec<u8> {
    let mut bytes = masked(allowed, &heard.bytes);
    bytes.extend_from_slice(match heard.after {
        After::Done => b"",
        // A reset is what the kernel makes of an end when unread bytes are left.
        After::Closed | After::Broken => b"<closed>",
        After::Silent => b"<silent>",
    });
    bytes
}

/// The bytes with masked values left out. The length of a masked body is that of what is left: its
/// true length was checked when it was parsed.
fn masked(allowed: &Allowed, bytes: &[u8]) -> Vec<u8> {
    let mut result = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Ok(Some(parsed)) = parse(rest) {
        let text = parsed
            .body
            .clone()
            .and_then(|body| std::str::from_utf8(&rest[body]).ok())
            .filter(|_| rest.starts_with(b"OK "));
        match text.and_then(|text| Some((text, Kind::of(text)?))) {
            Some((text, kind)) => {
                let body = mask_body(allowed, kind, text);
                result.extend_from_slice(format!("OK {}\r\n{body}\r\n", body.len()).as_bytes());
            }
            None => result.extend_from_slice(&rest[..parsed.length]),
        }
        rest = &rest[parsed.length..];
    }
    result.extend_from_slice(rest);
    result
}

fn mask_body(allowed: &Allowed, kind: Kind, text: &str) -> String {
    text.split_inclusive('\n')
        .map(|line| match line.split_once(": ") {
            Some((key, _)) if allowed.masks(kind, key) => format!("{key}: *\n"),
            _ => line.to_owned(),
        })
        .collect()
}

fn count(bytes: &[u8]) -> usize {
    let mut rest = bytes;
    let mut count = 0;
    while let Ok(Some(parsed)) = parse(rest) {
        count += 1;
        rest = &rest[parsed.length..];
    }
    count
}

#[cfg(test)]
mod tests {
    use super::{What, compare};
    use crate::allowed::Allowed;
    use crate::play::{After, Heard, Transcript};
    use crate::script::parse;

    fn heard(bytes: &[u8], after: After) -> Transcript {
        Transcript {
            heard: vec![Heard {
                step: Some(0),
                connection: 'A',
                bytes: bytes.to_vec(),
                after,
            }],
        }
    }

    fn verdict(script: &str, first: Transcript, second: Transcript) -> Vec<What> {
        let script = parse("test", script).unwrap();
        let allowed = Allowed::parse("mask stats-job age  time passes\n").unwrap();
        let verdict = compare(&script, &allowed, &first, &second, true);
        verdict
            .problems
            .iter()
            .map(|problem| problem.what)
            .collect()
    }

    fn said(bytes: &[u8]) -> Transcript {
        heard(bytes, After::Done)
    }

    #[test]
    fn one_byte_is_a_difference() {
        let script = "A: x";
        assert_eq!(verdict(script, said(b"OK\r\n"), said(b"OK\r\n")), []);
        assert_eq!(
            verdict(script, said(b"KICKED 1\r\n"), said(b"KICKED 2\r\n")),
            [What::Differ]
        );
        assert_eq!(
            verdict(script, said(b"KICKED 1\r\n"), said(b"KICKED 1\n")),
            [What::Differ]
        );
    }

    #[test]
    fn an_end_is_a_difference_and_so_is_silence() {
        let script = "A: x";
        let end = || heard(b"", After::Closed);
        let silence = || heard(b"", After::Silent);
        assert_eq!(verdict(script, said(b""), end()), [What::Differ]);
        assert_eq!(verdict(script, said(b""), silence()), [What::Differ]);
        assert_eq!(verdict(script, end(), end()), []);
        assert_eq!(verdict(script, silence(), silence()), [What::Nothing]);
    }

    #[test]
    fn only_the_value_of_a_masked_key_may_differ() {
        let answer = |body: &str| said(format!("OK {}\r\n{body}\r\n", body.len()).as_bytes());
        let script = "A: x";
        let one = || answer("---\nid: 1\nage: 9\nttr: 5\n");
        assert_eq!(
            verdict(script, one(), answer("---\nid: 1\nage: 100\nttr: 5\n")),
            []
        );
        for other in [
            "---\nid: 1\nage: 9\nttr: 6\n",
            "---\nid: 1\nttr: 5\n",
            "---\nid: 1\nttr: 5\nage: 9\n",
            "---\nname: 1\nage: 8\nttr: 5\n",
        ] {
            assert_eq!(
                verdict(script, one(), answer(other)),
                [What::Differ],
                "{other}"
            );
        }
        // The length that it claims is wrong.
        let wrong = said(b"OK 22\r\n---\nid: 1\nage: 9\nttr: 5\n\r\n");
        assert_eq!(verdict(script, one(), wrong), [What::Differ]);
    }

    #[test]
    fn declared_lines_of_a_dictionary_are_all_that_may_differ() {
        let answer = |body: &str| said(format!("OK {}\r\n{body}\r\n", body.len()).as_bytes());
        let script =
            "A: x\ndiffers d\nbeanstalkd cmd-put: 5\\nttr: 1\njob-queue cmd-put: 12\\nttr: 2\n";
        let one = || answer("---\nname: q\ncmd-put: 5\npri: 3\nttr: 1\n");
        let other = answer("---\nname: q\ncmd-put: 12\npri: 3\nttr: 2\n");
        assert_eq!(verdict(script, one(), other), []);
        for other in [
            "---\nname: q\ncmd-put: 5\npri: 3\nttr: 1\n",
            "---\nname: q\ncmd-put: 12\npri: 3\nttr: 1\n",
            "---\nname: q\ncmd-put: 13\npri: 3\nttr: 2\n",
            "---\nname: q\ncmd-put: 12\npri: 4\nttr: 2\n",
        ] {
            assert_eq!(
                verdict(script, one(), answer(other)),
                [What::NotAsDeclared],
                "{other}"
            );
        }
    }

    #[test]
    fn a_declared_difference_must_be_as_declared() {
        let script = "A: x\ndiffers d\nbeanstalkd ONE\\r\\n\njob-queue TWO\\r\\n\n";
        assert_eq!(verdict(script, said(b"ONE\r\n"), said(b"TWO\r\n")), []);
        for (first, second) in [
            (&b"ONE\r\n"[..], &b"ONE\r\n"[..]),
            (b"TWO\r\n", b"TWO\r\n"),
            (b"ONE\r\n", b"THREE\r\n"),
            (b"TWO\r\n", b"ONE\r\n"),
        ] {
            assert_eq!(
                verdict(script, said(first), said(second)),
                [What::NotAsDeclared]
            );
        }
    }
}
