//! What the machine does meanwhile: who uses the processors, and how long a sync takes.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use job_queue::trial::server::processor_time;

use super::Latency;
use super::histogram::Histogram;

/// How often the disk is asked.
const SYNCS: u32 = 100;

/// Processor time used so far.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Machine {
    client: Duration,
    server: Duration,
    all: Duration,
}

/// Processors in use.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Used {
    pub(crate) client: f64,
    pub(crate) server: f64,
    pub(crate) other: f64,
}

impl Machine {
    /// Used so far by this process, by the server and by all together.
    pub(crate) fn now(server: u32) -> io::Result<Self> {
        Ok(Self {
            client: processor_time("/proc/self")?,
            server: processor_time(&format!("/proc/{server}"))?,
            all: busy(&std::fs::read_to_string("/proc/stat")?)
                .ok_or_else(|| io::Error::other("no processor time in /proc/stat"))?,
        })
    }

    /// Processors that were in use since `before`.
    pub(crate) fn since(&self, before: &Self, time: Duration) -> Used {
        let cores = |now: Duration, before: Duration| {
            now.saturating_sub(before).as_secs_f64() / time.as_secs_f64()
        };
        let client = cores(self.client, before.client);
        let server = cores(self.server, before.server);
        Used {
            client,
            server,
            other: (cores(self.all, before.all) - client - server).max(0.0),
        }
    }
}

/// The time that all processors were neither idle nor waiting for a disk.
fn busy(stat: &str) -> Option<Duration> {
    let fields = stat.lines().next()?.strip_prefix("cpu ")?;
    // user, nice, system, idle, iowait, irq, softirq, steal
    let ticks: u64 = fields
        .split_whitespace()
        .take(8)
        .enumerate()
        .filter(|(index, _)| !matches!(index, 3 | 4))
        .filter_map(|(_, field)| field.parse::<u64>().ok())
        .sum();
    let per_second = rustix::param::clock_ticks_per_second();
    Some(Duration::from_millis(ticks * 1000 / per_second))
}

/// How long it takes to append 4 KiB to a file in this directory and to sync it.
pub(crate) fn fsync(directory: &Path) -> io::Result<Latency> {
    let mut file = File::create(directory.join("sync"))?;
    let block = [b'x'; 4096];
    let mut histogram = Histogram::default();
    for _ in 0..SYNCS {
        let begun = Instant::now();
        file.write_all(&block)?;
        file.sync_data()?;
        histogram.add(begun.elapsed());
    }
    Ok(Latency {
        p50: histogram.micros(0.5),
        p99: histogram.micros(0.99),
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::busy;

    #[test]
    fn idle_time_and_waiting_for_disks_are_not_busy() {
        let per_second = rustix::param::clock_ticks_per_second();
        let line =
            format!("cpu  {per_second} 0 {per_second} 99999 88888 0 0 {per_second} 7 7\ncpu0 1");
        assert_eq!(busy(&line), Some(Duration::from_secs(3)));
    }
}
