//! The little YAML that statistics and lists need.
//!
//! beanstalkd 1.12 quotes no text, so that a tube named `1.5` is read as a number and a system
//! version with `#` as a comment; 1.13 quotes all texts of a dictionary, which clients that take
//! the value as it stands pass on with its quotes. Here a text is quoted if a reader of YAML
//! would otherwise take it for something else: plain names look as in 1.12, and no value is lost.

use std::fmt::{Display, Write as _};

/// A dictionary in the making: `---`, then a line for each key.
#[derive(Debug)]
pub struct Dictionary(String);

impl Dictionary {
    /// With nothing in it.
    pub fn new() -> Dictionary {
        Dictionary(String::from("---\n"))
    }

    /// A number, a word of the protocol, or whatever else needs no quotes.
    pub fn put(&mut self, key: &str, value: impl Display) {
        // Writing to a string does not fail.
        let _ = writeln!(self.0, "{key}: {value}");
    }

    /// A text: quoted if needed.
    pub fn text(&mut self, key: &str, value: &str) {
        if is_plain(value) {
            self.put(key, value);
        } else {
            self.quoted(key, value);
        }
    }

    /// A text in quotes, needed or not.
    pub fn quoted(&mut self, key: &str, value: &str) {
        let _ = write!(self.0, "{key}: \"");
        for c in value.chars() {
            let _ = match c {
                '"' | '\\' => write!(self.0, "\\{c}"),
                '\n' => write!(self.0, "\\n"),
                '\t' => write!(self.0, "\\t"),
                c if c.is_control() => write!(self.0, "\\u{:04x}", c as u32),
                c => write!(self.0, "{c}"),
            };
        }
        self.0.push_str("\"\n");
    }

    /// The whole document.
    pub fn finish(self) -> Box<str> {
        self.0.into_boxed_str()
    }
}

impl Default for Dictionary {
    fn default() -> Dictionary {
        Dictionary::new()
    }
}

/// A list of names. They are never quoted, as in all versions of beanstalkd: clients cut the
/// lines after `- `.
pub fn list<'a>(items: impl Iterator<Item = &'a str>) -> Box<str> {
    let mut out = String::from("---\n");
    for item in items {
        out.push_str("- ");
        out.push_str(item);
        out.push('\n');
    }
    out.into_boxed_str()
}

/// Whether YAML, 1.1 or 1.2, reads `text` as itself without quotes.
fn is_plain(text: &str) -> bool {
    let first_is_safe = text
        .bytes()
        .next()
        .is_some_and(|b| b.is_ascii_alphabetic() || b"_/$();".contains(&b));
    let all_safe = text
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b"-+/;.$_()".contains(&b));
    let words = ["y", "n", "yes", "no", "true", "false", "on", "off", "null"];
    first_is_safe && all_safe && !words.iter().any(|w| w.eq_ignore_ascii_case(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(value: &str) -> String {
        let mut dictionary = Dictionary::new();
        dictionary.text("k", value);
        dictionary
            .finish()
            .strip_prefix("---\n")
            .unwrap()
            .to_string()
    }

    #[test]
    fn a_text_that_yaml_would_take_for_something_else_is_quoted() {
        for plain in [
            "default", "a-b", "x1.5", "_a", "vm", "x86_64", "nope", "/a;b", "$(x)",
        ] {
            assert_eq!(line(plain), format!("k: {plain}\n"));
        }
        for other in [
            "1.5",
            "12",
            "+1",
            ".5",
            "0x1f",
            "1e5",
            "2001-01-01",
            "no",
            "True",
            "NULL",
        ] {
            assert_eq!(line(other), format!("k: \"{other}\"\n"));
        }
        assert_eq!(line("#1 SMP: x"), "k: \"#1 SMP: x\"\n");
        assert_eq!(line(""), "k: \"\"\n");
    }

    #[test]
    fn quotes_lines_and_control_characters_stay_inside_the_quotes() {
        assert_eq!(
            line("a \"b\"\\\nc\u{1}"),
            "k: \"a \\\"b\\\"\\\\\\nc\\u0001\"\n"
        );
        assert_eq!(line("\u{e9} x"), "k: \"\u{e9} x\"\n");
    }

    #[test]
    fn a_list_has_a_line_for_each_name_as_it_is() {
        assert_eq!(&*list(["a", "1"].into_iter()), "---\n- a\n- 1\n");
    }
}
