//! What is measured: the rows of the table, how much work each one does, and its goals.

use clap::ValueEnum;

/// One line of the table. Its command line name is also what a child prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Row {
    /// Spawn a process that ends at once
    SpawnExit,
    /// The same, linked, the exit received as a message
    SpawnLinkExit,
    /// A round trip between two processes
    PingPong,
    /// A round trip, 64 pairs at a time
    #[value(name = "ping-pong-64")]
    PingPong64,
    /// A token through a ring of 503 processes, a hop
    Ring,
    /// Eight senders, one receiver, a message
    FanIn,
    /// A tree of 1.1 million processes, ten children each, a process
    Skynet,
    /// A call to a gen_server with a timeout of 5 s
    Call,
    /// The same against tokio's channels without a timeout
    CallBare,
    /// The same while the caller has 500,000 messages waiting
    CallQueued,
    /// Eight senders cast to one gen_server, a message
    Cast,
    /// Receive one message that stands behind 10,000 others
    SelectiveReceive,
    /// One of 100,000 linked processes fails, a process
    LinkedDie,
    /// Arm a timer of 5 s and cancel it
    SendAfterCancel,
    /// Arm timers of 1 to 20 ms and receive their messages, a timer
    SendAfter,
    /// Start and stop a gen_server under a supervisor
    StartTerminateChild,
    /// From killing a supervised gen_server to its successor's first answer
    KillRestart,
    /// The same, the slowest of a hundred
    #[value(name = "kill-restart-p99")]
    KillRestartP99,
    /// The same, the slowest of a thousand
    #[value(name = "kill-restart-p999")]
    KillRestartP999,
    /// From killing one of 100 children under one_for_all until the youngest answers again
    #[value(name = "one-for-all-100")]
    OneForAll100,
    /// TCP echo over 64 connections, requests a second
    TcpEcho,
    /// Memory of a process that waits for a message
    MemoryPlain,
    /// The same, linked to the one that spawned it
    MemoryLinked,
    /// Memory of a linked, idle gen_server
    MemoryGenServer,
    /// CPU time used with 10,000 idle processes
    IdleCpu,
    /// 20 us of work a process on two workers: shows whether both cores were ours
    Canary,
}

/// The systems under comparison, in the order of the columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Engine {
    /// Erlang's virtual machine
    Beam,
    /// tokio's multi-thread runtime
    Tokio,
    /// This project
    Regrow,
}

impl Engine {
    /// All of them, in the order of the columns.
    pub(crate) const ALL: [Engine; 3] = [Engine::Beam, Engine::Tokio, Engine::Regrow];

    /// The name in the table's head.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Engine::Beam => "BEAM",
            Engine::Tokio => "tokio",
            Engine::Regrow => "regrow",
        }
    }
}

/// What a row's value means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Nanoseconds an operation
    Nanos,
    /// Operations a second: the only unit where more is better
    PerSecond,
    /// Bytes a process
    Bytes,
    /// Microseconds of CPU time a second
    CpuMicros,
}

/// What regrow should reach in the same run.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Goal {
    /// At least this many times as good as that engine
    Times(Engine, f64),
    /// At most this value
    AtMost(f64),
    /// At most this many times regrow's own value in that row
    WithinOwn(Row, f64),
}

/// Everything that the program knows about a row.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spec {
    /// First column of the table
    pub(crate) title: &'static str,
    /// Meaning of the value
    pub(crate) unit: Unit,
    /// Operations a sample on regrow and tokio
    pub(crate) count: u64,
    /// Operations a sample on the BEAM; `None` when it does not take part
    pub(crate) count_beam: Option<u64>,
    /// Whether tokio has something to compare
    pub(crate) tokio: bool,
    /// Rows about a state are measured once a child, without a warm-up
    pub(crate) repeated: bool,
    /// What is aimed at
    pub(crate) goals: &'static [Goal],
}

use Engine::{Beam, Tokio};
use Goal::{AtMost, Times, WithinOwn};

const BASE: Spec = Spec {
    title: "",
    unit: Unit::Nanos,
    count: 1_000_000,
    count_beam: Some(200_000),
    tokio: true,
    repeated: true,
    goals: &[],
};

const KILL_RESTART: Spec = Spec {
    count: 10_000,
    count_beam: Some(5_000),
    tokio: false,
    goals: &[Times(Beam, 20.0)],
    ..BASE
};

const STATE: Spec = Spec {
    repeated: false,
    unit: Unit::Bytes,
    count_beam: Some(400_000),
    ..BASE
};

impl Row {
    /// The name on the command line and in a child's output.
    pub(crate) fn name(self) -> String {
        let value = self.to_possible_value().expect("no row is skipped");
        value.get_name().to_owned()
    }

