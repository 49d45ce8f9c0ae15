//! Nicks and room names: which are valid and which are the same.
//!
//! `CASEMAPPING=ascii`: A-Z equal a-z and nothing else is folded.

use std::sync::Arc;

/// The longest nick, in bytes (`NICKLEN`).
pub(crate) const NICK_LEN: usize = 30;
/// The longest room name with its `#`, in bytes (`CHANNELLEN`).
pub(crate) const ROOM_LEN: usize = 50;
/// The longest user name that is kept (`USERLEN`), with the `~` before it.
pub(crate) const USER_LEN: usize = 12;

/// The form under which two names are the same.
pub(crate) fn fold(name: &str) -> String {
    name.to_ascii_lowercase()
}

/// The name under which the runtime knows the process that owns `nick`.
pub(crate) fn nick_process(nick: &str) -> String {
    format!("nick:{}", fold(nick))
}

/// A letter or one of ``[]\`_^{|}``, then also digits and `-`.
pub(crate) fn is_nick(text: &str) -> bool {
    let special = |b: u8| {
        matches!(
            b,
            b'[' | b']' | b'\\' | b'`' | b'_' | b'^' | b'{' | b'|' | b'}'
        )
    };
    let mut bytes = text.bytes();
    text.len() <= NICK_LEN
        && bytes
            .next()
            .is_some_and(|b| b.is_ascii_alphabetic() || special(b))
        && bytes.all(|b| b.is_ascii_alphanumeric() || special(b) || b == b'-')
}

/// What a client gave as its user name, made safe to stand in `nick!user@host`.
pub(crate) fn user_name(given: &[u8]) -> String {
    let safe = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    let kept = given.iter().filter(|b| safe(b)).take(USER_LEN - 1);
    let mut name: String = std::iter::once('~')
        .chain(kept.map(|b| char::from(*b)))
        .collect();
    if name.len() == 1 {
        name.push_str("user");
    }
    name
}

/// A valid room name: how it was written and how it compares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RoomName {
    shown: Arc<str>,
    key: Arc<str>,
}

impl RoomName {
    /// `#` and 1 to 49 bytes of UTF-8 without spaces, commas and control characters.
    pub(crate) fn parse(text: &str) -> Option<RoomName> {
        let rest = text.strip_prefix('#')?;
        let bad = |c: char| c.is_control() || c == ' ' || c == ',' || c == '\u{fffd}';
        if rest.is_empty() || text.len() > ROOM_LEN || rest.contains(bad) {
            return None;
        }
        Some(RoomName {
            shown: text.into(),
            key: fold(text).into(),
        })
    }

    /// As it was written by who created it.
    pub(crate) fn shown(&self) -> &Arc<str> {
        &self.shown
    }

    /// Equal for equal rooms.
    pub(crate) fn key(&self) -> &Arc<str> {
        &self.key
    }

    /// The name under which the runtime knows the room's process.
    pub(crate) fn process(&self) -> String {
        room_process(&self.key)
    }
}

/// The name under which the runtime knows the process of the room with this key.
pub(crate) fn room_process(key: &str) -> String {
    format!("room:{key}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nicks_follow_the_rfc() {
        for good in ["a", "Alice", "[x]", "_", "a-1", "`^{|}\\", &"n".repeat(30)] {
            assert!(is_nick(good), "{good}");
        }
        for bad in [
            "",
            "1a",
            "-a",
            "a b",
            "a!b",
            "a@b",
            "#a",
            "ä",
            "a,b",
            "a:b",
            &"n".repeat(31),
        ] {
            assert!(!is_nick(bad), "{bad}");
        }
    }

    #[test]
    fn names_compare_by_ascii_case_only() {
        assert_eq!(nick_process("ALIce"), "nick:alice");
        assert_ne!(fold("[a]"), fold("{a}"));
        let (a, b) = (
            RoomName::parse("#Foo").unwrap(),
            RoomName::parse("#fOO").unwrap(),
        );
        assert_eq!(a.key(), b.key());
        assert_eq!(&**a.shown(), "#Foo");
        assert_eq!(a.process(), "room:#foo");
    }

    #[test]
    fn room_names_begin_with_a_hash_and_have_something_after_it() {
        for good in ["#a", "##", "#grüße", "#a:b", "#\u{1f600}"] {
            assert!(RoomName::parse(good).is_some(), "{good}");
        }
        let long = format!("#{}", "x".repeat(50));
        for bad in [
            "",
            "#",
            "a",
            "&a",
            "#a b",
            "#a,b",
            "#a\u{7}",
            "#\u{fffd}",
            &long,
        ] {
            assert!(RoomName::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn user_names_are_made_safe() {
        assert_eq!(user_name(b"bob"), "~bob");
        assert_eq!(user_name(b"b!o@b \xff"), "~bob");
        assert_eq!(user_name(b"\xff"), "~user");
        assert_eq!(user_name(&[b'x'; 40]).len(), USER_LEN);
    }
}
