//! What a client says, taken apart: `[@tags] [:prefix] COMMAND params [:trailing]`.

/// More parameters than this are not looked at (RFC 1459 section 2.3).
const MAX_PARAMS: usize = 15;

/// One command of a client. Tags and prefix are tolerated and dropped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    /// The command in upper case.
    pub(crate) command: String,
    /// The parameters as they came; they need not be UTF-8.
    pub(crate) params: Vec<Vec<u8>>,
}

impl Message {
    /// Reads one line without its line end. `None` for a line with nothing in it.
    pub(crate) fn parse(line: &[u8]) -> Option<Message> {
        let mut rest = skip_spaces(line);
        for marker in [b'@', b':'] {
            if rest.first() == Some(&marker) {
                rest = skip_spaces(skip_word(rest));
            }
        }
        let after = skip_word(rest);
        let word = &rest[..rest.len() - after.len()];
        if word.is_empty() {
            return None;
        }
        let command = String::from_utf8_lossy(word).to_ascii_uppercase();
        let mut params = Vec::new();
        rest = skip_spaces(after);
        while !rest.is_empty() && params.len() < MAX_PARAMS {
            if let Some(trailing) = rest.strip_prefix(b":") {
                params.push(trailing.to_vec());
                break;
            }
            let after = skip_word(rest);
            params.push(rest[..rest.len() - after.len()].to_vec());
            rest = skip_spaces(after);
        }
        Some(Message { command, params })
    }

    /// The parameter at `index`, if it is there and not empty.
    pub(crate) fn param(&self, index: usize) -> Option<&[u8]> {
        self.params
            .get(index)
            .map(Vec::as_slice)
            .filter(|p| !p.is_empty())
    }

    /// The parameter at `index` as text, with replacement characters where it is not UTF-8.
    pub(crate) fn text(&self, index: usize) -> Option<String> {
        self.param(index)
            .map(|p| String::from_utf8_lossy(p).into_owned())
    }

    /// The comma-separated words of the parameter at `index`, empty ones left out.
    pub(crate) fn list(&self, index: usize) -> Vec<String> {
        self.text(index)
            .map(|text| {
                text.split(',')
                    .filter(|w| !w.is_empty())
                    .map(str::to_owned)
                    .collect()
            })
            .unwrap_or_default()
    }
}

fn skip_spaces(bytes: &[u8]) -> &[u8] {
    let start = bytes.iter().position(|b| *b != b' ').unwrap_or(bytes.len());
    &bytes[start..]
}

fn skip_word(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().position(|b| *b == b' ').unwrap_or(bytes.len());
    &bytes[end..]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Message {
        Message::parse(line.as_bytes()).expect("a command")
    }

    #[test]
    fn the_trailing_parameter_keeps_its_spaces_and_colons() {
        let m = parse("privmsg #a :hello :  world ");
        assert_eq!(m.command, "PRIVMSG");
        assert_eq!(m.params, [b"#a".to_vec(), b"hello :  world ".to_vec()]);
    }

    #[test]
    fn tags_and_prefix_are_tolerated() {
        let m = parse("@time=x;+draft/y=1 :nick!u@h  JOIN  #a,#b  key");
        assert_eq!(m.command, "JOIN");
        assert_eq!(m.list(0), ["#a", "#b"]);
        assert_eq!(m.text(1).as_deref(), Some("key"));
    }

    #[test]
    fn a_line_with_nothing_in_it_is_no_command() {
        for line in ["", "   ", ":prefix", "@tag", "@tag :prefix "] {
            assert_eq!(Message::parse(line.as_bytes()), None, "{line:?}");
        }
    }

    #[test]
    fn bytes_that_are_not_utf8_are_kept() {
        let m = Message::parse(b"PRIVMSG x :\xff\xfe").expect("a command");
        assert_eq!(m.params[1], b"\xff\xfe");
        assert_eq!(m.text(1).as_deref(), Some("\u{fffd}\u{fffd}"));
        let m = Message::parse(b"\xff\xfe\x00 \xff").expect("a command");
        assert!(m.command.contains('\u{fffd}'));
    }

    #[test]
    fn an_empty_trailing_parameter_is_there_but_empty() {
        let m = parse("TOPIC #a :");
        assert_eq!(m.params.len(), 2);
        assert_eq!(m.param(1), None);
    }

    #[test]
    fn at_most_fifteen_parameters_are_read() {
        let line = format!("X{}", " a".repeat(40));
        assert_eq!(parse(&line).params.len(), MAX_PARAMS);
    }
}
