//! The program and the machine, as the statistics show them.

use std::hash::{BuildHasher, RandomState};
use std::sync::OnceLock;
use std::time::Duration;

use crate::queue::{Host, Usage};

/// The newest protocol that we speak, and who we are.
const VERSION: &str = concat!("1.13+regrow-", env!("CARGO_PKG_VERSION"));
/// Of `/proc/self/stat`, in ticks of a hundredth of a second; counted after the program's name.
const USER_TICKS: usize = 11;
const SYSTEM_TICKS: usize = 12;
const TICK: u64 = 10;

pub(crate) fn describe() -> Host {
    static ID: OnceLock<String> = OnceLock::new();
    let name = rustix::system::uname();
    let text = |part: &std::ffi::CStr| part.to_string_lossy().into_owned();
    Host {
        pid: std::process::id(),
        version: VERSION.to_owned(),
        // The same for all schedulers of this program.
        id: ID
            .get_or_init(|| format!("{:016x}", RandomState::new().hash_one(VERSION)))
            .clone(),
        hostname: text(name.nodename()),
        os: text(name.version()),
        platform: text(name.machine()),
        usage,
    }
}

/// Processor time used so far; none if the system does not say.
fn usage() -> Usage {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The name may have spaces and parentheses, so what counts begins after the last one.
    let fields = stat.rsplit_once(") ").map_or("", |(_, fields)| fields);
    let time = |field| {
        let ticks = fields
            .split(' ')
            .nth(field)
            .and_then(|text| text.parse().ok());
        Duration::from_millis(TICK * ticks.unwrap_or(0_u64))
    };
    Usage {
        user: time(USER_TICKS),
        system: time(SYSTEM_TICKS),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_that_a_program_computes_is_counted_as_its_own() {
        let before = usage().user;
        let mut rounds = 0_u64;
        while usage().user < before + Duration::from_millis(30) {
            for _ in 0..100_000 {
                rounds = std::hint::black_box(rounds + 1);
            }
        }
        assert!(rounds > 0);
    }
}
