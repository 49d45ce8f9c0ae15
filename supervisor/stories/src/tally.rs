//! What was in the stories: figures that show whether they are worth telling.

use std::collections::BTreeMap;
use std::fmt;

/// How often each kind of thing is in some traces.
#[derive(Clone, Debug, Default)]
pub struct Tally(BTreeMap<String, u64>);

impl Tally {
    /// Counts the lines of a trace.
    pub fn add(&mut self, trace: &[String]) {
        for line in trace {
            *self.0.entry(kind(line)).or_default() += 1;
        }
    }

    /// Adds another tally.
    pub fn merge(&mut self, other: Tally) {
        for (kind, count) in other.0 {
            *self.0.entry(kind).or_default() += count;
        }
    }
}

/// A line without names and numbers.
fn kind(line: &str) -> String {
    let words = line.split_whitespace().filter(|word| {
        let id = word.split(['#', '=']).next().unwrap_or(word);
        let named = word.contains('#') || word.contains('=');
        !(named || id.starts_with(|c: char| c.is_ascii_digit()))
    });
    let words: Vec<_> = words.collect();
    match words.first() {
        Some(&"try") => "try".into(),
        Some(&"step") if words.contains(&"released") => "step released".into(),
        Some(&first @ ("which" | "count" | "step")) => first.into(),
        _ => {
            let text = words.join(" ");
            match text.find("failed(") {
                Some(end) => text[..end].to_owned() + "failed(..))",
                None => text,
            }
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (kind, count) in &self.0 {
            writeln!(f, "{count:>9}  {kind}")?;
        }
        Ok(())
    }
}
