//! A script: what is sent on which connection, and how long is waited for what.
//!
//! One step to a line; empty lines and lines that begin with `#` are left out.
//!
//! ```text
//! options -z 100        the servers are started with these (before the first step)
//! durable               the servers keep their jobs on disk (before the first step)
//! A: list-tubes         send the line with CRLF on connection A and wait for one answer
//! A> reserve            send the line with CRLF
//! A>> put 0 0\r\n       send just these bytes
//! A< 2                  wait for two answers
//! A< quiet              wait until nothing more comes
//! A< end                wait until the server closes the connection
//! A half-close          say that nothing more will be sent
//! A close               close the connection
//! wait 1.5              let 1.5 s pass
//! drain                 send the servers SIGUSR1: they take no more jobs
//! restart               kill the servers (SIGKILL) and start them again with the same files
//! ```
//!
//! A connection is made when its name is first used. In what is sent, `\r`, `\n`, `\0`, `\s` (a
//! space), `\\` and `\x1f` stand for bytes, and `\{text*200}` for the text 200 times.
//!
//! After a step that waits, the line `differs NAME` says that the two servers are meant to differ
//! there, and two lines say how, both without exception:
//!
//! ```text
//! A: reserve-job 1
//! differs reserve-job-waits
//! beanstalkd NOT_FOUND\r\n
//! job-queue RESERVED 1 0\r\n\r\n
//! ```
//!
//! Of a dictionary the lines that differ are enough, separated by `\n`:
//!
//! ```text
//! A: stats
//! differs refused-puts-are-not-counted
//! beanstalkd cmd-put: 5
//! job-queue cmd-put: 2
//! ```

use std::time::Duration;

/// A parsed script.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Script {
    pub(crate) name: String,
    pub(crate) options: Vec<String>,
    pub(crate) durable: bool,
    pub(crate) steps: Vec<Step>,
}

/// A step and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Step {
    pub(crate) line: usize,
    /// The line itself, for reports.
    pub(crate) text: String,
    pub(crate) action: Action,
    /// How the servers are meant to differ here, if they are.
    pub(crate) differs: Option<Differs>,
}

/// What a step does.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Action {
    Send(char, Vec<u8>),
    /// Send, and wait for one answer.
    Ask(char, Vec<u8>),
    Answers(char, usize),
    Quiet(char),
    End(char),
    HalfClose(char),
    Close(char),
    Wait(Duration),
    Drain,
    Restart,
}

/// A difference that is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Differs {
    pub(crate) name: String,
    pub(crate) beanstalkd: Vec<u8>,
    pub(crate) job_queue: Vec<u8>,
}

/// A line of a script that says nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{script}, line {line}: {problem}: {text:?}")]
pub(crate) struct ScriptError {
    pub(crate) script: String,
    pub(crate) line: usize,
    pub(crate) problem: &'static str,
    pub(crate) text: String,
}

impl Action {
    /// Whether the step waits for something that the server says.
    pub(crate) fn listens(&self) -> bool {
        matches!(
            self,
            Self::Ask(..) | Self::Answers(..) | Self::Quiet(_) | Self::End(_)
        )
    }
}

