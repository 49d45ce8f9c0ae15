//! Sets of kinds of events.

use std::fmt;
use std::ops::{BitOr, BitOrAssign};

/// Which events somebody wants: kinds joined by `|`.
///
/// ```
/// use regrow_runtime::EventKinds;
///
/// let kinds = EventKinds::SPAWNED | EventKinds::EXITED;
/// assert!(kinds.contains(EventKinds::EXITED));
/// assert!(!kinds.contains(EventKinds::EXITED | EventKinds::LONG_QUEUE));
/// assert!(EventKinds::ALL.contains(kinds));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct EventKinds(u8);

impl EventKinds {
    /// No kind.
    pub const NONE: Self = EventKinds(0);
    /// Births.
    pub const SPAWNED: Self = EventKinds(1 << 0);
    /// Ends.
    pub const EXITED: Self = EventKinds(1 << 1);
    /// Turns that last too long.
    pub const LONG_SCHEDULE: Self = EventKinds(1 << 2);
    /// Mailboxes that have grown long.
    pub const LONG_QUEUE: Self = EventKinds(1 << 3);
    /// Names given.
    pub const REGISTERED: Self = EventKinds(1 << 4);
    /// Names taken away.
    pub const UNREGISTERED: Self = EventKinds(1 << 5);
    /// Every kind that there is.
    pub const ALL: Self = EventKinds((1 << 6) - 1);

    const NAMES: [(Self, &'static str); 6] = [
        (Self::SPAWNED, "SPAWNED"),
        (Self::EXITED, "EXITED"),
        (Self::LONG_SCHEDULE, "LONG_SCHEDULE"),
        (Self::LONG_QUEUE, "LONG_QUEUE"),
        (Self::REGISTERED, "REGISTERED"),
        (Self::UNREGISTERED, "UNREGISTERED"),
    ];

    /// Whether all of these are among them.
    pub const fn contains(self, kinds: EventKinds) -> bool {
        self.0 & kinds.0 == kinds.0
    }

    /// Whether there are none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(super) fn bits(self) -> u8 {
        self.0
    }
}

impl BitOr for EventKinds {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        EventKinds(self.0 | other.0)
    }
}

impl BitOrAssign for EventKinds {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

impl fmt::Debug for EventKinds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("NONE");
        }
        let names = Self::NAMES.iter().filter(|(kind, _)| self.contains(*kind));
        for (at, (_, name)) in names.enumerate() {
            f.write_str(if at == 0 { "" } else { " | " })?;
            f.write_str(name)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_kinds_have_a_bit_and_a_name_of_their_own() {
        let mut all = EventKinds::NONE;
        for (kind, name) in EventKinds::NAMES {
            assert!(!all.contains(kind));
            assert_eq!(format!("{kind:?}"), name);
            all |= kind;
        }
        assert_eq!(all, EventKinds::ALL);
        let some = EventKinds::EXITED | EventKinds::LONG_QUEUE;
        assert_eq!(format!("{some:?}"), "EXITED | LONG_QUEUE");
        assert_eq!(format!("{:?}", EventKinds::default()), "NONE");
    }
}
