//! Where the figures come from: the cores, the versions, and who else was using the machine.

use std::time::Instant;
use std::{fs, thread};

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// Clock ticks a second in `/proc`, the same on every Linux that Rust supports.
const TICKS_PER_SECOND: f64 = 100.0;

/// How many workers each engine gets, on as many cores; says so if there are fewer of these.
pub(crate) fn workers(asked: Option<u16>) -> Result<u16, String> {
    let cores = thread::available_parallelism().map_err(|error| error.to_string())?;
    let cores = u16::try_from(cores.get()).unwrap_or(u16::MAX);
    let workers = asked.unwrap_or(cores.min(2));
    if workers > cores {
        eprintln!("{workers} workers on {cores} cores: they take turns");
    } else if let Err(error) = pin(workers.into()) {
        eprintln!("not kept to {workers} cores: {error}");
    }
    if asked.is_none() && cores == 1 {
        eprintln!("one core here, so one worker each: nothing runs at the same time");
    }
    Ok(workers)
}

/// Keeps this process, and so its children, to so many of the cores that it may use.
fn pin(cores: usize) -> rustix::io::Result<()> {
    let allowed = sched_getaffinity(None)?;
    let mut ours = CpuSet::new();
    for core in (0..CpuSet::MAX_CPU)
        .filter(|&core| allowed.is_set(core))
        .take(cores)
    {
        ours.set(core);
    }
    sched_setaffinity(None, &ours)
}

/// CPU model, kernel and memory in one line.
pub(crate) fn describe() -> String {
    let cpu_info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = field(&cpu_info, "model name").unwrap_or("unknown CPU");
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kilobytes: u64 = field(&memory, "MemTotal")
        .and_then(|text| text.split(' ').next()?.parse().ok())
        .unwrap_or(0);
    let gigabytes = kilobytes as f64 / 1024.0 / 1024.0;
    format!("{model}, {gigabytes:.0} GiB, Linux {}", kernel.trim())
}

fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim())
}

/// The version of a package in the lock file.
pub(crate) fn locked_version(package: &str) -> &'static str {
    let lock = include_str!("../../../../Cargo.lock");
    let entry = format!("name = \"{package}\"\nversion = \"");
    let version = lock
        .split_once(entry.as_str())
        .and_then(|(_, rest)| rest.split_once('"'));
    version.map_or("unknown", |(version, _)| version)
}

/// Watches what the cores do for others than us and our children.
#[derive(Debug)]
pub(crate) struct ForeignLoad {
    start: Instant,
    busy: f64,
    own: f64,
}

impl ForeignLoad {
    pub(crate) fn watch() -> ForeignLoad {
        ForeignLoad {
            start: Instant::now(),
            busy: busy_seconds(),
            own: own_seconds(),
        }
    }

    /// Others' load since, in percent of one core; nothing where it cannot be told: `/proc` counts in
    /// 10 ms.
    pub(crate) fn percent(&self) -> Option<f64> {
        let seconds = self.start.elapsed().as_secs_f64();
        let foreign = (busy_seconds() - self.busy) - (own_seconds() - self.own);
        (seconds >= 0.5).then_some((100.0 * foreign / seconds).max(0.0))
    }
}

/// Time that all cores were not idle, stolen time of virtual machines included.
fn busy_seconds() -> f64 {
    let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
    let line = stat.lines().next().unwrap_or_default();
    let ticks: Vec<f64> = line
        .split_ascii_whitespace()
        .skip(1)
        .filter_map(|field| field.parse().ok())
        .collect();
    // user nice system idle iowait irq softirq steal
    let busy = [0, 1, 2, 5, 6, 7].map(|index| ticks.get(index).copied().unwrap_or(0.0));
    busy.iter().sum::<f64>() / TICKS_PER_SECOND
}

/// CPU time of this process and of its children that have ended.
fn own_seconds() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The name, in parentheses, may hold spaces.
    let Some((_, rest)) = stat.rsplit_once(')') else {
        return 0.0;
    };
    // utime, stime, cutime, cstime are fields 14 to 17; `rest` begins with field 3.
    let ticks = rest
        .split_ascii_whitespace()
        .skip(11)
        .take(4)
        .filter_map(|field| field.parse::<f64>().ok());
    ticks.sum::<f64>() / TICKS_PER_SECOND
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lock_file_knows_the_versions_that_are_printed() {
        for package in ["regrow", "tokio", "mimalloc"] {
            assert_ne!(locked_version(package), "unknown", "{package}");
        }
        assert_eq!(locked_version("no-such-package"), "unknown");
    }
}