/// Reads a script.
pub(crate) fn parse(name: &str, text: &str) -> Result<Script, ScriptError> {
    let mut script = Script {
        name: name.to_owned(),
        ..Script::default()
    };
    let mut lines = text
        .lines()
        .enumerate()
        .map(|(index, line)| (index + 1, line))
        .filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'));
    while let Some((line, text)) = lines.next() {
        let wrong = |problem| ScriptError {
            script: name.to_owned(),
            line,
            problem,
            text: text.to_owned(),
        };
        let first = text.split(' ').next().unwrap_or("");
        let rest = text[first.len()..].trim_start();
        match first {
            "options" | "durable" if !script.steps.is_empty() => {
                return Err(wrong("this must stand before the first step"));
            }
            "options" => script.options = rest.split_whitespace().map(String::from).collect(),
            "durable" => script.durable = true,
            "differs" => {
                let mut how = |kind: &str| {
                    let (_, line) = lines.next()?;
                    unescape(line.strip_prefix(kind)?.trim_start())
                };
                let (Some(beanstalkd), Some(job_queue)) = (how("beanstalkd"), how("job-queue"))
                else {
                    return Err(wrong(
                        "`beanstalkd ANSWER` and `job-queue ANSWER` must follow",
                    ));
                };
                match script.steps.last_mut() {
                    Some(step) if step.action.listens() && step.differs.is_none() => {
                        step.differs = Some(Differs {
                            name: rest.to_owned(),
                            beanstalkd,
                            job_queue,
                        });
                    }
                    _ => return Err(wrong("there is no step before it that waits")),
                }
            }
            _ => {
                let action = action(first, rest).map_err(wrong)?;
                script.steps.push(Step {
                    line,
                    text: text.to_owned(),
                    action,
                    differs: None,
                });
            }
        }
    }
    Ok(script)
}

fn action(first: &str, rest: &str) -> Result<Action, &'static str> {
    const UNKNOWN: &str = "no such step";
    const ESCAPE: &str = "no such escape";
    match first {
        "wait" => {
            let seconds = rest.parse().ok();
            return seconds
                .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
                .map(Action::Wait)
                .ok_or("`wait` needs seconds");
        }
        "restart" if rest.is_empty() => return Ok(Action::Restart),
        "drain" if rest.is_empty() => return Ok(Action::Drain),
        _ => {}
    }
    let mut characters = first.chars();
    let connection = characters
        .next()
        .filter(char::is_ascii_uppercase)
        .ok_or(UNKNOWN)?;
    let line = || {
        let mut bytes = unescape(rest).ok_or(ESCAPE)?;
        bytes.extend_from_slice(b"\r\n");
        Ok(bytes)
    };
    match (characters.as_str(), rest) {
        (":", _) => Ok(Action::Ask(connection, line()?)),
        (">", _) => Ok(Action::Send(connection, line()?)),
        (">>", _) => Ok(Action::Send(connection, unescape(rest).ok_or(ESCAPE)?)),
        ("<", "quiet") => Ok(Action::Quiet(connection)),
        ("<", "end") => Ok(Action::End(connection)),
        ("<", count) => match count.parse() {
            Ok(count) if count > 0 => Ok(Action::Answers(connection, count)),
            _ => Err("`<` needs a number of answers, `quiet` or `end`"),
        },
        ("", "half-close") => Ok(Action::HalfClose(connection)),
        ("", "close") => Ok(Action::Close(connection)),
        _ => Err(UNKNOWN),
    }
}

/// The bytes that a text with escapes stands for.
pub(crate) fn unescape(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        bytes.extend_from_slice(&rest.as_bytes()[..at]);
        let mut characters = rest[at + 1..].chars();
        match characters.next()? {
            'r' => bytes.push(b'\r'),
            'n' => bytes.push(b'\n'),
            '0' => bytes.push(0),
            's' => bytes.push(b' '),
            '\\' => bytes.push(b'\\'),
            'x' => {
                let digits = characters.as_str().get(..2)?;
                bytes.push(u8::from_str_radix(digits, 16).ok()?);
                characters = characters.as_str()[2..].chars();
            }
            '{' => {
                let (inner, after) = characters.as_str().split_once('}')?;
                let (text, count) = inner.rsplit_once('*')?;
                bytes.extend(unescape(text)?.repeat(count.parse().ok()?));
                characters = after.chars();
            }
            _ => return None,
        }
        rest = characters.as_str();
    }
    bytes.extend_from_slice(rest.as_bytes());
    Some(bytes)
}

