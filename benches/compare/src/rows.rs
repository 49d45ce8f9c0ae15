//! What is measured: the rows of the table and how much work each one does.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::engine::{Engine, no_notion};

/// One line of the table. Its command line name is also what a child prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Row {
    /// Spawn a process that ends at once
    SpawnExit,
    /// The same, linked, the exit received as a message
    SpawnLink,
    /// A round trip between two processes
    PingPong,
    /// A round trip, 64 pairs at a time
    #[value(name = "ping-pong-64")]
    PingPong64,
    /// A token through a ring of 503 processes, a hop
    ThreadRing,
    /// Eight senders, one receiver, a message
    FanIn,
    /// A tree of 1.1 million processes, ten children each, a process
    Skynet,
    /// A call to a gen_server with a timeout of 5 s
    Call,
    /// The same without a timeout
    CallBare,
    /// A call with a timeout while the caller has 500,000 messages waiting
    CallBacklog,
    /// Eight senders cast to one gen_server, a message
    Cast,
    /// Receive one message that stands behind 10,000 others
    SelectiveReceive,
    /// One of 100,000 linked processes fails, a process
    LinkCascade,
    /// Arm timers of 1 to 20 ms and receive their messages, a timer
    SendAfter,
    /// Arm a timer of 5 s and cancel it
    SendAfterCancel,
    /// Start and stop a gen_server under a supervisor
    StartTerminateChild,
    /// From killing a supervised gen_server to its successor's first answer
    RestartLatency,
    /// The same, the slowest of a hundred
    #[value(name = "restart-latency-p99")]
    RestartLatencyP99,
    /// The same, the slowest of a thousand
    #[value(name = "restart-latency-p999")]
    RestartLatencyP999,
    /// From killing one of 100 children under one_for_all until the youngest answers again
    #[value(name = "one-for-all-100")]
    OneForAll100,
    /// Memory of a process that waits for a message
    IdleMemory,
    /// The same, linked to the one that spawned it
    LinkedMemory,
    /// Memory of a linked, idle gen_server
    ServerMemory,
    /// A call while eight processes compute for ever on two workers, the slowest of a hundred
    SpinLatency,
    /// The same, the slowest of all
    SpinLatencyMax,
    /// TCP echo over 64 connections, requests a second
    TcpEcho,
    /// CPU time used with 10,000 idle processes
    IdleCpu,
    /// 20 us of work a process on two workers: shows whether both cores were ours
    Canary,
}

/// What a row's value means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Unit {
    /// Nanoseconds an operation
    #[serde(rename = "ns")]
    Nanos,
    /// Operations a second: the only unit where more is better
    #[serde(rename = "requests/s")]
    PerSecond,
    /// Bytes a process
    #[serde(rename = "bytes")]
    Bytes,
    /// Microseconds of CPU time a second
    #[serde(rename = "us of CPU/s")]
    CpuMicros,
}

impl Unit {
    /// How many times as good `own` is as `other`; none where that would say nothing.
    pub(crate) fn ratio(self, own: f64, other: f64) -> Option<f64> {
        let (better, worse) = match self {
            Unit::PerSecond => (own, other),
            Unit::Nanos | Unit::Bytes | Unit::CpuMicros => (other, own),
        };
        // No measurable idle time on our side would divide by zero.
        (worse >= 1e-9 && better.is_finite()).then(|| better / worse)
    }
}

/// Everything that the program knows about a row.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spec {
    /// First column of the table
    pub(crate) title: &'static str,
    /// Meaning of the value
    pub(crate) unit: Unit,
    /// Operations a sample on regrow, tokio and Go
    pub(crate) count: u64,
    /// Operations a sample on the BEAM, which takes longer for each
    pub(crate) beam: u64,
    /// Operations a sample on the actor crates, which take longer still and more memory
    pub(crate) actors: u64,
    /// Rows about a state are measured once a child, without a warm-up
    pub(crate) repeated: bool,
    /// Whether the short table has it
    pub(crate) short: bool,
}

