//! What the system says of this program's memory.

use std::fs;

/// Resident memory of this OS process in bytes.
///
/// # Panics
///
/// Where the system does not tell: elsewhere than on Linux.
pub fn resident_bytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("Linux tells a process its memory");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes: Option<u64> =
        line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
    kilobytes.expect("VmRSS is a number of kilobytes") * 1024
}
