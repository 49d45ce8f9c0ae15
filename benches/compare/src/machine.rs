//! Where the figures come from: the machine, the versions, and who else was using the cores.

use std::fs;
use std::time::Instant;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// Clock ticks a second in `/proc`, the same on every Linux that Rust supports.
const TICKS_PER_SECOND: f64 = 100.0;

/// Restricts this process, and so its children, to two cores; how many it has then, one or two, and
/// so how many workers every engine gets.
pub(crate) fn pin_to_two_cores() -> usize {
    let Ok(allowed) = sched_getaffinity(None) else {
        return 2;
    };
    let mut two = CpuSet::new();
    for core in (0..CpuSet::MAX_CPU)
        .filter(|&core| allowed.is_set(core))
        .take(2)
    {
        two.set(core);
    }
    if let Err(error) = sched_setaffinity(None, &two) {
        eprintln!("not pinned to two cores: {error}");
    }
    two.count().clamp(1, 2) as usize
}

/// CPU model, kernel and memory in one line.
pub(crate) fn describe(used: usize) -> String {
    let cpu_info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = field(&cpu_info, "model name").unwrap_or("unknown CPU");
    let cores = cpu_info
        .lines()
        .filter(|line| line.starts_with("processor"))
        .count();
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kilobytes: u64 = field(&memory, "MemTotal")
        .and_then(|text| text.split(' ').next()?.parse().ok())
        .unwrap_or(0);
    let gigabytes = kilobytes as f64 / 1024.0 / 1024.0;
    format!(
        "{model}, {cores} CPUs ({used} used), {gigabytes:.0} GiB, Linux {}",
        kernel.trim()
    )
}

fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim())
}

/// The version of a package in the lock file.
pub(crate) fn locked_version(package: &str) -> &'static str {
    let lock = include_str!("../../../Cargo.lock");
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
    /// Begins to watch.
    pub(crate) fn watch() -> ForeignLoad {
        ForeignLoad {
            start: Instant::now(),
            busy: busy_seconds(),
            own: own_seconds(),
        }
    }

    /// Others' load since, in percent of one core. `/proc` counts in 10 ms, so short spans are rough.
    pub(crate) fn percent(&self) -> f64 {
        let foreign = (busy_seconds() - self.busy) - (own_seconds() - self.own);
        (100.0 * foreign / self.start.elapsed().as_secs_f64()).max(0.0)
    }
}

/// Time that all cores were not idle, stolen time of virtual machines included.
fn busy_seconds() -> f64 {
    let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
    let Some(cpu) = stat.lines().next() else {
        return 0.0;
    };
    let ticks: Vec<f64> = cpu
        .split_ascii_whitespace()
        .skip(1)
        .filter_map(|field| field.parse().ok())
        .collect();
    // user nice system idle iowait irq softirq steal
    let busy = [0, 1, 2, 5, 6, 7]
        .iter()
        .filter_map(|&index| ticks.get(index))
        .sum::<f64>();
    busy / TICKS_PER_SECOND
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
