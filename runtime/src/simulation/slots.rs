//! The slots of a simulation's processes: numbered from 1 in each simulation, so
//! that a pid depends on nothing but the simulation itself.
//!
//! Their indices have the top bit set, which no index of the process table has. So
//! looking for one in that table fails, and then it is looked for here: in the slots
//! of the simulation that this thread drives.
//!
//! # Invariant
//!
//! - T5: a slot of a simulation is reached by its index alone, and on the thread that
//!   drives the simulation alone; nobody keeps a reference to it beyond a turn. So once
//!   its block has left that thread's list, nobody can reach it, and another simulation
//!   may have it, reset.

use std::cell::RefCell;

use parking_lot::Mutex;

use super::outside;
use crate::local;
use crate::pid::Pid;
use crate::process::table::Slot;

/// What the index of a simulated process has and no other.
const SIMULATED: u32 = 1 << 31;
/// Slots come in blocks of so many.
const BLOCK: u32 = 256;
/// As many processes as the table of the OS process has room for.
const BLOCKS: usize = (1 << 27) / BLOCK as usize;

type Block = &'static [Slot];

/// Blocks that no simulation uses. They are never freed, as all slots, but used again.
static SPARE: Mutex<Vec<Block>> = Mutex::new(Vec::new());

pub(crate) fn is_simulated(index: u32) -> bool {
    index & SIMULATED != 0
}

/// The index as people see it.
pub(crate) fn number(index: u32) -> u32 {
    index & !SIMULATED
}

/// The slot of an index, if this thread drives the simulation that it is of.
#[cold]
pub(crate) fn slot(index: u32) -> Option<&'static Slot> {
    if !is_simulated(index) {
        return None;
    }
    let slot = local::try_with(|local| local.slots.get(number(index))).flatten();
    if slot.is_none() {
        outside::note(index);
    }
    slot
}

/// What tells the processes of this thread's simulation from those of others, which have
/// the same pids: for tables that all share. 0 for processes that are not simulated.
pub(crate) fn space(pid: Pid) -> u64 {
    if !pid.is_simulated() {
        return 0;
    }
    local::try_with(|local| local.simulation.get()).unwrap_or(0)
}

/// The live processes of the simulation that this thread drives, by their numbers.
pub(crate) fn pids() -> Vec<Pid> {
    local::try_with(|local| local.slots.pids()).unwrap_or_default()
}

/// The blocks that one simulation uses.
pub(crate) struct Slots(RefCell<Vec<Block>>);

impl Slots {
    pub(crate) const fn new() -> Self {
        Slots(RefCell::new(Vec::new()))
    }

    fn get(&self, number: u32) -> Option<&'static Slot> {
        let blocks = self.0.borrow();
        let block = blocks.get((number / BLOCK) as usize)?;
        block.get((number % BLOCK) as usize)
    }

    /// Adds the indices of another block; none when there is no room.
    pub(crate) fn reserve(&self, indices: &mut Vec<u32>) {
        let mut blocks = self.0.borrow_mut();
        if blocks.len() == BLOCKS {
            return;
        }
        let first = blocks.len() as u32 * BLOCK;
        let spare = SPARE.lock().pop();
        blocks.push(spare.unwrap_or_else(|| {
            let slots: Vec<Slot> = (0..BLOCK).map(|_| Slot::new()).collect();
            slots.leak()
        }));
        // Reversed, as they are taken from the end. Number 0 stands for none.
        let numbers = (first.max(1)..first + BLOCK).rev();
        indices.extend(numbers.map(|number| number | SIMULATED));
    }

    fn pids(&self) -> Vec<Pid> {
        let blocks = self.0.borrow();
        let slots = blocks.iter().flat_map(|block| block.iter());
        (SIMULATED..)
            .zip(slots)
            .filter(|(_, slot)| !slot.inbox.is_closed())
            .map(|(index, slot)| Pid::local(index, slot.inbox.generation()))
            .collect()
    }

    /// The simulation is over: its slots are for others, as good as new. A block with
    /// a process that would not end is left alone.
    pub(crate) fn give_back(&self) {
        for block in self.0.take() {
            if block.iter().all(|slot| slot.inbox.is_closed()) {
                for slot in block {
                    slot.inbox.reset();
                }
                SPARE.lock().push(block);
            }
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::{ExitReason, receive, simulate, spawn};

    #[test]
    fn a_simulation_finds_its_own_slots_and_another_thread_none() {
        let pid = simulate(1, async {
            let child = spawn(receive::<()>());
            assert!(slot(child.index()).is_some());
            assert!(slot(child.index() + 10 * BLOCK).is_none());
            child
        });
        assert!(pid.is_simulated() && pid.to_string() == "<0.2.1>");
        assert!(slot(pid.index()).is_none());
    }

    #[test]
    fn slots_of_a_simulation_that_is_over_are_used_again_as_good_as_new() {
        let blocks = || SPARE.lock().len();
        let busy = || {
            simulate(1, async {
                for _ in 0..3 * BLOCK {
                    spawn(async { crate::exit(crate::self_pid(), ExitReason::Kill) });
                    spawn(receive::<()>());
                    crate::yield_now().await;
                }
                local::with(|local| local.slots.0.borrow().len())
            })
        };
        let used = busy();
        assert!(used >= 3, "{used} blocks");
        // Tests beside this one have a few in use, or give a few back.
        let before = blocks();
        for _ in 0..50 {
            assert_eq!(busy(), used);
        }
        assert!(blocks() < before + 10, "{before} became {}", blocks());
        for block in &*SPARE.lock() {
            assert!(block.iter().all(|slot| slot.inbox.generation() == 1));
        }
    }
}
