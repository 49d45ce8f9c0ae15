//! The list of what may differ, and why: `allowed.txt` beside the scripts.
//!
//! ```text
//! mask stats pid              it is another process
//! differs reserve-job-waits   a reason
//! ```
//!
//! `mask ANSWER KEY` leaves out the value of a key in the answer to `stats`, `stats-job` or
//! `stats-tube`: the key must be there on both sides, in the same place. `differs NAME` is a
//! difference that a script declares where it occurs.

use std::collections::{BTreeMap, BTreeSet};

/// The list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Allowed {
    masks: BTreeSet<(Kind, String)>,
    differences: BTreeMap<String, String>,
}

/// Which dictionary an answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Stats,
    StatsJob,
    StatsTube,
}

impl Kind {
    fn named(name: &str) -> Option<Self> {
        match name {
            "stats" => Some(Self::Stats),
            "stats-job" => Some(Self::StatsJob),
            "stats-tube" => Some(Self::StatsTube),
            _ => None,
        }
    }

    /// Which dictionary this body is: each begins with another key.
    pub(crate) fn of(body: &str) -> Option<Self> {
        let first = body.strip_prefix("---\n")?;
        if first.starts_with("current-jobs-urgent:") {
            Some(Self::Stats)
        } else if first.starts_with("id:") {
            Some(Self::StatsJob)
        } else if first.starts_with("name:") {
            Some(Self::StatsTube)
        } else {
            None
        }
    }
}

impl Allowed {
    /// Reads the list; an error says which line is wrong.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut allowed = Self::default();
        for (index, line) in text.lines().enumerate() {
            if line.trim().is_empty() || line.starts_with('#') {
                continue;
            }
            let wrong = |problem: &str| format!("line {}: {problem}: {line:?}", index + 1);
            let words: Vec<&str> = line.split_whitespace().collect();
            match words[..] {
                ["mask", answer, key, _, ..] => {
                    let kind = Kind::named(answer).ok_or_else(|| wrong("no such answer"))?;
                    if !allowed.masks.insert((kind, key.to_owned())) {
                        return Err(wrong("this is there twice"));
                    }
                }
                ["differs", name, _, ..] => {
                    let reason = words[2..].join(" ");
                    if allowed.differences.insert(name.into(), reason).is_some() {
                        return Err(wrong("this is there twice"));
                    }
                }
                _ => {
                    return Err(wrong(
                        "neither `mask ANSWER KEY reason` nor `differs NAME reason`",
                    ));
                }
            }
        }
        Ok(allowed)
    }

    /// Whether the value of this key is left out.
    pub(crate) fn masks(&self, kind: Kind, key: &str) -> bool {
        self.masks.contains(&(kind, key.to_owned()))
    }

    /// The reason of a difference.
    pub(crate) fn reason(&self, name: &str) -> Option<&str> {
        self.differences.get(name).map(String::as_str)
    }

    /// The names of all differences.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.differences.keys().map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::{Allowed, Kind};

    #[test]
    fn masks_and_differences_are_read_with_their_reasons() {
        let allowed =
            Allowed::parse("# why\n\nmask stats pid  another process\ndiffers x  it is so\n")
                .unwrap();
        assert!(allowed.masks(Kind::Stats, "pid"));
        assert!(!allowed.masks(Kind::StatsJob, "pid"));
        assert_eq!(allowed.reason("x"), Some("it is so"));
        assert_eq!(allowed.reason("y"), None);
    }

    #[test]
    fn nothing_is_allowed_without_a_reason_or_twice() {
        for text in [
            "mask stats pid",
            "mask nothing pid why",
            "differs x",
            "hello",
            "differs x a\ndiffers x b",
            "mask stats pid a\nmask stats pid b",
        ] {
            assert!(Allowed::parse(text).is_err(), "{text}");
        }
    }
}
