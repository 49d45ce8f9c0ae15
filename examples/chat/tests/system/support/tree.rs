//! The server's supervision tree, asked for with `TREE` (a command of `--chaos`).

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::{Client, DEADLINE};

/// Which process stands at which place of the tree, from one answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tree {
    /// From the path of ids (`chat_app_sup/chat_room_sup/#tea`) to the pid as it is printed.
    places: BTreeMap<String, String>,
}

impl Tree {
    /// Asks for the tree as it is now.
    pub(crate) fn ask(client: &mut Client) -> Self {
        client.send("TREE");
        let mut lines = Vec::new();
        loop {
            // Answers to CRASH may stand before it.
            let tree = |text: &str| !text.starts_with("CRASH");
            let line = client.wait("the tree", |line| line.is("NOTICE") && tree(line.text()));
            if line.text() == "End of TREE" {
                return Self::parse(&lines);
            }
            lines.push(line.text().to_owned());
        }
    }

    /// Asks again and again until the tree is as described.
    pub(crate) fn wait(client: &mut Client, what: &str, wanted: impl Fn(&Self) -> bool) -> Self {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let tree = Self::ask(client);
            if wanted(&tree) {
                return tree;
            }
            assert!(
                Instant::now() < deadline,
                "the tree never has {what}: {tree:#?}"
            );
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Reads the drawing: each level is indented by four characters, then comes the id, possibly
    /// ` = name`, then the pid.
    fn parse(lines: &[String]) -> Self {
        let mut path: Vec<String> = Vec::new();
        let mut places = BTreeMap::new();
        for line in lines {
            let text = line.trim_start_matches([' ', '│', '├', '└', '─']);
            let depth = (line.chars().count() - text.chars().count()) / 4;
            let id = text.split(' ').next().unwrap_or_default().to_owned();
            let pid = text
                .split(' ')
                .find(|word| word.starts_with('<'))
                .unwrap_or("none");
            path.truncate(depth);
            path.push(id);
            // Connections share one id, and their pids make them differ.
            let mut place = path.join("/");
            if places.contains_key(&place) {
                place = format!("{place} {pid}");
            }
            places.insert(place, pid.to_owned());
        }
        Self { places }
    }

    /// The pid of the process with this id.
    ///
    /// # Panics
    /// If there is none.
    pub(crate) fn pid(&self, id: &str) -> &str {
        let found = self
            .places
            .iter()
            .find(|(place, _)| place.rsplit('/').next() == Some(id));
        found
            .map(|(_, pid)| pid.as_str())
            .unwrap_or_else(|| panic!("no {id} in {self:#?}"))
    }

    /// Whether a running process stands at this id.
    pub(crate) fn has(&self, id: &str) -> bool {
        let mut found = self
            .places
            .iter()
            .filter(|(place, _)| place.rsplit('/').next() == Some(id));
        found.any(|(_, pid)| pid.starts_with('<'))
    }

    /// How many processes there are.
    pub(crate) fn count(&self) -> usize {
        self.places
            .values()
            .filter(|pid| pid.starts_with('<'))
            .count()
    }

    /// The ids whose pid is another one here than in `earlier`, or which are only in one of both.
    pub(crate) fn changed_since(&self, earlier: &Self) -> Vec<String> {
        let both = self.places.keys().chain(earlier.places.keys());
        let mut changed: Vec<String> = both
            .filter(|place| self.places.get(*place) != earlier.places.get(*place))
            .map(|place| place.rsplit('/').next().unwrap_or_default().to_owned())
            .collect();
        changed.sort();
        changed.dedup();
        changed
    }
}
