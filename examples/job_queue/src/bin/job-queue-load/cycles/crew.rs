//! The clients of one cycle: producers and workers, each a thread with a connection of its own,
//! which works until the server is gone. What each sends and is answered goes into the ledger,
//! what is sent before it is sent.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use job_queue::trial::answer::Answer;
use job_queue::trial::chance::Chance;
use job_queue::trial::wire::{Wire, put};

use super::body;
use super::ledger::{Client, Job, Ledger, Place, State};
use super::violation::{Kind, Violation};

/// How many tubes there are.
pub(crate) const TUBES: u32 = 3;
/// A server that runs answers within this time.
const PATIENCE: Duration = Duration::from_secs(20);
/// With so many jobs in the queue producers pause: the audits look at every one.
const BACKLOG: u64 = 2000;
/// How many jobs a worker holds at most.
const HANDFUL: usize = 8;

/// What all clients share.
pub(crate) struct Shared {
    pub(crate) seed: u64,
    /// The beginning of the clock of the ledger.
    pub(crate) epoch: Instant,
    ledger: Mutex<Ledger>,
    serial: AtomicU64,
    client: AtomicU64,
    /// The server is about to be ended: what breaks now is no wonder.
    ending: AtomicBool,
}

impl Shared {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            seed,
            epoch: Instant::now(),
            ledger: Mutex::default(),
            serial: AtomicU64::new(0),
            client: AtomicU64::new(0),
            ending: AtomicBool::new(false),
        }
    }

    pub(crate) fn now(&self) -> Duration {
        self.epoch.elapsed()
    }

    pub(crate) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Another cycle begins.
    pub(crate) fn begin(&self) {
        self.ending.store(false, Ordering::SeqCst);
    }

    /// The server is ended in a moment: nobody holds anything from now on.
    pub(crate) fn end(&self) {
        let mut ledger = self.ledger();
        self.ending.store(true, Ordering::SeqCst);
        ledger.server_gone();
    }

    fn is_ending(&self) -> bool {
        self.ending.load(Ordering::SeqCst)
    }

    /// Writes down what must not happen.
    pub(crate) fn violation(&self, kind: Kind, serial: u64, detail: String) {
        self.ledger().violations.push(Violation {
            kind,
            serial,
            id: None,
            detail,
        });
    }
}

/// The name of a tube.
pub(crate) fn tube_name(tube: u32) -> String {
    format!("tube-{tube}")
}

/// A client that puts.
pub(crate) fn producer(shared: &Shared, address: SocketAddr, mut chance: Chance) {
    let result = produce(shared, address, &mut chance);
    judge(shared, "producer", result);
}

/// A client that works, reconnecting when it has vanished on purpose.
pub(crate) fn worker(shared: &Shared, address: SocketAddr, mut chance: Chance) {
    loop {
        let client = shared.client.fetch_add(1, Ordering::Relaxed);
        let mut worker = match Worker::connect(shared, client, address, chance.fork()) {
            Ok(worker) => worker,
            Err(error) => return judge(shared, "worker", Err(error)),
        };
        let result = worker.work();
        shared.ledger().client_gone(client);
        drop(worker);
        if let Err(error) = result {
            return judge(shared, "worker", Err(error));
        }
    }
}

/// A connection that breaks is as it should be when the server is ended, and only then.
fn judge(shared: &Shared, who: &str, result: io::Result<()>) {
    if let Err(error) = result
        && (!shared.is_ending() || error.kind() == io::ErrorKind::InvalidData)
    {
        shared.violation(Kind::BadAnswer, 0, format!("a {who} was told: {error}"));
    }
}

/// An answer that makes no sense.
fn nonsense(command: &str, answer: &Answer) -> io::Error {
    let text = format!("{} as the answer to {command}", answer.line);
    io::Error::new(io::ErrorKind::InvalidData, text)
}

