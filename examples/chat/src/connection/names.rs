//! The answer to NAMES, also given on JOIN.

use crate::irc::line::Line;
use crate::irc::numeric::{ENDOFNAMES, NAMREPLY, numeric};
use crate::server::SERVER_NAME;

/// Names in a 353 take at most this many bytes.
const NAMES_LENGTH: usize = 350;

/// 353 for all the nicks, in as many lines as it takes, and 366.
pub(super) fn names_lines<'a>(
    asker: &str,
    room: &str,
    nicks: impl Iterator<Item = &'a str>,
) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut text = String::new();
    let flush = |text: &mut String, lines: &mut Vec<Line>| {
        let start = numeric(SERVER_NAME, asker, NAMREPLY).param("=").param(room);
        lines.push(start.trailing(std::mem::take(text)).line());
    };
    for nick in nicks {
        if text.len() + nick.len() + 1 > NAMES_LENGTH {
            flush(&mut text, &mut lines);
        }
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(nick);
    }
    if !text.is_empty() {
        flush(&mut text, &mut lines);
    }
    let end = numeric(SERVER_NAME, asker, ENDOFNAMES).param(room);
    lines.push(end.trailing("End of /NAMES list.").line());
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_name_lists_take_several_lines_and_none_is_cut() {
        let nicks: Vec<String> = (0..100).map(|n| format!("somebody_{n:03}")).collect();
        let lines = names_lines("me", "#room", nicks.iter().map(String::as_str));
        let mut seen = Vec::new();
        for line in &lines[..lines.len() - 1] {
            let text = String::from_utf8(line.wire(false).to_vec()).unwrap();
            assert!(text.len() <= 512 && text.starts_with(":chat.regrow 353 me = #room :"));
            let list = text.trim_end().rsplit(" :").next().unwrap().to_owned();
            seen.extend(list.split(' ').map(str::to_owned));
        }
        assert_eq!(seen, nicks);
        assert!(lines.len() > 2);
        assert_eq!(names_lines("me", "#x", std::iter::empty()).len(), 1);
    }
}