const BASE: Spec = Spec {
    title: "",
    unit: Unit::Nanos,
    count: 1_000_000,
    beam: 200_000,
    actors: 100_000,
    repeated: true,
    short: false,
};

const RESTART: Spec = Spec {
    count: 10_000,
    beam: 5_000,
    actors: 5_000,
    ..BASE
};

const STATE: Spec = Spec {
    repeated: false,
    unit: Unit::Bytes,
    beam: 400_000,
    ..BASE
};

/// For so many milliseconds.
const WHILE: Spec = Spec {
    count: 5_000,
    beam: 5_000,
    actors: 5_000,
    repeated: false,
    ..BASE
};

impl Row {
    /// The name on the command line, in the JSON and in a child's output.
    pub(crate) fn name(self) -> String {
        let value = self.to_possible_value().expect("no row is skipped");
        value.get_name().to_owned()
    }

    /// What is known about this row.
    pub(crate) fn spec(self) -> Spec {
        let (base, title, short) = match self {
            Row::SpawnExit => (BASE, "spawn + exit", true),
            Row::SpawnLink => (BASE, "spawn_link + exit, trapped", false),
            Row::PingPong => (BASE, "ping-pong, a round trip", true),
            Row::PingPong64 => (sized(4_000_000, 640_000), "ping-pong, 64 pairs", false),
            Row::ThreadRing => (sized(2_000_000, 500_000), "thread ring of 503, a hop", true),
            Row::FanIn => (sized(2_000_000, 800_000), "fan-in 8 -> 1, a message", true),
            Row::Skynet => (sized(1_000_000, 1_000_000), "skynet 1M, a process", true),
            Row::Call => (sized(500_000, 100_000), "call with 5 s timeout", true),
            Row::CallBare => (sized(500_000, 100_000), "call without timeout", false),
            Row::CallBacklog => (
                sized(500_000, 100_000),
                "call with 500k queued messages",
                false,
            ),
            Row::Cast => (
                sized(2_000_000, 400_000),
                "cast, 8 senders, a message",
                true,
            ),
            Row::SelectiveReceive => (sized(4_000, 2_000), "selective receive behind 10k", false),
            Row::LinkCascade => (
                sized(100_000, 100_000),
                "100k linked processes die, a process",
                false,
            ),
            Row::SendAfter => (
                sized(1_000_000, 1_000_000),
                "send_after, 1M due in 20 ms, a timer",
                false,
            ),
            Row::SendAfterCancel => (
                sized(1_000_000, 1_000_000),
                "send_after + cancel_timer",
                false,
            ),
            Row::StartTerminateChild => (
                sized(100_000, 20_000),
                "start_child + terminate_child",
                true,
            ),
            Row::RestartLatency => (RESTART, "kill -> new incarnation answers, p50", true),
            Row::RestartLatencyP99 => (RESTART, "kill -> new incarnation answers, p99", false),
            Row::RestartLatencyP999 => (RESTART, "kill -> new incarnation answers, p99.9", false),
            Row::OneForAll100 => (
                sized(500, 200),
                "one_for_all, 100 children, all restarted",
                false,
            ),
            Row::IdleMemory => (STATE, "idle process, bytes", true),
            Row::LinkedMemory => (STATE, "idle process, linked, bytes", false),
            Row::ServerMemory => (STATE, "idle gen_server, linked, bytes", false),
            Row::SpinLatency => (WHILE, "call beside 8 that compute, p99", true),
            Row::SpinLatencyMax => (WHILE, "call beside 8 that compute, longest", false),
            Row::TcpEcho => (WHILE, "TCP echo, 64 connections, requests/s", true),
            Row::IdleCpu => (WHILE, "10k idle processes, CPU us/s", false),
            Row::Canary => (
                sized(20_000, 20_000),
                "canary: 20 us of work on 2 workers",
                false,
            ),
        };
        let unit = match self {
            Row::TcpEcho => Unit::PerSecond,
            Row::IdleCpu => Unit::CpuMicros,
            _ => base.unit,
        };
        let count = match self {
            Row::TcpEcho => 2_000,
            _ => base.count,
        };
        let actors = match self {
            Row::StartTerminateChild => 20_000,
            Row::OneForAll100 => 100,
            _ => base.actors,
        };
        Spec {
            title,
            unit,
            count,
            beam: if self == Row::TcpEcho {
                count
            } else {
                base.beam
            },
            actors,
            short,
            ..base
        }
    }

