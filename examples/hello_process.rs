//! Hello, process: start one, talk to it, and see one fail without harm to anybody.
//!
//! ```sh
//! cargo run --example hello_process
//! ```
//!
//! A process is a future with a mailbox and a pid. It shares nothing; whoever wants something of it sends
//! it a message, and puts its own pid into that if it wants an answer. In Erlang: `spawn`, `!`,
//! `receive`, `spawn_monitor` and its `DOWN`.

use std::time::Duration;

use regrow::{
    ExitReason, Pid, Runtime, receive, receive_down, self_pid, send, spawn, spawn_monitor,
};

/// Any type is a message. This one says who asks.
struct Greet(&'static str, Pid);
struct Greeting(String);
struct Goodbye;

/// What the greeter does: a plain async function, with its state in plain variables.
async fn greeter() {
    let mut greeted = 0;
    loop {
        // Takes the oldest message that fits one of the arms, and waits if there is none.
        receive! {
            Greet(name, from) => {
                greeted += 1;
                send(from, Greeting(format!("Hello, {name}! You are number {greeted}.")));
            }
            Goodbye => break,
        }
    }
    println!("{} has greeted {greeted} and ends", self_pid());
}

fn main() -> std::io::Result<()> {
    // The runtime is the scheduler: a thread for each core. `block_on` runs this process and waits for it.
    Runtime::new()?.block_on(async {
        let greeter = spawn(greeter());
        println!("{} has started {greeter}", self_pid());

        for name in ["Joe", "Robert", "Mike"] {
            send(greeter, Greet(name, self_pid())); // never waits
        }
        for number in 1..=3 {
            let Greeting(text) = receive().await;
            println!("{text}");
            // Messages from one process to another arrive in the order of sending.
            assert!(text.ends_with(&format!("number {number}.")));
        }

        // A monitor tells of an end, whenever it comes and whatever the reason is.
        let end = regrow::monitor(greeter);
        send(greeter, Goodbye);
        assert_eq!(receive_down(end).await.reason, ExitReason::Normal);

        // A message to nobody is lost without a word, so whoever waits for an answer sets a limit, or watches.
        send(greeter, Greet("nobody", self_pid()));
        let answer = receive::<Greeting>().timeout(Duration::from_millis(10));
        assert!(answer.await.is_err());

        // A panic ends the process that it happens in, and no other: we are told, and go on.
        let (broken, end) = spawn_monitor(async {
            let names: [&str; 0] = [];
            println!("Hello, {}!", names.first().expect("somebody is here"));
        });
        let down = receive_down(end).await;
        println!("{broken} has failed: {}", down.reason);
        assert!(matches!(down.reason, ExitReason::Panic(_)));
    });
    Ok(())
}
