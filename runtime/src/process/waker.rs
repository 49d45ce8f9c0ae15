//! A waker is a pid: cloning and dropping one does nothing, and one that
//! outlives its process, or its runtime, is harmless.
//!
//! # Invariant
//!
//! - W1: the data pointer of a waker with [`VTABLE`] is a packed pid, never
//!   dereferenced; every function of the table treats it as a number.

use std::ptr;
use std::task::{RawWaker, RawWakerVTable, Waker};

use crate::pid::Pid;

#[cfg(not(target_pointer_width = "64"))]
compile_error!("regrow packs a pid into a waker's data pointer and so needs 64-bit pointers");

static VTABLE: RawWakerVTable = RawWakerVTable::new(
    |data| RawWaker::new(data, &VTABLE),
    |data| wake_packed(data.addr() as u64),
    |data| wake_packed(data.addr() as u64),
    |_| {},
);

/// The plain waker of a process.
pub(crate) fn waker_of(pid: Pid) -> Waker {
    let data = ptr::without_provenance(pid.pack() as usize);
    // SAFETY: W1: the functions of the table keep the contract of `RawWaker`
    // trivially, for they own nothing; they are thread-safe.
    unsafe { Waker::from_raw(RawWaker::new(data, &VTABLE)) }
}

/// The packed pid of a waker, if it is the plain waker of a process.
pub(crate) fn plain_pid(waker: &Waker) -> Option<u64> {
    ptr::eq(waker.vtable(), &VTABLE).then(|| waker.data().addr() as u64)
}

/// Makes sure that the process gets another turn, if it still lives.
pub(crate) fn wake_packed(packed: u64) {
    if let Some(pid) = Pid::unpack(packed) {
        super::wake(pid);
    }
}
