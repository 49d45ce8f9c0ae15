//! A counter that crashes, and the supervisor that starts it again: what is lost, what is kept, and
//! where it ends.
//!
//! ```sh
//! cargo run --example supervised_counter
//! ```
//!
//! The counter does not defend itself against bad input: it crashes, and a fresh one goes on from a state
//! that is known to be good. What must outlive it is kept by somebody who does less, and so fails less.
//! In OTP: `supervisor` with `rest_for_one`, `intensity` and `period`; in Elixir the keeper is an `Agent`.

use std::io;
use std::time::Duration;

use regrow::{
    Agent, CallError, ChildSpec, Context, ExitReason, GenServer, Name, Next, Pid, ReplyTo, Runtime,
    Strategy, Supervisor, monitor, print_tree, receive_down, trap_exit,
};

struct Counter {
    value: u64,
}

enum Command {
    /// Adds what the text says, and answers the sum.
    Add(&'static str, ReplyTo<u64>),
}

const COUNTER: Name<Command> = Name::new("counter");

/// The last sum that was right.
fn stash() -> Agent<u64> {
    Agent::named("stash")
}

impl GenServer for Counter {
    type Args = ();
    type Message = Command;

    /// Each incarnation begins here.
    async fn init((): (), cx: &mut Context<Self>) -> Result<Self, ExitReason> {
        let value = stash().get(|value| *value).await?;
        println!("  {} counts on from {value}", cx.pid());
        Ok(Counter { value })
    }

    async fn handle(&mut self, Command::Add(text, reply): Command, _: &mut Context<Self>) -> Next {
        // A panic if it is no number: nothing is half done, because nothing has been done yet.
        self.value += text.parse::<u64>().unwrap();
        let sum = self.value;
        if let Err(error) = stash().update(move |value| *value = sum).await {
            return Next::Stop(error.into());
        }
        reply.send(sum);
        Next::Continue
    }
}

fn main() -> io::Result<()> {
    // What supervisors report; without a subscriber nobody hears of it.
    let reports = tracing_subscriber::fmt().with_env_filter("regrow::supervisor=info");
    reports
        .with_writer(io::stdout)
        .with_ansi(false)
        .without_time()
        .init();
    Runtime::new()?.block_on(async {
        trap_exit(true); // the end of the tree must not be ours
        let supervisor = Supervisor::new(Strategy::RestForOne)
            // Two restarts in ten seconds are bad luck. A third is a fault that no fresh start cures.
            .intensity(2, Duration::from_secs(10))
            .child(ChildSpec::new("stash", || {
                Agent::start_link(|| 0_u64).name("stash")
            }))
            .child(ChildSpec::new("counter", || {
                Counter::start_link(()).name(COUNTER)
            }))
            .start_link()
            .await
            .expect("the tree starts");
        let root = supervisor.pid().expect("it was just started");
        println!("{}", print_tree(root).await.expect("it runs"));

        assert_eq!(add("20").await, Ok(20));
        assert_eq!(add("3").await, Ok(23));
        let first = COUNTER.whereis();

        // The caller is told why there is no answer, at once.
        crash("a dozen").await;
        // A supervisor answers when it has done what there was to do: here, after the restart.
        supervisor.count_children().await.expect("it goes on");
        assert_ne!(COUNTER.whereis(), first, "another process");
        assert_eq!(
            add("4").await,
            Ok(27),
            "the same name, and the sum that was kept"
        );

        crash("-1").await;
        supervisor.count_children().await.expect("it goes on");
        assert_eq!(add("5").await, Ok(32));

        // The third crash in ten seconds: the supervisor stops what it has and ends. If there were one
        // above it, that one would now decide.
        let end = monitor(root);
        crash("").await;
        let reason = receive_down(end).await.reason;
        println!("the supervisor has given up: {reason}");
        assert_eq!(reason, ExitReason::Shutdown);
        assert_eq!((stash().pid(), COUNTER.whereis()), (None::<Pid>, None));
    });
    Ok(())
}

async fn add(text: &'static str) -> Result<u64, CallError> {
    let sum = COUNTER.call(|reply| Command::Add(text, reply)).await;
    match &sum {
        Ok(sum) => println!("  add {text:?}: {sum}"),
        Err(error) => println!("  add {text:?}: no answer, {error}"),
    }
    sum
}

async fn crash(text: &'static str) {
    let answer = add(text).await;
    assert!(
        matches!(answer, Err(CallError::Exit(ExitReason::Panic(_)))),
        "{answer:?}"
    );
}
