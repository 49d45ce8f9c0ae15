//! The limits and features that 005 announces. Each token is enforced where it is used.

use crate::irc::names::{NICK_LEN, ROOM_LEN, USER_LEN};

/// The longest topic, in bytes.
pub(crate) const TOPIC_LEN: usize = 300;
/// The longest away message, in bytes.
pub(crate) const AWAY_LEN: usize = 200;
/// In how many rooms one client may be.
pub(crate) const MAX_ROOMS: usize = 50;
/// How many targets one PRIVMSG, NOTICE, NAMES or WHOIS may have.
pub(crate) const MAX_TARGETS: usize = 4;
/// The one room mode: only members may send. It is always set.
pub(crate) const ROOM_MODES: &str = "n";
/// The one user mode: `i`, not shown in the NAMES of rooms that the asker is not in.
pub(crate) const USER_MODES: &str = "i";

/// The tokens of 005.
pub(crate) fn tokens() -> Vec<String> {
    vec![
        "NETWORK=regrow".into(),
        "CASEMAPPING=ascii".into(),
        "CHANTYPES=#".into(),
        // No lists, no keys, no limits; `n` never takes a parameter. Nobody has a prefix.
        format!("CHANMODES=,,,{ROOM_MODES}"),
        "PREFIX=".into(),
        format!("NICKLEN={NICK_LEN}"),
        format!("USERLEN={USER_LEN}"),
        format!("CHANNELLEN={ROOM_LEN}"),
        format!("TOPICLEN={TOPIC_LEN}"),
        format!("AWAYLEN={AWAY_LEN}"),
        format!("CHANLIMIT=#:{MAX_ROOMS}"),
        format!(
            "TARGMAX=PRIVMSG:{MAX_TARGETS},NOTICE:{MAX_TARGETS},NAMES:{MAX_TARGETS},WHOIS:1,JOIN:,PART:,LIST:"
        ),
        "SAFELIST".into(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tokens_fit_in_one_line_and_are_single_words() {
        let tokens = tokens();
        assert!(tokens.len() <= 13, "005 has at most 13 tokens a line");
        assert!(tokens.iter().all(|t| !t.contains(' ')));
        assert!(tokens.iter().map(|t| t.len() + 1).sum::<usize>() < 400);
    }
}
