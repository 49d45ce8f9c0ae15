//! A rate limiter: a bucket of tokens, and callers that wait for the next one.
//!
//! ```sh
//! cargo run --example rate_limiter
//! ```
//!
//! The bucket is a gen_server. Each request takes a token; one comes back each 20 ms, up to three. A
//! caller that finds none is answered *later*: the server keeps the reply handle and goes on. Nobody
//! polls, and nobody is overtaken. In OTP: `{noreply, State}` now and `gen_server:reply/2` then, with
//! `erlang:send_after/3` for the timer.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use regrow::{
    CallError, Context, ExitReason, GenServer, Name, Next, ReplyTo, RequestIds, Runtime, Task,
    send_after,
};

const LIMITER: Name<Message> = Name::new("limiter");
const BURST: u32 = 3;
const PERIOD: Duration = Duration::from_millis(20);
/// Whoever comes when so many wait is refused: a line without an end helps nobody.
const LINE: usize = 10;

struct Limiter {
    burst: u32,
    period: Duration,
    tokens: u32,
    line: VecDeque<ReplyTo<Result<(), Refused>>>,
    /// A token is on its way.
    filling: bool,
}

#[derive(Debug, PartialEq)]
struct Refused;

enum Message {
    /// Answered when there is a token.
    Take(ReplyTo<Result<(), Refused>>),
    /// From the timer.
    Token,
}

impl GenServer for Limiter {
    type Args = (u32, Duration);
    type Message = Message;

    async fn init((burst, period): Self::Args, _: &mut Context<Self>) -> Result<Self, ExitReason> {
        let line = VecDeque::new();
        Ok(Limiter {
            burst,
            period,
            tokens: burst,
            line,
            filling: false,
        })
    }

    async fn handle(&mut self, message: Message, cx: &mut Context<Self>) -> Next {
        // Whoever has given up meanwhile, or has ended, stands in the line no more, and costs no token.
        self.line.retain(ReplyTo::is_wanted);
        match message {
            Message::Take(reply) if self.line.len() < LINE => self.line.push_back(reply),
            Message::Take(reply) => reply.send(Err(Refused)),
            Message::Token => {
                self.filling = false;
                self.tokens += 1;
            }
        }
        while self.tokens > 0
            && let Some(reply) = self.line.pop_front()
        {
            self.tokens -= 1;
            reply.send(Ok(()));
        }
        // A full bucket has no timer: an idle limiter costs nothing.
        if self.tokens < self.burst && !self.filling {
            self.filling = true;
            send_after(self.period, cx.pid(), Message::Token);
        }
        Next::Continue
    }
}

fn main() -> std::io::Result<()> {
    Runtime::new()?.block_on(async {
        let limiter = Limiter::start_link((BURST, PERIOD)).name(LIMITER);
        limiter.await.expect("nobody else has the name");
        let began = Instant::now();

        // Ten at once: three find a token, seven wait for theirs.
        let requests = Task::async_stream(0..10, move |n| async move {
            let taken = LIMITER.call(Message::Take).await?;
            println!(
                "request {n}: {taken:?} after {:3} ms",
                began.elapsed().as_millis()
            );
            assert_eq!(taken, Ok(()), "there is room in the line");
            Ok::<Duration, CallError>(began.elapsed())
        });
        let mut times = Vec::new();
        for time in requests.max_concurrency(10).ordered(false).collect().await {
            times.push(time.expect("no client fails").expect("the limiter answers"));
        }
        times.sort_unstable();
        for (time, number) in times.into_iter().zip(1..) {
            // So many tokens have been taken by then, and all but the first three had to come.
            assert!(
                time >= PERIOD * u32::saturating_sub(number, BURST),
                "{number}: {time:?}"
            );
        }

        // One token, and then none for an hour: the line fills, and the next one is refused at once.
        let strict = Limiter::start_link((1, Duration::from_secs(3600))).await;
        let strict = strict.expect("it needs no name");
        assert_eq!(strict.call(Message::Take).await, Ok(Ok(())));
        let mut line = RequestIds::new();
        for number in 0..LINE {
            line.send_request(&strict, Message::Take, number);
        }
        let late = strict.call(Message::Take).await;
        println!("behind a line of {LINE}: {late:?}");
        assert_eq!(late, Ok(Err(Refused)));

        // They give up, which makes room: the next one is in the line, for as long as it likes to be.
        drop(line);
        let waits = strict
            .call(Message::Take)
            .timeout(Duration::from_millis(30))
            .await;
        println!("when they have gone: {}", waits.as_ref().unwrap_err());
        assert!(matches!(waits, Err(CallError::Timeout(_))), "{waits:?}");
    });
    Ok(())
}
