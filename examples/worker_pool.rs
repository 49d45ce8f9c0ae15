//! A pool of workers: as many jobs at a time as there are workers, and a worker that crashes costs its
//! job an attempt and nobody else anything.
//!
//! ```sh
//! cargo run --example worker_pool
//! ```
//!
//! ```text
//! pool (rest_for_one)
//! ├── queue        gen_server: who waits for a job, which jobs wait, who has which
//! └── workers (one_for_one)
//!     ├── worker 0 asks the queue for a job, does it, says so, asks again
//!     ├── ...
//! ```
//!
//! Workers ask, so no list of who is free can be wrong. In Erlang: poolboy and its like. If no worker keeps
//! anything from job to job, `Task::async_stream(..).max_concurrency(3)` does.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

use regrow::{
    CallError, ChildSpec, Context, ExitReason, GenServer, Info, MonitorRef, Name, Next, Pid,
    ReplyTo, RequestIds, Restart, Runtime, Strategy, Supervisor, Task, demonitor_flush, monitor,
    self_pid, sleep,
};

const WORKERS: usize = 3;
const ATTEMPTS: u32 = 2;
const QUEUE: Name<Message> = Name::new("queue");

type Outcome = Result<Pid, String>; // who has done it, or why nobody has
type Work = (u32, u32); // which job, and which attempt at it

#[derive(Default)]
struct Queue {
    waiting: VecDeque<(Work, ReplyTo<Outcome>)>,
    idle: VecDeque<(Pid, ReplyTo<Work>)>,
    /// By the monitor of the worker.
    running: HashMap<MonitorRef, (Pid, Work, ReplyTo<Outcome>)>,
}

enum Message {
    /// Answered when the job is done, or given up.
    Submit(u32, ReplyTo<Outcome>),
    /// Both from a worker; the first is answered when there is a job for it.
    Ask(Pid, ReplyTo<Work>),
    Done(Pid),
}

impl GenServer for Queue {
    type Args = ();
    type Message = Message;

    async fn init((): (), _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Queue::default())
    }

    async fn handle(&mut self, message: Message, _: &mut Context<Self>) -> Next {
        match message {
            Message::Submit(number, reply) => self.waiting.push_back(((number, 1), reply)),
            Message::Ask(worker, reply) => self.idle.push_back((worker, reply)),
            Message::Done(worker) => {
                for (watch, (_, _, reply)) in self.running.extract_if(|_, it| it.0 == worker) {
                    demonitor_flush(watch);
                    reply.send(Ok(worker));
                }
            }
        }
        self.hand_out();
        Next::Continue
    }

    /// A worker has ended with its job: the job comes again, or is given up.
    async fn handle_info(&mut self, info: Info, _: &mut Context<Self>) -> Next {
        if let Info::Down(down) = info
            && let Some((worker, (job, attempt), reply)) = self.running.remove(&down.reference)
        {
            println!("{worker} has crashed: job {job}, attempt {attempt}");
            if attempt < ATTEMPTS {
                self.waiting.push_front(((job, attempt + 1), reply));
            } else {
                reply.send(Err(down.reason.to_string()));
            }
            self.hand_out();
        }
        Next::Continue
    }
}

impl Queue {
    fn hand_out(&mut self) {
        while !self.waiting.is_empty()
            && let Some((worker, idle)) = self.idle.pop_front()
            && let Some((work, reply)) = self.waiting.pop_front()
        {
            idle.send(work);
            // If the worker is dead already, its end is told at once.
            self.running.insert(monitor(worker), (worker, work, reply));
        }
    }
}

async fn work() -> Result<(), CallError> {
    loop {
        let ask = QUEUE.call(|reply| Message::Ask(self_pid(), reply));
        let (job, attempt) = ask.no_timeout().await?;
        assert!(job != 7, "nobody can do that");
        assert!(job != 13 || attempt > 1, "bad luck, the first time");
        sleep(Duration::from_millis(5)).await;
        QUEUE.cast(Message::Done(self_pid()));
    }
}

fn workers() -> Supervisor {
    let worker = |n| Task::child_spec(format!("worker {n}"), work).restart(Restart::Permanent);
    let supervisor = Supervisor::new(Strategy::OneForOne).intensity(10, Duration::from_secs(1));
    (0..WORKERS).map(worker).fold(supervisor, Supervisor::child)
}

fn main() -> std::io::Result<()> {
    Runtime::new()?.block_on(async {
        let queue = ChildSpec::new("queue", || Queue::start_link(()).name(QUEUE));
        let pool = Supervisor::new(Strategy::RestForOne)
            .child(queue)
            .child(ChildSpec::supervisor("workers", || workers().start_link()));
        pool.start_link().await.expect("the pool starts");

        let (queue, mut jobs) = (QUEUE.server_ref(), RequestIds::new());
        for number in 0..30 {
            jobs.send_request(&queue, |reply| Message::Submit(number, reply), number);
        }
        let mut done = BTreeMap::new();
        while let Ok(Some((outcome, number))) = jobs.receive_response(None, true).await {
            match outcome.expect("the queue lives") {
                Ok(worker) => *done.entry(worker).or_insert(0) += 1,
                Err(why) => {
                    println!("job {number} is given up: {why}");
                    assert_eq!(number, 7);
                }
            }
        }
        println!("jobs done, by worker: {done:?}");
        assert_eq!(done.values().sum::<u32>(), 29);
    });
    Ok(())
}