    /// What is known about this row.
    pub(crate) fn spec(self) -> Spec {
        match self {
            Row::SpawnExit => Spec {
                title: "spawn + exit",
                goals: &[Times(Beam, 20.0), Times(Tokio, 3.0)],
                ..BASE
            },
            Row::SpawnLinkExit => Spec {
                title: "spawn_link + exit, trapped (tokio: JoinSet)",
                goals: &[Times(Beam, 16.0)],
                ..BASE
            },
            Row::PingPong => Spec {
                title: "ping-pong, a round trip",
                goals: &[Times(Beam, 7.0), Times(Tokio, 3.5)],
                ..BASE
            },
            Row::PingPong64 => Spec {
                title: "ping-pong, 64 pairs",
                count: 4_000_000,
                count_beam: Some(640_000),
                goals: &[Times(Beam, 20.0), Times(Tokio, 3.0)],
                ..BASE
            },
            Row::Ring => Spec {
                title: "thread ring of 503, a hop",
                count: 2_000_000,
                count_beam: Some(500_000),
                goals: &[Times(Beam, 8.0), Times(Tokio, 3.5)],
                ..BASE
            },
            Row::FanIn => Spec {
                title: "fan-in 8 -> 1, a message",
                count: 2_000_000,
                count_beam: Some(800_000),
                goals: &[Times(Beam, 8.0)],
                ..BASE
            },
            Row::Skynet => Spec {
                title: "skynet 1M, a process",
                count_beam: Some(1_000_000),
                goals: &[Times(Beam, 16.0), Times(Tokio, 3.0)],
                ..BASE
            },
            Row::Call => Spec {
                title: "call with 5 s timeout",
                count: 500_000,
                count_beam: Some(100_000),
                goals: &[Times(Beam, 14.0)],
                ..BASE
            },
            Row::CallBare => Spec {
                title: "the same (tokio: oneshot without timeout)",
                count: 500_000,
                count_beam: Some(100_000),
                goals: &[Times(Tokio, 2.0)],
                ..BASE
            },
            Row::CallQueued => Spec {
                title: "call with 500k queued messages",
                count: 500_000,
                count_beam: Some(100_000),
                tokio: false,
                goals: &[WithinOwn(Row::Call, 1.05)],
                ..BASE
            },
            Row::Cast => Spec {
                title: "cast, 8 senders, a message",
                count: 2_000_000,
                count_beam: Some(400_000),
                goals: &[Times(Beam, 10.0)],
                ..BASE
            },
            Row::SelectiveReceive => Spec {
                title: "selective receive behind 10k",
                count: 4_000,
                count_beam: Some(2_000),
                tokio: false,
                goals: &[Times(Beam, 4.0)],
                ..BASE
            },
            Row::LinkedDie => Spec {
                title: "100k linked processes die, a process",
                count: 100_000,
                count_beam: Some(100_000),
                tokio: false,
                goals: &[Times(Beam, 12.0)],
                ..BASE
            },
            Row::SendAfterCancel => Spec {
                title: "send_after + cancel_timer",
                goals: &[Times(Beam, 10.0)],
                ..BASE
            },
            Row::SendAfter => Spec {
                title: "send_after, 1M due in 20 ms, a timer",
                count_beam: Some(1_000_000),
                goals: &[Times(Beam, 10.0)],
                ..BASE
            },
            Row::StartTerminateChild => Spec {
                title: "start_child + terminate_child",
                count: 100_000,
                count_beam: Some(20_000),
                tokio: false,
                goals: &[Times(Beam, 15.0)],
                ..BASE
            },
            Row::KillRestart => Spec {
                title: "kill -> new incarnation answers, p50",
                ..KILL_RESTART
            },
            Row::KillRestartP99 => Spec {
                title: "kill -> new incarnation answers, p99",
                ..KILL_RESTART
            },
            Row::KillRestartP999 => Spec {
                title: "kill -> new incarnation answers, p99.9",
                ..KILL_RESTART
            },
            Row::OneForAll100 => Spec {
                title: "one_for_all, 100 children, all restarted",
                count: 500,
                count_beam: Some(200),
                tokio: false,
                goals: &[Times(Beam, 15.0)],
                ..BASE
            },
            Row::TcpEcho => Spec {
                title: "TCP echo, 64 connections, requests/s",
                unit: Unit::PerSecond,
                // Milliseconds under load.
                count: 2_000,
                count_beam: None,
                repeated: false,
                goals: &[Times(Tokio, 1.1)],
                ..BASE
            },
            Row::MemoryPlain => Spec {
                title: "idle process, bytes",
                goals: &[AtMost(192.0)],
                ..STATE
            },
            Row::MemoryLinked => Spec {
                title: "idle process, linked, bytes",
                tokio: false,
                goals: &[AtMost(240.0)],
                ..STATE
            },
            Row::MemoryGenServer => Spec {
                title: "idle gen_server, linked, bytes",
                tokio: false,
                goals: &[AtMost(448.0)],
                ..STATE
            },
            Row::IdleCpu => Spec {
                title: "10k idle processes, CPU us/s",
                unit: Unit::CpuMicros,
                // Milliseconds watched.
                count: 5_000,
                count_beam: Some(5_000),
                goals: &[AtMost(200.0)],
                ..STATE
            },
            Row::Canary => Spec {
                title: "canary: 20 us of work on 2 workers",
                count: 20_000,
                count_beam: Some(20_000),
                goals: &[AtMost(12_000.0)],
                ..BASE
            },
        }
    }

    /// How many operations this engine does a sample; `None` if it does not take part.
    pub(crate) fn count(self, engine: Engine, quick: bool) -> Option<u64> {
        let spec = self.spec();
        let full = match engine {
            Engine::Beam => spec.count_beam?,
            Engine::Tokio if !spec.tokio => return None,
            Engine::Tokio | Engine::Regrow => spec.count,
        };
        let shorter = match self {
            Row::TcpEcho | Row::IdleCpu => 2,
            // Stays a power of ten.
            Row::Skynet => 10,
            Row::LinkedDie => 4,
            _ => 10,
        };
        Some(if quick { full / shorter } else { full })
    }
}
