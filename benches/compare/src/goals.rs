//! What regrow should reach in the same run as its peers.

use crate::engine::Engine;
use crate::rows::{Row, Unit};

/// What a row aims at.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Goal {
    /// At least this many times as good as that engine
    Times(Engine, f64),
    /// The same, that engine's value taken from another row
    TimesIn(Engine, Row, f64),
    /// At most this value
    AtMost(f64),
    /// At most this many times regrow's own value in that row
    WithinOwn(Row, f64),
}

use Engine::{Beam, Go, Kameo, Ractor, Tokio};
use Goal::{AtMost, Times, TimesIn, WithinOwn};

/// The goals of a row.
pub(crate) fn goals(row: Row) -> &'static [Goal] {
    match row {
        Row::SpawnExit => &[Times(Beam, 20.0), Times(Tokio, 3.0), Times(Go, 3.0)],
        Row::SpawnLink => &[Times(Beam, 16.0)],
        Row::PingPong => &[Times(Beam, 7.0), Times(Tokio, 3.5)],
        Row::PingPong64 => &[Times(Beam, 20.0), Times(Tokio, 3.0)],
        Row::ThreadRing => &[Times(Beam, 8.0), Times(Tokio, 3.5)],
        Row::FanIn => &[Times(Beam, 8.0), Times(Go, 2.0)],
        Row::Skynet => &[Times(Beam, 16.0), Times(Tokio, 3.0)],
        Row::Call => &[
            Times(Beam, 14.0),
            Times(Kameo, 7.0),
            Times(Ractor, 6.0),
            TimesIn(Tokio, Row::CallBare, 2.0),
        ],
        Row::CallBare => &[],
        Row::CallBacklog => &[WithinOwn(Row::Call, 1.05)],
        Row::Cast => &[Times(Beam, 10.0), Times(Kameo, 15.0), Times(Ractor, 15.0)],
        Row::SelectiveReceive => &[Times(Beam, 4.0)],
        Row::LinkCascade => &[Times(Beam, 12.0)],
        Row::SendAfter | Row::SendAfterCancel => &[Times(Beam, 10.0)],
        Row::StartTerminateChild | Row::OneForAll100 => &[Times(Beam, 15.0)],
        Row::RestartLatency | Row::RestartLatencyP99 | Row::RestartLatencyP999 => {
            &[Times(Beam, 20.0)]
        }
        Row::IdleMemory => &[AtMost(192.0)],
        Row::LinkedMemory => &[AtMost(240.0)],
        Row::ServerMemory => &[AtMost(448.0)],
        Row::SpinLatency => &[Times(Beam, 1.0)],
        Row::SpinLatencyMax => &[AtMost(20_000_000.0)],
        Row::TcpEcho => &[Times(Tokio, 1.1), Times(Go, 1.4)],
        Row::IdleCpu => &[AtMost(200.0)],
        Row::Canary => &[AtMost(12_000.0)],
    }
}

impl Goal {
    /// As the page says it.
    pub(crate) fn describe(self, unit: Unit) -> String {
        match self {
            Times(engine, times) => format!(">= {times}x {engine}"),
            TimesIn(engine, row, times) => format!(">= {times}x {engine}'s `{}`", row.name()),
            AtMost(most) => format!("<= {}", crate::table::number(most, unit)),
            WithinOwn(row, times) => format!("<= {times}x `{}`", row.name()),
        }
    }

    /// Whether it is reached; `None` when a side was not measured.
    pub(crate) fn met(self, row: Row, median: impl Fn(Row, Engine) -> Option<f64>) -> Option<bool> {
        let own = median(row, Engine::Regrow)?;
        let unit = row.spec().unit;
        Some(match self {
            Times(engine, times) => unit.ratio(own, median(row, engine)?)? >= times,
            TimesIn(engine, other, times) => unit.ratio(own, median(other, engine)?)? >= times,
            AtMost(most) => own <= most,
            WithinOwn(other, times) => own <= times * median(other, Engine::Regrow)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn medians(row: Row, engine: Engine) -> Option<f64> {
        match (row, engine) {
            (Row::Call, Engine::Regrow) => Some(100.0),
            (Row::Call, Beam) => Some(1400.0),
            (Row::CallBare, Tokio) => Some(199.0),
            (Row::CallBacklog, Engine::Regrow) => Some(105.0),
            (Row::TcpEcho, Engine::Regrow) => Some(110.0),
            (Row::TcpEcho, Tokio) => Some(100.0),
            _ => None,
        }
    }

    #[test]
    fn a_goal_is_met_from_its_limit_on() {
        assert_eq!(Times(Beam, 14.0).met(Row::Call, medians), Some(true));
        assert_eq!(Times(Beam, 14.1).met(Row::Call, medians), Some(false));
        assert_eq!(
            TimesIn(Tokio, Row::CallBare, 2.0).met(Row::Call, medians),
            Some(false)
        );
        assert_eq!(
            WithinOwn(Row::Call, 1.05).met(Row::CallBacklog, medians),
            Some(true)
        );
        assert_eq!(AtMost(99.0).met(Row::Call, medians), Some(false));
        assert_eq!(Times(Tokio, 1.1).met(Row::TcpEcho, medians), Some(true));
    }

    #[test]
    fn a_goal_against_a_peer_that_was_left_out_is_open() {
        assert_eq!(Times(Go, 2.0).met(Row::Call, medians), None);
        assert_eq!(Times(Beam, 2.0).met(Row::FanIn, medians), None);
    }

    #[test]
    fn goals_compare_with_peers_that_take_part() {
        use clap::ValueEnum;
        for &row in Row::value_variants() {
            for goal in goals(row) {
                let (other, engine) = match *goal {
                    Times(engine, _) => (row, engine),
                    TimesIn(engine, other, _) => (other, engine),
                    AtMost(_) | WithinOwn(..) => continue,
                };
                assert_eq!(crate::engine::no_notion(other, engine), None, "{goal:?}");
                assert_eq!(other.spec().unit, row.spec().unit);
            }
        }
    }
}
