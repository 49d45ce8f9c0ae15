//! A supervision tree that is hurt and grows back: two servers under a
//! rest_for_one supervisor, a crash of the first, and the tree before and after.
//!
//! ```sh
//! cargo run --example grow_back
//! ```

use std::time::Duration;

use regrow::{
    CallError, ChildSpec, Context, ExitReason, GenServer, Name, Next, Pid, ReplyTo, Runtime,
    Strategy, Supervisor, monitor, print_tree, receive,
};

/// Hands out numbers, and cannot stand the number 13.
struct Counter {
    next: u32,
}

enum Request {
    Take(ReplyTo<u32>),
}

impl GenServer for Counter {
    type Args = u32;
    type Message = Request;

    async fn init(start: u32, _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Counter { next: start })
    }

    async fn handle(&mut self, Request::Take(reply): Request, _: &mut Context<Self>) -> Next {
        assert_ne!(self.next, 13, "not that one");
        reply.send(self.next);
        self.next += 1;
        Next::Continue
    }
}

const FIRST: Name<Request> = Name::new("first");
const SECOND: Name<Request> = Name::new("second");

fn main() -> std::io::Result<()> {
    Runtime::new()?.block_on(async {
        let supervisor = Supervisor::new(Strategy::RestForOne)
            .name("counters")
            .intensity(3, Duration::from_secs(5))
            .child(ChildSpec::new("first", || {
                Counter::start_link(11).name(FIRST)
            }))
            .child(ChildSpec::new("second", || {
                Counter::start_link(1).name(SECOND)
            }))
            .start_link()
            .await
            .expect("the tree starts");
        let root = supervisor.pid().expect("it was just started");
        println!("{}", tree(root).await);

        let first = FIRST.server_ref();
        for _ in 0..2 {
            say(first.call(Request::Take).await);
        }
        let second = monitor(SECOND.whereis().expect("it runs"));
        say(first.call(Request::Take).await);

        // rest_for_one: the second is stopped because the first has crashed.
        let down = receive::<regrow::Down>()
            .matching(move |down: &regrow::Down| down.reference == second)
            .await;
        println!("second ended: {}", down.reason);
        // The supervisor answers once it has restarted both.
        println!("{}", tree(root).await);
        say(first.call(Request::Take).await);
    });
    Ok(())
}

fn say(answer: Result<u32, CallError>) {
    match answer {
        Ok(number) => println!("first says {number}"),
        Err(error) => println!("first says nothing: {error}"),
    }
}

async fn tree(root: Pid) -> String {
    match print_tree(root).await {
        Ok(tree) => tree.to_string(),
        Err(error) => format!("no tree: {error}"),
    }
}
