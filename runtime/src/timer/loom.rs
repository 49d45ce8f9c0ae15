//! Arming a timer against the death of the process that it is aimed at, under the model
//! checker: in every interleaving the entry is gone once that process is.
//!
//! ```text
//! RUSTFLAGS="--cfg loom" LOOM_MAX_PREEMPTIONS=3 cargo test --release -p regrow-runtime --lib loom
//! ```

use loom::sync::{Arc, Mutex};
use loom::thread;
use regrow_mailbox::Inbox;

use super::wheel::{Load, Wheel};
use crate::pid::Pid;
use crate::process::owner;

const RUNTIME: u32 = 7;

struct Aimed(Pid);

impl Load for Aimed {
    fn aim(&self) -> Option<Pid> {
        Some(self.0)
    }
}

struct Model {
    inbox: Inbox,
    wheels: [Mutex<Wheel<Aimed>>; 2],
}

impl Model {
    /// As `arm_or_drop` and `Timers::insert` do.
    fn arm(&self, to: Pid, wheel: usize) -> bool {
        if owner::mark_timed(&self.inbox) != Some(RUNTIME) {
            return false;
        }
        let mut wheel = self.wheels[wheel].lock().unwrap();
        self.inbox.generation() == to.generation() && wheel.insert(1, Aimed(to), |_, _| {}).is_ok()
    }

    /// As the end of a process does.
    fn die(&self, pid: Pid) {
        let marks = owner::leave(&self.inbox);
        self.inbox.retire();
        if marks.timed() {
            for wheel in &self.wheels {
                let mut removed = Vec::new();
                let mut wheel = wheel.lock().unwrap();
                assert!(!wheel.remove_aimed(pid, 9, &mut removed));
            }
        }
        drop(self.inbox.close());
    }

    fn waiting(&self) -> usize {
        let waiting = |wheel: &Mutex<Wheel<_>>| wheel.lock().unwrap().len();
        self.wheels.iter().map(waiting).sum()
    }
}

/// A process, and those that aim timers at it.
fn model() -> (Arc<Model>, Pid) {
    let model = Model {
        inbox: Inbox::new(),
        wheels: [Mutex::new(Wheel::new(0)), Mutex::new(Wheel::new(0))],
    };
    let generation = model.inbox.open(RUNTIME);
    (Arc::new(model), Pid::local(1, generation))
}

#[test]
fn loom_an_entry_goes_with_its_process() {
    loom::model(|| {
        let (model, pid) = model();
        let armers: Vec<_> = [0, 1]
            .map(|wheel| {
                let model = model.clone();
                thread::spawn(move || model.arm(pid, wheel))
            })
            .into();
        model.die(pid);
        for armer in armers {
            armer.join().unwrap();
        }
        assert_eq!(model.waiting(), 0);
    });
}

#[test]
fn loom_a_late_timer_is_not_armed_at_the_next_tenant() {
    loom::model(|| {
        let (model, pid) = model();
        let armers = [0, 0].map(|wheel| {
            let model = model.clone();
            thread::spawn(move || model.arm(pid, wheel))
        });
        model.die(pid);
        // It arms none: for the checker a store (in `open`) beside a read-modify-write is in
        // either order for whoever looks, its own thread included.
        let next = Pid::local(1, model.inbox.open(RUNTIME));
        for armer in armers {
            armer.join().unwrap();
        }
        assert_eq!(model.waiting(), 0);
        model.die(next);
    });
}