/// The other way round, for reports: long runs of one byte are shown as such.
pub(crate) fn escape(bytes: &[u8]) -> String {
    const RUN: usize = 24;
    let mut text = String::new();
    let mut rest = bytes;
    while let Some(&byte) = rest.first() {
        let one = match byte {
            b'\r' => "\\r".into(),
            b'\n' => "\\n".into(),
            b'\\' => "\\\\".into(),
            b' '..=b'~' => char::from(byte).to_string(),
            _ => format!("\\x{byte:02x}"),
        };
        let run = rest.iter().take_while(|&&next| next == byte).count();
        if run >= RUN {
            text.push_str(&format!("\\{{{one}*{run}}}"));
            rest = &rest[run..];
        } else {
            text.push_str(&one);
            rest = &rest[1..];
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{Action, escape, parse, unescape};
    use std::time::Duration;

    fn actions(text: &str) -> Vec<Action> {
        let script = parse("test", text).unwrap();
        script.steps.into_iter().map(|step| step.action).collect()
    }

    #[test]
    fn every_kind_of_step_is_read() {
        let text = "options -z 9\ndurable\n\n# a comment\nA: stats\nB> reserve\nB>> a\\r\\n\nB< 2\nB< quiet\nB< end\n\
                    A half-close\nA close\nwait 0.5\ndrain\nrestart\n";
        assert_eq!(
            actions(text),
            [
                Action::Ask('A', b"stats\r\n".into()),
                Action::Send('B', b"reserve\r\n".into()),
                Action::Send('B', b"a\r\n".into()),
                Action::Answers('B', 2),
                Action::Quiet('B'),
                Action::End('B'),
                Action::HalfClose('A'),
                Action::Close('A'),
                Action::Wait(Duration::from_millis(500)),
                Action::Drain,
                Action::Restart,
            ]
        );
        let script = parse("test", text).unwrap();
        assert_eq!(script.options, ["-z", "9"]);
        assert!(script.durable);
        assert_eq!(script.steps[0].line, 5);
    }

    #[test]
    fn a_difference_belongs_to_the_step_before_it() {
        let script = parse(
            "test",
            "A: x\ndiffers D\nbeanstalkd ONE\\r\\n\njob-queue TWO\\r\\n\n",
        )
        .unwrap();
        let differs = script.steps[0].differs.clone().unwrap();
        assert_eq!(differs.name, "D");
        assert_eq!(differs.beanstalkd, b"ONE\r\n");
        assert_eq!(differs.job_queue, b"TWO\r\n");
    }

    #[test]
    fn a_line_that_says_nothing_is_refused_with_its_number() {
        for text in [
            "A: x\nhello",
            "A: x\nA< 0",
            "A: x\nA< many",
            "A: x\nwait",
            "A: x\nwait -1",
            "A: x\ndrain now",
            "A: x\noptions -z 1",
            "A: x\nA> \\q",
            "A> x\ndiffers D\nbeanstalkd a\njob-queue b",
            "A: x\ndiffers D\nbeanstalkd a",
            "a: x",
        ] {
            let error = parse("test", text).unwrap_err();
            let expected = if text.starts_with("a:") { 1 } else { 2 };
            assert_eq!(error.line, expected, "{text}");
        }
    }

    #[test]
    fn escapes_are_bytes_and_repetitions() {
        assert_eq!(
            unescape("a\\r\\n\\0\\s\\\\\\xff").unwrap(),
            b"a\r\n\0 \\\xff"
        );
        assert_eq!(unescape("<\\{ab*3}>").unwrap(), b"<ababab>");
        assert_eq!(unescape("\\{\\x00*2}").unwrap(), b"\0\0");
        for wrong in ["\\", "\\q", "\\x1", "\\xzz", "\\{a", "\\{a}", "\\{a*b}"] {
            assert_eq!(unescape(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn what_is_shown_can_be_written_into_a_script() {
        let bytes = [b"a\r\n\0\\".to_vec(), vec![b'x'; 300], vec![0; 30]].concat();
        assert_eq!(unescape(&escape(&bytes)).unwrap(), bytes);
        assert!(escape(&bytes).len() < 60);
    }
}
