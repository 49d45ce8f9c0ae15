//! The BEAM as installed, with our modules compiled.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use std::{env, fs};

use crate::child::output;

const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(crate) struct Beam {
    modules: PathBuf,
    /// What it calls itself.
    pub(crate) version: String,
}

impl Beam {
    /// Compiles the modules into a scratch directory; the error says why there is no BEAM here.
    pub(crate) fn find() -> Result<Beam, String> {
        let modules = env::temp_dir().join(format!("regrow-savina-{}", std::process::id()));
        fs::create_dir_all(&modules).map_err(|error| error.to_string())?;
        let mut beam = Beam {
            modules,
            version: String::new(),
        };
        let mut compile = Command::new("erlc");
        compile.arg("-o").arg(&beam.modules).args(sources()?);
        output(compile, PATIENCE).map_err(|error| format!("erlc: {error}"))?;
        let version = output(beam.command(1, &["version".into()]), PATIENCE);
        let version = version.map_err(|error| format!("erl: {error}"))?;
        beam.version = version.trim().to_owned();
        Ok(beam)
    }

    /// As many schedulers as the others have workers, and room for many processes.
    pub(crate) fn command(&self, workers: u16, arguments: &[String]) -> Command {
        let schedulers = format!("{workers}:{workers}");
        let mut command = Command::new("erl");
        command
            .args(["-noshell", "-noinput", "+P", "4000000"])
            .args(["+S", &schedulers, "+SDcpu", &schedulers, "-pa"])
            .arg(&self.modules)
            .args(["-run", "savina", "main"])
            .args(arguments);
        command
    }
}

impl Drop for Beam {
    fn drop(&mut self) {
        // A scratch directory left behind harms nobody.
        let _ = fs::remove_dir_all(&self.modules);
    }
}

fn sources() -> Result<Vec<PathBuf>, String> {
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("savina");
    let entries = fs::read_dir(&place).map_err(|error| format!("{}: {error}", place.display()))?;
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    Ok(paths
        .filter(|path| path.extension().is_some_and(|it| it == "erl"))
        .collect())
}
