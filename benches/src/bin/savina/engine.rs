//! What the suite runs on.

use clap::ValueEnum;

/// In the order of the columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Engine {
    /// This project
    Regrow,
    /// Erlang's virtual machine
    Beam,
    /// tokio's tasks and channels
    Tokio,
}

impl Engine {
    pub(crate) const ALL: [Engine; 3] = [Engine::Regrow, Engine::Beam, Engine::Tokio];

    /// The name in the table's head.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Engine::Regrow => "regrow",
            Engine::Beam => "BEAM",
            Engine::Tokio => "tokio",
        }
    }

    /// The name on the command line and in JSON.
    pub(crate) fn name(self) -> String {
        self.title().to_lowercase()
    }
}

/// Another engine begins each round, so that none always runs on the coolest core.
pub(crate) fn turns(engines: &[Engine], round: usize) -> impl Iterator<Item = Engine> {
    let count = engines.len();
    engines
        .iter()
        .copied()
        .cycle()
        .skip(round % count)
        .take(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_round_has_each_engine_once_and_begins_with_the_next() {
        let all = Engine::ALL;
        for round in 0..7 {
            let turns: Vec<_> = turns(&all, round).collect();
            assert_eq!(turns[0], all[round % 3]);
            assert!(turns.len() == 3 && all.iter().all(|engine| turns.contains(engine)));
        }
    }

    #[test]
    fn engines_are_called_on_the_command_line_what_json_calls_them() {
        for engine in Engine::ALL {
            let value = engine.to_possible_value().expect("none is hidden");
            assert_eq!(value.get_name(), engine.name());
        }
    }
}
