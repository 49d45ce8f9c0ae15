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
    match words.as_slice() {
        ["try", ..] => "try".into(),
        ["step", .., "released"] => "step released".into(),
        [first @ ("which" | "count" | "step"), ..] => (*first).into(),
        ["report", "shutdown", ..] => "report shutdown".into(),
        ["report", "start_error", _, why @ ..] => format!("report start_error {}", inner(why)),
        words => inner(words),
    }
}

/// Without the children that reasons name.
fn inner(words: &[&str]) -> String {
    let text = words.join(" ");
    for named in ["failed(", "duplicate_id("] {
        if let Some(start) = text.find(named) {
            return format!("{}..)", &text[..start + named.len()]);
        }
    }
    text
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (kind, count) in &self.0 {
            writeln!(f, "{count:>9}  {kind}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::kind;

    #[test]
    fn lines_that_differ_in_names_are_of_one_kind() {
        for (line, expected) in [
            ("  try a 2", "try"),
            ("step 3.1", "step"),
            ("step 3 released", "step released"),
            ("  down a#1 boom", "down boom"),
            ("  free stop a#1 shutdown", "free stop shutdown"),
            ("  report s1#2 shutdown a", "report shutdown"),
            (
                "  report s1#2 start_error a boom",
                "report start_error boom",
            ),
            ("  result ok a#1", "result ok"),
            (
                "  result error shutdown(failed(a,boom))",
                "result error shutdown(failed(..)",
            ),
            ("  which root#1 a#1 b=undefined", "which"),
        ] {
            assert_eq!(kind(line), expected);
        }
    }
}
