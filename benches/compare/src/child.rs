//! One row on one engine in a child process of its own: nothing is inherited from the row before,
//! and a child that hangs is killed and reported instead of waited for.

use std::io::{self, BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use crate::echo_load;

/// What a child has measured.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Samples {
    /// The values.
    pub(crate) values: Vec<f64>,
    /// How many samples never came to an end, though the child did.
    pub(crate) never: u32,
}

impl Samples {
    /// These values.
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Samples {
        Samples {
            values: values.into_iter().collect(),
            never: 0,
        }
    }

    /// From the lines `NAME VALUE` and `NAME never` of a child's output.
    pub(crate) fn parse(name: &str, text: &str) -> Samples {
        let mut samples = Samples::default();
        for line in text.lines() {
            let mut words = line.split_ascii_whitespace();
            if words.next() != Some(name) {
                continue;
            }
            match (words.next(), words.next()) {
                (Some("never"), None) => samples.never += 1,
                (Some(value), None) => {
                    let value = value.parse().ok();
                    let value = value.filter(|value: &f64| value.is_finite() && *value >= 0.0);
                    samples.values.extend(value);
                }
                _ => {}
            }
        }
        samples
    }
}

/// Measures a row in a child that prints its samples; or why there are none.
pub(crate) fn measure(name: &str, command: Command, limit: Duration) -> Result<Samples, String> {
    let samples = Samples::parse(name, &output(command, limit)?);
    if samples == Samples::default() {
        return Err("printed no result".into());
    }
    Ok(samples)
}

/// Measures the echo row: the child serves until its standard input ends, the load runs here. So it
/// is the same for all engines.
pub(crate) fn measure_echo(
    name: &str,
    command: Command,
    connections: usize,
    time: Duration,
    limit: Duration,
) -> Result<Samples, String> {
    let mut running = Running::start(command, Stdio::piped())?;
    let mut stdout = BufReader::new(running.stdout()?);
    let (told, telling) = mpsc::channel();
    let wanted = format!("{name} listening ");
    thread::spawn(move || {
        let mut lines = stdout.by_ref().lines().map_while(Result::ok);
        let address = lines.find_map(|line| line.strip_prefix(&wanted)?.trim().parse().ok());
        let _ = told.send(address);
        // Whatever else it prints must not stop it.
        let _ = io::copy(&mut stdout, &mut io::sink());
    });
    let address: SocketAddr = match telling.recv_timeout(limit) {
        Ok(Some(address)) => address,
        Ok(None) => return Err(running.why("told no address")),
        Err(_) => return Err(running.why(&hung(limit))),
    };
    let load = echo_load::run(address, connections, time);
    load.map(|requests| Samples::of([requests]))
        .map_err(|error| running.why(&error.to_string()))
}

/// Standard output of a command that ends well and in time.
pub(crate) fn output(command: Command, limit: Duration) -> Result<String, String> {
    let mut running = Running::start(command, Stdio::null())?;
    let text = drain(running.stdout()?);
    match text.recv_timeout(limit) {
        Ok(text) => running.finish().map(|()| text),
        Err(RecvTimeoutError::Timeout) => Err(running.why(&hung(limit))),
        Err(RecvTimeoutError::Disconnected) => Err(running.why("its output could not be read")),
    }
}

fn hung(limit: Duration) -> String {
    format!("hung: killed after {} s", limit.as_secs())
}

/// A child that does not outlive this value.
struct Running {
    child: Child,
    complaints: Receiver<String>,
}

impl Running {
    fn start(mut command: Command, stdin: Stdio) -> Result<Running, String> {
        command
            .stdin(stdin)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let program = command.get_program().to_string_lossy().into_owned();
        let mut child = command.spawn().map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => format!("{program} is not installed"),
            _ => format!("{program}: {error}"),
        })?;
        let complaints = drain(child.stderr.take().expect("stderr is piped"));
        Ok(Running { child, complaints })
    }

    fn stdout(&mut self) -> Result<ChildStdout, String> {
        self.child.stdout.take().ok_or("no output".into())
    }

    fn finish(&mut self) -> Result<(), String> {
        let status = self.child.wait().map_err(|error| error.to_string())?;
        if status.success() {
            Ok(())
        } else {
            Err(self.why(&format!("ended with {status}")))
        }
    }

    /// Ends the child, and adds what it said last to `what`.
    fn why(&mut self, what: &str) -> String {
        self.end();
        let said = self.complaints.recv_timeout(Duration::from_secs(1));
        let said = said.unwrap_or_default();
        match said.lines().rfind(|line| !line.trim().is_empty()) {
            Some(line) => format!("{what}: {}", line.trim()),
            None => what.to_owned(),
        }
    }

    fn end(&mut self) {
        // Either fails only if the child is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}

/// Reads to the end on a thread of its own, so that a full pipe holds nobody up.
fn drain(mut pipe: impl Read + Send + 'static) -> Receiver<String> {
    let (done, result) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if pipe.read_to_end(&mut bytes).is_ok() {
            let _ = done.send(String::from_utf8_lossy(&bytes).into_owned());
        }
    });
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(20);

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn lines_of_the_row_are_samples_and_others_are_not() {
        let text = "call 12.5\ncall-bare 1\nwarming up\ncall 13\ncall never\ncall x\ncall -1\ncall NaN\ncall 1 2\n";
        let samples = Samples::parse("call", text);
        assert_eq!(samples.values, [12.5, 13.0]);
        assert_eq!(samples.never, 1);
    }

    #[test]
    fn a_child_that_prints_nothing_of_the_row_has_failed() {
        let result = measure("call", shell("echo ring 3"), LIMIT);
        assert_eq!(result, Err("printed no result".into()));
    }

    #[test]
    fn a_child_that_breaks_is_reported_with_its_last_words() {
        let result = measure("call", shell("echo call 3; echo oh no >&2; exit 3"), LIMIT);
        let why = result.unwrap_err();
        assert!(
            why.contains("exit status: 3") && why.contains("oh no"),
            "{why}"
        );
    }

    #[test]
    fn a_child_that_hangs_is_killed() {
        let result = measure("call", shell("exec sleep 600"), Duration::from_millis(50));
        assert!(result.unwrap_err().starts_with("hung"));
    }

    #[test]
    fn a_program_that_is_not_there_is_called_not_installed() {
        let result = output(Command::new("no-such-program-here"), LIMIT);
        assert_eq!(result, Err("no-such-program-here is not installed".into()));
    }
}
