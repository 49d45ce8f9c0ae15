//! A counter: a process that keeps a number and answers requests, as a gen_server.
//!
//! ```sh
//! cargo run --example counter
//! ```
//!
//! `receive` in a loop, a reply for each request, a timeout for each caller: every server would write the
//! same. So it is written once, and the server says only what its messages do. In OTP: `gen_server`
//! with `init/1`, `handle_call/3` and `handle_cast/2` (one `handle` here), `terminate/2`.

use std::time::Duration;

use regrow::{
    CallError, Context, ExitReason, GenServer, Name, Next, ReplyTo, Runtime, StartError, Task,
};

/// The state, which nobody else can touch: there is no lock, because there is nothing to lock.
struct Counter {
    value: u64,
}

/// All that can be said to it. With a `ReplyTo` it is a call, without one a cast.
enum Command {
    Add(u64),
    Get(ReplyTo<u64>),
    /// Answers what the value was.
    Reset(ReplyTo<u64>),
}

impl GenServer for Counter {
    type Args = u64;
    type Message = Command;

    /// Runs in the new process; `start_link` returns when it is done.
    async fn init(start: u64, _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Counter { value: start })
    }

    /// One message at a time, in the order in which they came.
    async fn handle(&mut self, command: Command, _: &mut Context<Self>) -> Next {
        match command {
            Command::Add(amount) => self.value += amount,
            Command::Get(reply) => reply.send(self.value),
            Command::Reset(reply) => {
                reply.send(self.value);
                self.value = 0;
            }
        }
        Next::Continue
    }

    async fn terminate(&mut self, reason: &ExitReason, cx: &mut Context<Self>) {
        println!("{} ends at {}: {reason}", cx.pid(), self.value);
    }
}

/// Clients say the name; which process has it is looked up for each message.
const COUNTER: Name<Command> = Name::new("counter");

fn main() -> std::io::Result<()> {
    Runtime::new()?.block_on(async {
        let counter = Counter::start_link(40).name(COUNTER).await;
        let counter = counter.expect("nobody else has the name");
        println!("the counter is {}", counter.pid().expect("it runs"));

        // A cast waits for nothing. A call sent after it is handled after it, so it sees the sum.
        COUNTER.cast(Command::Add(2));
        let value = COUNTER.call(Command::Get).await;
        println!("40 and 2 are {value:?}");
        assert_eq!(value, Ok(42));

        // Ten clients at once. Each addition is one message, so none of them is lost.
        let clients = Task::async_stream(0..10, |_| async {
            for _ in 0..1_000 {
                COUNTER.cast(Command::Add(1));
            }
            // Within five seconds, unless it says otherwise.
            COUNTER
                .call(Command::Get)
                .timeout(Duration::from_secs(30))
                .await
        });
        for seen in clients.max_concurrency(10).collect().await {
            let seen = seen.expect("no client fails").expect("the counter answers");
            assert!(seen >= 1_042, "each client sees at least its own");
        }
        let value = COUNTER.call(Command::Reset).await;
        println!("10 clients added 1000 each: {value:?}");
        assert_eq!(value, Ok(10_042));

        // There is one process of a name.
        let second = Counter::start(0).name(COUNTER).await;
        println!("a second one: {}", second.as_ref().unwrap_err());
        assert!(matches!(second, Err(StartError::AlreadyStarted(_))));

        // Told to end, it first does what was sent before. A call to nobody fails at once.
        COUNTER.cast(Command::Add(7));
        counter
            .stop(ExitReason::Normal, None)
            .await
            .expect("it ends");
        let nobody = COUNTER.call(Command::Get).await;
        println!("and then: {}", nobody.as_ref().unwrap_err());
        assert!(matches!(nobody, Err(CallError::NoProc)));
    });
    Ok(())
}
