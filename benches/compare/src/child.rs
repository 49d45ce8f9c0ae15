//! One row on one engine in a child process of its own: nothing is inherited from the row before,
//! and a child that hangs is killed and reported instead of waited for.

use std::env;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use crate::rows::{Engine, Row};
use crate::{on_regrow, on_tokio};

/// Emulator flags: two schedulers as everyone else, room for a million processes, and no reports
/// of killed children on the terminal (regrow's are off too: nobody subscribes to them).
const BEAM_FLAGS: &[&str] = &[
    "-noshell",
    "-noinput",
    "+S",
    "2:2",
    "+SDcpu",
    "2:2",
    "+P",
    "4000000",
    "-kernel",
    "logger_level",
    "emergency",
];

/// The BEAM as installed, with our module compiled.
#[derive(Debug)]
pub(crate) struct Beam {
    modules: PathBuf,
    /// What it calls itself.
    pub(crate) version: String,
}

impl Beam {
    /// Compiles the module into a scratch directory; the error says why there is no BEAM here.
    pub(crate) fn find() -> Result<Beam, String> {
        let modules = env::temp_dir().join(format!("regrow-compare-{}", std::process::id()));
        std::fs::create_dir_all(&modules).map_err(|error| error.to_string())?;
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("beam/bench.erl");
        let mut compile = Command::new("erlc");
        compile.arg("-o").arg(&modules).arg(source);
        output(compile, Duration::from_secs(60)).map_err(|error| format!("erlc: {error}"))?;
        let mut beam = Beam {
            modules,
            version: String::new(),
        };
        let version = output(beam.command(&["version"]), Duration::from_secs(60));
        beam.version = version
            .map_err(|error| format!("erl: {error}"))?
            .trim()
            .to_owned();
        Ok(beam)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("erl");
        command
            .args(BEAM_FLAGS)
            .arg("-pa")
            .arg(&self.modules)
            .args(["-run", "bench", "main"])
            .args(arguments);
        command
    }
}

impl Drop for Beam {
    fn drop(&mut self) {
        // A scratch directory left behind harms nobody.
        let _ = std::fs::remove_dir_all(&self.modules);
    }
}

/// Measures one row on one engine in a child; the samples it printed, or why there are none.
pub(crate) fn measure(
    row: Row,
    engine: Engine,
    count: u64,
    samples: u64,
    beam: Option<&Beam>,
    limit: Duration,
) -> Result<Vec<f64>, String> {
    let (name, count, samples) = (row.name(), count.to_string(), samples.to_string());
    let command = match (engine, beam) {
        (Engine::Beam, None) => return Err("not installed".into()),
        (Engine::Beam, Some(beam)) => beam.command(&[&name, &count, &samples]),
        (Engine::Tokio | Engine::Regrow, _) => {
            let mut command = Command::new(env::current_exe().map_err(|error| error.to_string())?);
            command.args([
                "child",
                &engine.title().to_lowercase(),
                &name,
                &count,
                &samples,
            ]);
            command
        }
    };
    let text = output(command, limit)?;
    let prefix = format!("{name} ");
    let values = text
        .lines()
        .filter_map(|line| line.strip_prefix(&prefix)?.trim().parse().ok());
    let values: Vec<f64> = values.collect();
    if values.is_empty() {
        Err("printed no result".into())
    } else {
        Ok(values)
    }
}

/// The child's side of [`measure`].
pub(crate) fn run(engine: Engine, row: Row, count: u64, samples: u64) -> io::Result<()> {
    let report = |row: Row, value: f64| println!("{} {value:.3}", row.name());
    match engine {
        Engine::Tokio => on_tokio::run(row, count, samples, report),
        Engine::Regrow => on_regrow::run(row, count, samples, report),
        Engine::Beam => Err(io::Error::other("the BEAM is not started this way")),
    }
}

/// Standard output of a command that ends well and in time.
fn output(mut command: Command, limit: Duration) -> Result<String, String> {
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = command.spawn().map_err(|error| error.to_string())?;
    let mut stdout = child.stdout.take().expect("stdout is piped");
    let (done, result) = mpsc::channel();
    thread::spawn(move || {
        let mut text = String::new();
        let read = stdout.read_to_string(&mut text).map(|_| text);
        let _ = done.send(read);
    });
    match result.recv_timeout(limit) {
        Ok(Ok(text)) => finish(child, text),
        Ok(Err(error)) => Err(stop(child, &error.to_string())),
        Err(RecvTimeoutError::Timeout) => Err(stop(
            child,
            &format!("hung: killed after {} s", limit.as_secs()),
        )),
        Err(RecvTimeoutError::Disconnected) => Err(stop(child, "its output could not be read")),
    }
}

fn finish(mut child: Child, text: String) -> Result<String, String> {
    let status = child.wait().map_err(|error| error.to_string())?;
    if status.success() {
        Ok(text)
    } else {
        Err(format!("ended with {status}"))
    }
}

fn stop(mut child: Child, why: &str) -> String {
    // Either fails only if the child is gone already.
    let _ = child.kill();
    let _ = child.wait();
    why.to_owned()
}