fn produce(shared: &Shared, address: SocketAddr, chance: &mut Chance) -> io::Result<()> {
    let mut wire = Wire::connect(address, PATIENCE)?;
    loop {
        let counts = shared.ledger().counts;
        if counts.inserted > counts.deleted + BACKLOG {
            if shared.is_ending() {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(5));
            continue;
        }
        let tube = chance.below(TUBES);
        let using = wire.ask(&format!("use {}", tube_name(tube)))?;
        if using.word() != "USING" {
            return Err(nonsense("use", &using));
        }
        // Several at once, as busy producers do.
        let count = if chance.happens(20) {
            2 + chance.below(15)
        } else {
            1
        };
        let mut serials = Vec::new();
        let mut bytes = Vec::new();
        for _ in 0..count {
            let serial = shared.serial.fetch_add(1, Ordering::Relaxed);
            let (delay, ttr, pri) = (draw_delay(chance), draw_ttr(chance), draw_pri(chance));
            let job = Job {
                tube,
                ttr,
                place: place(shared.now(), delay, pri),
            };
            shared.ledger().put_sent(serial, job);
            serials.push(serial);
            bytes.extend(put(pri, delay, ttr, &body::body(shared.seed, serial)));
        }
        wire.send(&bytes)?;
        for serial in serials {
            let answer = wire.answer()?;
            match (answer.word(), answer.number()) {
                ("INSERTED", Some(id)) => shared.ledger().inserted(serial, id),
                // A server that is being ended may take no more.
                ("DRAINING", _) if shared.is_ending() => return Ok(()),
                _ => return Err(nonsense("put", &answer)),
            }
        }
    }
}

fn draw_delay(chance: &mut Chance) -> u32 {
    match chance.below(20) {
        0 | 1 => 1,
        2 => 3600,
        _ => 0,
    }
}

fn draw_ttr(chance: &mut Chance) -> u32 {
    if chance.happens(15) {
        1
    } else {
        2 + chance.below(60)
    }
}

fn draw_pri(chance: &mut Chance) -> u32 {
    chance.below(2000)
}

fn place(now: Duration, delay: u32, pri: u32) -> Place {
    let state = match delay {
        0 => State::Ready,
        delay => State::Delayed(now + Duration::from_secs(delay.into())),
    };
    Place { state, pri }
}

struct Worker<'a> {
    shared: &'a Shared,
    client: Client,
    wire: Wire,
    chance: Chance,
    /// What it has, as far as it knows: serial and id.
    held: Vec<(u64, u64)>,
}

impl<'a> Worker<'a> {
    fn connect(
        shared: &'a Shared,
        client: Client,
        address: SocketAddr,
        chance: Chance,
    ) -> io::Result<Self> {
        let mut wire = Wire::connect(address, PATIENCE)?;
        for tube in 0..TUBES {
            let watching = wire.ask(&format!("watch {}", tube_name(tube)))?;
            if watching.word() != "WATCHING" {
                return Err(nonsense("watch", &watching));
            }
        }
        Ok(Self {
            shared,
            client,
            wire,
            chance,
            held: Vec::new(),
        })
    }

    /// Works; `Ok` when it shall vanish.
    fn work(&mut self) -> io::Result<()> {
        loop {
            if self.held.is_empty() || (self.held.len() < HANDFUL && self.chance.happens(40)) {
                self.reserve()?;
            }
            if self.chance.happens(2) {
                self.kick()?;
            }
            if self.held.is_empty() {
                continue;
            }
            let index = self.chance.below(self.held.len() as u32) as usize;
            match self.chance.below(1000) {
                0..750 => self.delete(index)?,
                750..850 => self.release(index)?,
                850..910 => self.bury(index)?,
                910..940 => self.touch(index)?,
                // Lets the time of what it has run out.
                940..945 => std::thread::sleep(Duration::from_millis(1100)),
                // Vanishes with all that it has.
                945..950 => return Ok(()),
                _ => {}
            }
        }
    }