    /// How many operations this engine does a sample; `None` if it has no notion of them.
    pub(crate) fn count(self, engine: Engine, quick: bool) -> Option<u64> {
        if no_notion(self, engine).is_some() {
            return None;
        }
        let spec = self.spec();
        let full = match engine {
            // A million goroutines would not fit beside the rest of a small machine.
            Engine::Go if spec.unit == Unit::Bytes => spec.beam,
            Engine::Regrow | Engine::Tokio | Engine::Go => spec.count,
            Engine::Beam => spec.beam,
            Engine::Kameo | Engine::Ractor | Engine::Actix => spec.actors,
        };
        let shorter = match self {
            Row::TcpEcho | Row::IdleCpu => 2,
            Row::LinkCascade | Row::SpinLatency | Row::SpinLatencyMax => 4,
            // Skynet's stays a power of ten.
            _ => 10,
        };
        Some(if quick { full / shorter } else { full })
    }

    /// Whether the row is about two workers that each have a core.
    pub(crate) fn needs_two_cores(self) -> bool {
        matches!(self, Row::SpinLatency | Row::SpinLatencyMax | Row::Canary)
    }
}

const fn sized(count: u64, beam: u64) -> Spec {
    Spec {
        count,
        beam,
        ..BASE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Others read the JSON by these names.
    #[test]
    fn the_rows_have_the_names_that_are_agreed() {
        let names: Vec<String> = Row::value_variants().iter().map(|row| row.name()).collect();
        for name in [
            "spawn-exit",
            "spawn-link",
            "ping-pong",
            "ping-pong-64",
            "thread-ring",
            "fan-in",
            "skynet",
            "call",
            "call-backlog",
            "cast",
            "selective-receive",
            "link-cascade",
            "send-after",
            "start-terminate-child",
            "restart-latency",
            "idle-memory",
            "server-memory",
            "spin-latency",
            "tcp-echo",
        ] {
            assert!(names.iter().any(|known| known == name), "{name}");
        }
    }

    #[test]
    fn a_ratio_above_one_means_that_the_first_is_better() {
        assert_eq!(Unit::Nanos.ratio(10.0, 200.0), Some(20.0));
        assert_eq!(Unit::Bytes.ratio(200.0, 100.0), Some(0.5));
        assert_eq!(Unit::PerSecond.ratio(150.0, 100.0), Some(1.5));
        assert_eq!(Unit::CpuMicros.ratio(0.0, 100.0), None);
    }

    #[test]
    fn every_cell_has_work_in_a_quick_run_too() {
        for &row in Row::value_variants() {
            for &engine in Engine::value_variants() {
                if let Some(count) = row.count(engine, true) {
                    assert!(count > 0, "{row:?} on {engine}");
                    assert!(row.count(engine, false) >= Some(count));
                }
            }
        }
    }

    #[test]
    fn skynet_has_a_power_of_ten_leaves() {
        for &engine in Engine::value_variants() {
            for quick in [false, true] {
                let leaves = row_count(engine, quick);
                assert_eq!(10_u64.pow(leaves.ilog10()), leaves);
            }
        }
        fn row_count(engine: Engine, quick: bool) -> u64 {
            Row::Skynet.count(engine, quick).expect("all have skynet")
        }
    }
}
