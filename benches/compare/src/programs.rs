//! The programs that children run: this one, and those of ours for the BEAM and for Go, which are
//! built into a scratch directory. What cannot be built is left out, with the reason.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use std::{env, fs, io};

use crate::child::output;
use crate::engine::Engine;
use crate::machine::locked_version;
use crate::rows::Row;

/// A build that takes longer hangs; Go's first one compiles its standard library.
const BUILD_LIMIT: Duration = Duration::from_secs(300);

/// Room for a million processes, and no reports of killed children on the terminal (regrow's are
/// off too: nobody subscribes to them).
const BEAM_FLAGS: &[&str] = &[
    "-noshell",
    "+P",
    "4000000",
    "-kernel",
    "logger_level",
    "emergency",
];

/// One cell's work, as the children get it told.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Work {
    pub(crate) row: Row,
    /// Operations a sample.
    pub(crate) count: u64,
    pub(crate) samples: u64,
    /// Of what the row has many, if it is not to be as many as usual; regrow only.
    pub(crate) size: Option<u64>,
}

/// What is there to be run.
#[derive(Debug)]
pub(crate) struct Programs {
    scratch: Scratch,
    this: PathBuf,
    workers: usize,
    /// What those that can be run call themselves.
    pub(crate) versions: BTreeMap<Engine, String>,
    /// Why the others cannot.
    pub(crate) missing: BTreeMap<Engine, String>,
}

impl Programs {
    /// Builds what `engines` need.
    pub(crate) fn find(engines: &[Engine], workers: usize) -> io::Result<Programs> {
        let mut programs = Programs {
            scratch: Scratch::new()?,
            this: env::current_exe()?,
            workers,
            versions: BTreeMap::new(),
            missing: BTreeMap::new(),
        };
        for &engine in engines {
            match programs.build(engine) {
                Ok(version) => programs.versions.insert(engine, version),
                Err(why) => programs.missing.insert(engine, why),
            };
        }
        Ok(programs)
    }

    fn build(&self, engine: Engine) -> Result<String, String> {
        match engine {
            Engine::Regrow | Engine::Tokio => Ok(locked_version(&engine.key()).to_owned()),
            Engine::Kameo | Engine::Ractor | Engine::Actix if cfg!(feature = "peers") => {
                Ok(locked_version(&engine.key()).to_owned())
            }
            Engine::Kameo | Engine::Ractor | Engine::Actix => {
                Err("this program was built without the feature `peers`".into())
            }
            Engine::Beam => self.build_beam(),
            Engine::Go => self.build_go(),
        }
    }

    fn build_beam(&self) -> Result<String, String> {
        let mut compile = Command::new("erlc");
        compile.arg("-o").arg(&self.scratch.0);
        compile.args(sources("beam", "erl")?);
        let hint = |why| format!("{why}; Debian has it in erlang-base");
        output(compile, BUILD_LIMIT).map_err(hint)?;
        let mut version = self.beam();
        version.args(["-run", "bench", "main", "version"]);
        Ok(output(version, BUILD_LIMIT)
            .map_err(hint)?
            .trim()
            .to_owned())
    }

    fn build_go(&self) -> Result<String, String> {
        let mut build = Command::new("go");
        build
            .arg("build")
            .arg("-o")
            .arg(self.go_program())
            .arg(".")
            .current_dir(directory("go"));
        let hint = |why| format!("{why}; Debian has it in golang-go");
        output(build, BUILD_LIMIT).map_err(hint)?;
        let mut version = Command::new(self.go_program());
        version.arg("version");
        Ok(output(version, BUILD_LIMIT)?.trim().to_owned())
    }

    fn go_program(&self) -> PathBuf {
        self.scratch.0.join("bench-go")
    }

    fn beam(&self) -> Command {
        let mut command = Command::new("erl");
        let schedulers = format!("{0}:{0}", self.workers);
        command
            .args(BEAM_FLAGS)
            .args(["+S", &schedulers, "+SDcpu", &schedulers, "-pa"])
            .arg(&self.scratch.0);
        command
    }

    /// The command for one cell.
    pub(crate) fn command(&self, engine: Engine, work: Work) -> Command {
        let Work {
            row,
            count,
            samples,
            size,
        } = work;
        let (name, count, samples) = (row.name(), count.to_string(), samples.to_string());
        match engine {
            Engine::Beam => {
                let mut command = self.beam();
                // The server of the echo row hears on its standard input that it is over.
                if row != Row::TcpEcho {
                    command.arg("-noinput");
                }
                command.args(["-run", "bench", "main", &name, &count, &samples]);
                command
            }
            Engine::Go => {
                let mut command = Command::new(self.go_program());
                command
                    .args([name, count, samples])
                    .env("GOMAXPROCS", self.workers.to_string());
                command
            }
            _ => {
                let mut command = Command::new(&self.this);
                let workers = self.workers.to_string();
                command.args(["child", &engine.key(), &name, &count, &samples, &workers]);
                if let Some(size) = size {
                    command.args(["--size", &size.to_string()]);
                }
                command
            }
        }
    }
}

fn directory(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn sources(name: &str, extension: &str) -> Result<Vec<PathBuf>, String> {
    let directory = directory(name);
    let entries = fs::read_dir(&directory);
    let entries = entries.map_err(|error| format!("{}: {error}", directory.display()))?;
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|it| it == extension));
    paths.sort();
    Ok(paths)
}

/// A directory that goes with this value.
#[derive(Debug)]
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> io::Result<Scratch> {
        let path = env::temp_dir().join(format!("regrow-compare-{}", std::process::id()));
        fs::create_dir_all(&path)?;
        Ok(Scratch(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // A scratch directory left behind harms nobody.
        let _ = fs::remove_dir_all(&self.0);
    }
}
