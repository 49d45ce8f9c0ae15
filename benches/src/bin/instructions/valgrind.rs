//! Counting by callgrind.

use std::env;
use std::process::{Command, Output};

use crate::paths::Path;

/// Operations of the shorter run; the longer has three times as many.
const FEW: u64 = 10_000;

/// Instructions of one operation.
pub(crate) fn instructions(path: Path) -> Result<u64, String> {
    let (few, many) = (collected(path, FEW)?, collected(path, 3 * FEW)?);
    let each = many.saturating_sub(few) as f64 / (2 * FEW) as f64;
    Ok(each.round() as u64)
}

/// Instructions of a whole run.
fn collected(path: Path, count: u64) -> Result<u64, String> {
    let this = env::current_exe().map_err(|error| error.to_string())?;
    let mut valgrind = Command::new("valgrind");
    valgrind
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(this)
        .args(["child", &path.name(), &count.to_string()]);
    let output = output(valgrind)?;
    let told = String::from_utf8_lossy(&output.stderr);
    let figure = told
        .lines()
        .find_map(|line| line.split_once("Collected :")?.1.trim().parse().ok());
    figure.ok_or_else(|| format!("callgrind did not say how much it has collected:\n{told}"))
}

/// What the compiler on the path calls itself.
pub(crate) fn compiler() -> Result<String, String> {
    let mut rustc = Command::new("rustc");
    rustc.arg("--version");
    let output = output(rustc)?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn output(mut command: Command) -> Result<Output, String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|error| {
        format!("{name}: {error} (it is needed here; Debian has callgrind in the package valgrind)")
    })?;
    if output.status.success() {
        return Ok(output);
    }
    let told = String::from_utf8_lossy(&output.stderr);
    Err(format!("{name} ended with {}:\n{told}", output.status))
}
