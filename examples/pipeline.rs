//! A pipeline whose slow end slows down its beginning: read, parse, store.
//!
//! ```sh
//! cargo run --example pipeline
//! ```
//!
//! Each stage is a gen_server that takes one item at a time, works on it and hands it on. Mailboxes have a
//! limit, and `cast_wait` waits for room: a full stage holds the one before it, and so on up to the source.
//! So memory is bounded by the limits, whatever the speeds are. The same is run without limits to see what
//! they prevent. In Elixir: GenStage, where the demand travels; in Erlang one writes it with calls.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use regrow::{
    Context, ExitReason, GenServer, MailboxPolicy, Next, ReplyTo, Runtime, ServerRef,
    reply_channel, sleep,
};

const LINES: u64 = 200;
const LIMIT: usize = 4;

enum Message<T> {
    Item(T),
    /// After the last item; answered when all are stored.
    Flush(ReplyTo<u64>),
}

/// The fast stage.
struct Parser {
    next: ServerRef<Message<u64>>,
}

impl GenServer for Parser {
    type Args = ServerRef<Message<u64>>;
    type Message = Message<String>;

    async fn init(next: Self::Args, _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Parser { next })
    }

    async fn handle(&mut self, message: Message<String>, _: &mut Context<Self>) -> Next {
        let message = match message {
            Message::Item(line) => match line.trim().parse() {
                Ok(number) => Message::Item(number),
                Err(error) => return Next::Stop(ExitReason::error(error)),
            },
            Message::Flush(reply) => Message::Flush(reply),
        };
        // While it waits here it takes nothing: that is the whole of the back-pressure. If the next stage
        // is gone, this one ends as well.
        match self.next.cast_wait(message).await {
            Ok(()) => Next::Continue,
            Err(error) => Next::Stop(ExitReason::error(error.to_string())),
        }
    }
}

/// The slow stage.
struct Store {
    sum: u64,
    stored: Arc<AtomicU64>,
}

impl GenServer for Store {
    type Args = Arc<AtomicU64>;
    type Message = Message<u64>;

    async fn init(stored: Self::Args, _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Store { sum: 0, stored })
    }

    async fn handle(&mut self, message: Message<u64>, _: &mut Context<Self>) -> Next {
        match message {
            Message::Item(number) => {
                sleep(Duration::from_millis(1)).await; // a disk, a network
                self.sum += number;
                self.stored.fetch_add(1, Ordering::Relaxed);
            }
            Message::Flush(reply) => reply.send(self.sum),
        }
        Next::Continue
    }
}

/// Sends all lines through a pipeline; how many were between source and store, at most.
async fn run(limit: usize) -> u64 {
    let stored = Arc::new(AtomicU64::new(0));
    // Linked to us, and we to them: if one stage fails, nobody goes on as if nothing had happened.
    let store = Store::start_link(stored.clone()).mailbox_limit(limit, MailboxPolicy::Wait);
    let store = store.await.expect("it starts");
    let parser = Parser::start_link(store).mailbox_limit(limit, MailboxPolicy::Wait);
    let parser = parser.await.expect("it starts");

    let mut most = 0;
    for line in 1..=LINES {
        most = most.max(line - stored.load(Ordering::Relaxed));
        if line % 50 == 0 {
            println!(
                "  line {line} is read, {} are stored",
                stored.load(Ordering::Relaxed)
            );
        }
        parser
            .cast_wait(Message::Item(format!(" {line}\n")))
            .await
            .expect("the parser lives");
    }
    // Items and requests keep their order, so this is answered after the last item.
    let (reply_to, reply) = reply_channel();
    let flush = parser.cast_wait(Message::Flush(reply_to)); // a `call` would not wait for room
    flush.await.expect("the parser lives");
    let sum = reply.await;
    assert_eq!(sum, Ok((1..=LINES).sum()), "nothing is lost");
    most
}

fn main() -> std::io::Result<()> {
    Runtime::new()?.block_on(async {
        println!("with limits of {LIMIT}:");
        let most = run(LIMIT).await;
        println!("  at most {most} lines under way");
        // In two mailboxes, in the hands of two stages, and the one that the source is about to send.
        assert!(most <= 2 * LIMIT as u64 + 3, "{most}");

        println!("without:");
        let most = run(usize::MAX).await;
        println!("  at most {most} lines under way");
    });
    Ok(())
}
