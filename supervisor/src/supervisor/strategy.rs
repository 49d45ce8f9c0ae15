//! Which children a restart stops and starts, and in which order: pure.

#[cfg(test)]
mod tests;

/// What happens to the other children when one has to be restarted.
///
/// "Other" children are stopped in reverse start order and started again in start order. A
/// child in that range is started even if it was not running before (it had been terminated by
/// hand, or had finished normally); a [`Temporary`](crate::Restart::Temporary) one is stopped
/// and forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Strategy {
    /// Only the child that ended is started again.
    #[default]
    OneForOne,
    /// All children are stopped, then all are started.
    OneForAll,
    /// The children started after it are stopped, then it and they are started.
    RestForOne,
}

impl std::fmt::Display for Strategy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Strategy::OneForOne => "one_for_one",
            Strategy::OneForAll => "one_for_all",
            Strategy::RestForOne => "rest_for_one",
        })
    }
}

/// As much of a child as a strategy looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) key: u64,
    pub(crate) temporary: bool,
}

/// What a restart does, in this order: stop, forget, start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    /// Stop these, one after the other; some may not be running.
    pub(crate) stop: Vec<u64>,
    /// Drop the specs of these.
    pub(crate) forget: Vec<u64>,
    /// Start these, one after the other, up to the first that fails.
    pub(crate) start: Vec<u64>,
}

/// The plan for restarting `failed`, which is not running any more, among `members` (all
/// children in start order, `failed` included).
pub(crate) fn plan(strategy: Strategy, members: impl Iterator<Item = Member>, failed: u64) -> Plan {
    let mut plan = Plan::default();
    match strategy {
        // Not even looked at: a supervisor may have very many children.
        Strategy::OneForOne => plan.start.push(failed),
        Strategy::OneForAll => plan.range(members, failed),
        Strategy::RestForOne => plan.range(members.skip_while(|m| m.key != failed), failed),
    }
    plan
}

impl Plan {
    fn range(&mut self, members: impl Iterator<Item = Member>, failed: u64) {
        for member in members {
            if member.key != failed {
                self.stop.push(member.key);
            }
            if member.temporary {
                self.forget.push(member.key);
            } else {
                self.start.push(member.key);
            }
        }
        self.stop.reverse();
    }
}
