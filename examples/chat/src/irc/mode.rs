//! MODE: what is asked or wanted, decided without looking at anything else.

/// What a MODE for a room asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum RoomMode {
    /// Which modes are set (324, 329).
    Query,
    /// The ban list, which is empty (368).
    BanList,
    /// Sets what is always so: nothing happens.
    Nothing,
    /// `n` cannot be taken away, and nobody is operator (482).
    Denied,
    /// This letter is no mode here (472).
    Unknown(char),
}

/// What a MODE for the client itself asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct UserMode {
    /// The new value of `i`, if it is mentioned.
    pub(crate) invisible: Option<bool>,
    /// Whether there was a letter that is no mode here (501).
    pub(crate) unknown: bool,
}

/// Reads `MODE #room [modes] [param]`.
pub(crate) fn room(modes: Option<&str>, has_parameter: bool) -> RoomMode {
    let Some(modes) = modes else {
        return RoomMode::Query;
    };
    let mut add = true;
    let mut wanted = RoomMode::Nothing;
    for letter in modes.chars() {
        match letter {
            '+' => add = true,
            '-' => add = false,
            'b' if !has_parameter => wanted = RoomMode::BanList,
            'n' if add => {}
            'n' => return RoomMode::Denied,
            other => return RoomMode::Unknown(other),
        }
    }
    wanted
}

/// Reads `MODE nick <modes>`.
pub(crate) fn user(modes: &str) -> UserMode {
    let mut add = true;
    let mut result = UserMode {
        invisible: None,
        unknown: false,
    };
    for letter in modes.chars() {
        match letter {
            '+' => add = true,
            '-' => add = false,
            'i' => result.invisible = Some(add),
            _ => result.unknown = true,
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_queries_are_told_from_changes() {
        assert_eq!(room(None, false), RoomMode::Query);
        assert_eq!(room(Some("b"), false), RoomMode::BanList);
        assert_eq!(room(Some("+b"), false), RoomMode::BanList);
        assert_eq!(room(Some("+b"), true), RoomMode::Unknown('b'));
        assert_eq!(room(Some("+n"), false), RoomMode::Nothing);
        assert_eq!(room(Some("-n"), false), RoomMode::Denied);
        assert_eq!(room(Some("+nt"), false), RoomMode::Unknown('t'));
    }

    #[test]
    fn the_last_mention_of_a_user_mode_counts() {
        assert_eq!(
            user("+i"),
            UserMode {
                invisible: Some(true),
                unknown: false
            }
        );
        assert_eq!(
            user("+i-iw"),
            UserMode {
                invisible: Some(false),
                unknown: true
            }
        );
        assert_eq!(
            user(""),
            UserMode {
                invisible: None,
                unknown: false
            }
        );
    }
}
