//! Identities: processes, monitors, timers.

use std::fmt;
use std::num::NonZeroU32;

use crate::simulation::slots;

/// The identity of one process, never used again for another.
///
/// A pid is a small copy; keeping one keeps nothing alive. Signals to a process
/// that is gone are dropped (messages) or answered with
/// [`ExitReason::NoProc`](crate::ExitReason::NoProc) (links, monitors, calls).
/// It prints as `<node.index.generation>`; the node is 0 for local processes. The pid that
/// no process ever has, as in the `Down` of a monitor on a name that nobody had, prints as
/// `<nobody>`.
///
/// A pid must travel to another thread by something that synchronizes (a
/// message, a channel, a lock, an atomic with release and acquire), as any
/// other value; a relaxed atomic could make a new process look dead.
///
/// ```
/// # regrow_runtime::Runtime::new()?.block_on(async {
/// use regrow_runtime::{self_pid, spawn};
///
/// let child = spawn(async {});
/// assert_ne!(child, self_pid());
/// assert!(child.to_string().starts_with("<0."));
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Pid {
    node: u32,
    index: u32,
    generation: NonZeroU32,
}

impl Pid {
    /// A pid that no process ever has: index 0 is never handed out, and its
    /// generation stays what it was.
    pub(crate) const NOBODY: Pid = Pid {
        node: 0,
        index: 0,
        generation: NonZeroU32::MAX,
    };

    pub(crate) fn local(index: u32, generation: u32) -> Self {
        // Generations start at 1 and skip 0; `max` only spells it for the type.
        let generation = NonZeroU32::new(generation).unwrap_or(NonZeroU32::MIN);
        Pid {
            node: 0,
            index,
            generation,
        }
    }

    /// The node that the process lives on; 0 is this one.
    pub fn node(self) -> u32 {
        self.node
    }

    pub(crate) fn index(self) -> u32 {
        self.index
    }

    /// Whether it is a pid of a simulation.
    #[inline]
    pub(crate) fn is_simulated(self) -> bool {
        slots::is_simulated(self.index)
    }

    pub(crate) fn generation(self) -> u32 {
        self.generation.get()
    }

    /// Generation and index in one word, as wakers and reactor words carry it.
    pub(crate) fn pack(self) -> u64 {
        u64::from(self.generation.get()) << 32 | u64::from(self.index)
    }

    /// The inverse of [`Pid::pack`]; zero stands for no pid.
    pub(crate) fn unpack(packed: u64) -> Option<Self> {
        let generation = NonZeroU32::new((packed >> 32) as u32)?;
        Some(Pid {
            node: 0,
            index: packed as u32,
            generation,
        })
    }
}

impl fmt::Display for Pid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Pid::NOBODY {
            return f.write_str("<nobody>");
        }
        let number = slots::number(self.index);
        write!(f, "<{}.{number}.{}>", self.node, self.generation)
    }
}

impl fmt::Debug for Pid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The identity of one monitor, given by [`monitor`](crate::monitor) and found
/// again in the [`Down`](crate::Down) that it ends with.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MonitorRef(pub(crate) u64);

impl fmt::Debug for MonitorRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#Monitor<{}>", self.0)
    }
}