    fn reserve(&mut self) -> io::Result<()> {
        let asked = self.shared.now();
        let timeout = self.chance.below(2);
        let answer = self.wire.ask(&format!("reserve-with-timeout {timeout}"))?;
        match (answer.word(), answer.number(), &answer.body) {
            ("RESERVED", Some(id), Some(bytes)) => {
                let Some((serial, right)) = body::read(self.shared.seed, bytes) else {
                    return Err(nonsense("reserve", &answer));
                };
                if !right {
                    let detail = format!("{} bytes were given out for it", bytes.len());
                    self.shared.violation(Kind::Changed, serial, detail);
                }
                let mut ledger = self.shared.ledger();
                // What was read after the end was begun is no reservation any more. The time is taken
                // under the lock: what the ledger is told in turn has happened in turn.
                if !self.shared.is_ending() {
                    let now = self.shared.now();
                    ledger.reserved(self.client, serial, id, asked, now);
                }
                drop(ledger);
                self.held.push((serial, id));
                Ok(())
            }
            // There is nothing to do: somebody must wake what rests.
            ("TIMED_OUT", ..) => self.kick(),
            ("DEADLINE_SOON", ..) => Ok(()),
            _ => Err(nonsense("reserve", &answer)),
        }
    }

    fn delete(&mut self, index: usize) -> io::Result<()> {
        let (serial, id) = self.held.swap_remove(index);
        let until = {
            let mut ledger = self.shared.ledger();
            ledger.delete_sent(serial);
            ledger.lets_go(self.client, serial)
        };
        let answer = self.wire.ask(&format!("delete {id}"))?;
        let now = self.shared.now();
        let mut ledger = self.shared.ledger();
        match answer.word() {
            "DELETED" => ledger.deleted(serial),
            "NOT_FOUND" => {
                ledger.not_deleted(serial);
                ledger.refused(serial, until, now);
            }
            _ => return Err(nonsense("delete", &answer)),
        }
        Ok(())
    }

    fn release(&mut self, index: usize) -> io::Result<()> {
        let (serial, id) = self.held.swap_remove(index);
        let (delay, pri) = (draw_delay(&mut self.chance), draw_pri(&mut self.chance));
        let place = place(self.shared.now(), delay, pri);
        let command = format!("release {id} {pri} {delay}");
        self.change(serial, place, &command, "RELEASED").map(drop)
    }

    fn bury(&mut self, index: usize) -> io::Result<()> {
        let (serial, id) = self.held.swap_remove(index);
        let pri = draw_pri(&mut self.chance);
        let place = Place {
            state: State::Buried,
            pri,
        };
        let command = format!("bury {id} {pri}");
        self.change(serial, place, &command, "BURIED").map(drop)
    }

    /// Kicks a job that rests, whoever put it to rest.
    fn kick(&mut self) -> io::Result<()> {
        let last = self.shared.serial.load(Ordering::Relaxed);
        let after = self.chance.below(u32::try_from(last).unwrap_or(u32::MAX));
        let resting = self.shared.ledger().resting(after.into());
        let Some((serial, id, pri)) = resting else {
            return Ok(());
        };
        let place = Place {
            state: State::Ready,
            pri,
        };
        let command = format!("kick-job {id}");
        if self.change(serial, place, &command, "KICKED")? {
            self.shared.ledger().counts.kicked += 1;
        }
        Ok(())
    }

    /// Sends a change; whether it was done, and not refused because the job is no longer its own.
    fn change(&mut self, serial: u64, place: Place, command: &str, done: &str) -> io::Result<bool> {
        let (change, until) = {
            let mut ledger = self.shared.ledger();
            let until = ledger.lets_go(self.client, serial);
            (ledger.change_sent(serial, place), until)
        };
        let answer = self.wire.ask(command)?;
        let now = self.shared.now();
        let mut ledger = self.shared.ledger();
        match answer.word() {
            word if word == done => ledger.changed(serial, change),
            "NOT_FOUND" => ledger.refused(serial, until, now),
            _ => return Err(nonsense(command, &answer)),
        }
        Ok(answer.word() == done)
    }

    fn touch(&mut self, index: usize) -> io::Result<()> {
        let (serial, id) = self.held[index];
        let asked = self.shared.now();
        let until = self.shared.ledger().held_until(self.client, serial);
        let answer = self.wire.ask(&format!("touch {id}"))?;
        let now = self.shared.now();
        match answer.word() {
            "TOUCHED" => self.shared.ledger().touched(self.client, serial, asked),
            "NOT_FOUND" => {
                self.held.swap_remove(index);
                let mut ledger = self.shared.ledger();
                ledger.lets_go(self.client, serial);
                ledger.refused(serial, until, now);
            }
            _ => return Err(nonsense("touch", &answer)),
        }
        Ok(())
    }
}
