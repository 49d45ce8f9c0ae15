//! Slots that are used again and again while senders and wakers still hold their former tenants.

use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, Waker};
use std::thread;
use std::time::Duration;

use regrow_runtime::{
    Exit, ExitReason, Pid, receive, self_pid, send, spawn_link, spawn_monitor, trap_exit,
    try_receive, yield_now,
};

use super::{Ledger, Payload, Random, Threads, all_end_normally};

const SPAWNERS: u64 = 2;
/// Lives at a time.
const LITTER: u64 = 32;

/// Where the short-lived leave their pid and waker for those who come too late.
struct Lobby {
    left: Vec<Mutex<Option<(Pid, Waker)>>>,
    closed: AtomicBool,
}

impl Lobby {
    fn leave(&self, random: &mut Random, pid: Pid, waker: Waker) {
        let place = random.below(self.left.len() as u64) as usize;
        *self.left[place]
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some((pid, waker));
    }

    fn pick(&self, random: &mut Random) -> Option<(Pid, Waker)> {
        let place = random.below(self.left.len() as u64) as usize;
        self.left[place]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn is_open(&self) -> bool {
        !self.closed.load(Ordering::Relaxed)
    }
}

/// Says whom it was sent to: nobody else may ever see it.
struct Letter(
    Pid,
    #[expect(dead_code, reason = "counted when it is dropped")] Payload,
);

/// `lives` processes come and go; two processes and two OS threads write to them and wake them,
/// mostly after their death.
pub(super) async fn storm(ledger: Arc<Ledger>, mut random: Random, lives: u64) -> Threads {
    let lobby = Arc::new(Lobby {
        left: (0..64).map(|_| Mutex::new(None)).collect(),
        closed: AtomicBool::new(false),
    });
    let mut threads = Threads::new();
    let mut writers = Vec::new();
    for _ in 0..2 {
        let (ledger, lobby, mut random) = (Arc::clone(&ledger), Arc::clone(&lobby), random.fork());
        threads.push(thread::spawn(move || {
            while lobby.is_open() {
                write_and_wake(&lobby, &ledger, &mut random);
                random.spin(400);
            }
        }));
    }
    for _ in 0..2 {
        let (ledger, lobby, mut random) = (Arc::clone(&ledger), Arc::clone(&lobby), random.fork());
        writers.push(spawn_monitor(async move {
            while lobby.is_open() {
                write_and_wake(&lobby, &ledger, &mut random);
                yield_now().await;
            }
        }));
    }
    let spawners = (0..SPAWNERS).map(|_| {
        let (ledger, lobby, random) = (Arc::clone(&ledger), Arc::clone(&lobby), random.fork());
        spawn_monitor(spawner(ledger, lobby, random, lives / SPAWNERS))
    });
    all_end_normally(spawners.collect()).await;
    lobby.closed.store(true, Ordering::Relaxed);
    all_end_normally(writers).await;
    threads
}

fn write_and_wake(lobby: &Lobby, ledger: &Arc<Ledger>, random: &mut Random) {
    if let Some((pid, waker)) = lobby.pick(random) {
        random.spin(100);
        if random.below(2) == 0 {
            send(pid, Letter(pid, Payload::new(ledger, 0, 0)));
        }
        waker.wake_by_ref();
    }
}

async fn spawner(ledger: Arc<Ledger>, lobby: Arc<Lobby>, mut random: Random, lives: u64) {
    trap_exit(true);
    for number in 0..lives + LITTER {
        if number >= LITTER {
            let exit = receive::<Exit>().await;
            let Exit { pid, reason, .. } = exit;
            assert!(
                matches!(reason, ExitReason::Normal),
                "{pid} ended with {reason}"
            );
            ledger.tick();
        }
        if number < lives {
            spawn_link(life(Arc::clone(&ledger), Arc::clone(&lobby), random.fork()));
        }
    }
}

async fn life(ledger: Arc<Ledger>, lobby: Arc<Lobby>, mut random: Random) {
    let this = self_pid();
    let waker = poll_fn(|context| Poll::Ready(context.waker().clone())).await;
    lobby.leave(&mut random, this, waker);
    match random.below(32) {
        0..4 => yield_now().await,
        4 => drop(
            receive::<Letter>()
                .timeout(Duration::from_micros(random.below(300)))
                .await
                .map(|l| own(this, l)),
        ),
        // Dies with a letter in its mailbox.
        5..9 => send(this, Letter(this, Payload::new(&ledger, 0, 0))),
        9..13 => {
            // Alive for long enough to be written to.
            for _ in 0..random.below(30) {
                yield_now().await;
            }
        }
        _ => {}
    }
    while let Some(letter) = try_receive::<Letter>() {
        own(this, letter);
    }
}

fn own(this: Pid, Letter(to, _): Letter) {
    assert_eq!(to, this, "a letter to a former tenant was delivered");
}
