//! The kinds of signals, and what an exit signal does to its receiver.

use crate::message::Origin;
use crate::pid::{MonitorRef, Pid};
use crate::process::info::ProcessInfo;
use crate::process::relations::LinkIds;
use crate::process::reply::ReplyTo;
use crate::reason::ExitReason;

/// The payload is a message of the user's.
pub(crate) const MESSAGE: u32 = 0;
/// The payload is an [`Exit`](crate::Exit).
pub(crate) const EXIT: u32 = 1;
/// The payload is a [`Down`](crate::Down).
pub(crate) const DOWN: u32 = 2;
/// The payload is a [`Control`].
pub(crate) const CONTROL: u32 = 3;

/// The payload is an [`Aliased`](super::alias::Aliased) message.
pub(crate) const ALIAS: u32 = 4;
/// The payload is a message of the user's that has a place in a mailbox with a limit.
pub(crate) const PLACED: u32 = 5;
/// The payload is a [`Tick`](crate::timer::Tick), of which the receiver makes a message.
pub(crate) const TICK: u32 = 6;
/// The same, with a place.
pub(crate) const PLACED_TICK: u32 = 7;

/// Signals that never reach the mailbox.
pub(crate) enum Control {
    /// `from` has linked to me; `id` is its link request.
    Link { from: Pid, id: u32 },
    /// `from` has unlinked; `ids` are the requests it had seen.
    Unlink { from: Pid, ids: LinkIds },
    /// `watcher` monitors me.
    Monitor { watcher: Pid, reference: MonitorRef },
    /// The watcher of `reference` does so no more.
    Demonitor { reference: MonitorRef },
    /// Somebody wants to know how I am.
    Info {
        asker: Option<Pid>,
        reply: ReplyTo<ProcessInfo>,
    },
    /// Somebody wants to know whether I am.
    Ping { reply: ReplyTo<()> },
}

/// What an exit signal does.
#[derive(Debug, PartialEq)]
pub(crate) enum ExitEffect {
    /// Nothing.
    Ignore,
    /// The receiver ends with this reason.
    End(ExitReason),
    /// The signal becomes a message.
    Deliver,
}

/// The receiver's rule (OTP: "Receiving exit signals"; semantics of `exit/2` and
/// links differ in what `kill` and `normal` do).
pub(crate) fn exit_effect(origin: Origin, reason: &ExitReason, traps: bool) -> ExitEffect {
    match (origin, reason) {
        (Origin::Sent | Origin::Itself, ExitReason::Kill) => ExitEffect::End(ExitReason::Killed),
        (Origin::Limit, reason) => ExitEffect::End(reason.clone()),
        _ if traps => ExitEffect::Deliver,
        (Origin::Itself, ExitReason::Normal) => ExitEffect::End(ExitReason::Normal),
        (_, ExitReason::Normal) => ExitEffect::Ignore,
        (_, reason) => ExitEffect::End(reason.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINK: Origin = Origin::Link { mine: 1, theirs: 0 };

    #[test]
    fn exit_signal_rules_are_the_table_of_the_reference_manual() {
        let boom = ExitReason::error("boom");
        let end = |reason: &ExitReason| ExitEffect::End(reason.clone());
        for traps in [false, true] {
            // kill by exit/2: untrappable, becomes killed
            for origin in [Origin::Sent, Origin::Itself] {
                let effect = exit_effect(origin, &ExitReason::Kill, traps);
                assert_eq!(effect, ExitEffect::End(ExitReason::Killed));
            }
        }
        for (origin, reason, expected) in [
            (Origin::Sent, ExitReason::Normal, ExitEffect::Ignore),
            (Origin::Itself, ExitReason::Normal, end(&ExitReason::Normal)),
            (Origin::Sent, boom.clone(), end(&boom)),
            (LINK, ExitReason::Normal, ExitEffect::Ignore),
            (LINK, ExitReason::Shutdown, end(&ExitReason::Shutdown)),
            (LINK, ExitReason::Kill, end(&ExitReason::Kill)),
            (LINK, ExitReason::Killed, end(&ExitReason::Killed)),
        ] {
            assert_eq!(exit_effect(origin, &reason, false), expected);
        }
        for (origin, reason) in [
            (Origin::Sent, ExitReason::Normal),
            (Origin::Sent, boom),
            (LINK, ExitReason::Normal),
            (LINK, ExitReason::Kill),
        ] {
            assert_eq!(exit_effect(origin, &reason, true), ExitEffect::Deliver);
        }
    }
}
