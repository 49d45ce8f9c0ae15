//! `receive!`: arms, guards, `after`, and that its bodies belong to the function around.

#![deny(warnings)]

mod common;

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use common::run;
use futures_lite::future::poll_once;
use regrow_runtime::{
    Down, Exit, Message, catch_panic, exit, receive, receive_any, self_pid, send, sleep, spawn,
    spawn_link, spawn_monitor, trap_exit, yield_now,
};

const ZERO: Duration = Duration::ZERO;

#[derive(Debug, PartialEq)]
enum Request {
    Add(u32),
    Get {
        of: char,
    },
    #[expect(dead_code, reason = "an arm may wait for what nobody sends")]
    Stop,
}

#[derive(Debug, PartialEq)]
struct Tick;

struct Pair<A, B>(A, B);

/// The rest of the mailbox, in order; only `u32`s.
async fn rest() -> Vec<u32> {
    let mut rest = Vec::new();
    while let Ok(message) = receive_any().timeout(ZERO).await {
        rest.push(message.downcast::<u32>().expect("only numbers"));
    }
    rest
}

#[test]
fn the_oldest_message_that_fits_any_arm_is_taken_whatever_the_order_of_the_arms() {
    run(1, async {
        send(self_pid(), 1_u8);
        send(self_pid(), Request::Get { of: 'x' });
        send(self_pid(), Tick);
        send(self_pid(), Request::Add(7));
        let mut seen = Vec::new();
        for _ in 0..3 {
            receive! {
                Tick => seen.push(String::from("tick")),
                Request::Add(n) => seen.push(format!("add {n}")),
                Request::Get { of } => { seen.push(format!("get {of}")) }
                Request::Stop => seen.push(String::from("stop")),
            }
        }
        assert_eq!(seen, ["get x", "tick", "add 7"]);
        assert_eq!(receive::<u8>().await, 1);
    });
}

#[test]
fn of_the_arms_that_a_message_fits_the_first_is_run() {
    run(1, async {
        for n in [3_u32, 30, 300] {
            send(self_pid(), n);
        }
        let mut seen = Vec::new();
        for _ in 0..3 {
            seen.push(receive! {
                n: u32 if *n > 100 => format!("{n} is huge"),
                n @ 10..=99_u32 => format!("{n} is large"),
                0_u32 | 3_u32 => "small".to_owned(),
                n: u32 => format!("{n} is something"),
            });
        }
        assert_eq!(seen, ["small", "30 is large", "300 is huge"]);
    });
}

#[test]
fn a_guard_sees_what_the_pattern_binds_and_what_is_around_it() {
    run(1, async {
        for n in 0..6_u32 {
            send(self_pid(), Request::Add(n));
        }
        let mut total = 0;
        while total < 9 {
            receive! {
                Request::Add(n) if *n % 2 == 1 && total % 2 == 0 => total += n,
                Request::Add(n) if total % 2 == 1 => { total += n; },
            }
        }
        // 1 while even; then 0, 2 and 3 while odd; then 5.
        assert_eq!(total, 11);
        let mut left = Vec::new();
        loop {
            receive! {
                Request::Add(n) => left.push(n),
                after ZERO => break,
            }
        }
        assert_eq!(left, [4]);
    });
}

#[test]
fn a_name_with_the_type_message_and_an_underscore_take_anything() {
    run(1, async {
        trap_exit(true);
        spawn_link(async {});
        receive! { _: Exit => {} }
        send(self_pid(), "text");
        send(self_pid(), 5_u32);
        send(self_pid(), 6_u32);
        send(self_pid(), 7_u32);
        receive! {
            never: Tick => panic!("{never:?}"),
            other: Message => assert_eq!(other.downcast::<&str>().unwrap(), "text"),
        }
        receive! {
            Tick => unreachable!(),
            // Any message, but only if it is a number above 5.
            other: Message if other.peek::<u32>() > Some(&5) => {
                assert_eq!(other.downcast::<u32>().unwrap(), 6);
            }
        }
        receive! { _ => {} }
        assert_eq!(rest().await, [7]);
    });
}

#[test]
fn tuples_vectors_and_names_with_a_type_are_taken_by_that_type() {
    run(1, async {
        send(self_pid(), (1_u8, "one"));
        send(self_pid(), vec![2_u8, 3]);
        send(self_pid(), Some(4_u8));
        send(self_pid(), Pair('p', [5_u8]));
        send(self_pid(), String::from("six"));
        let sum = receive! { (n, text): (u8, &'static str) if text.len() == 3 => n };
        let sum = sum + receive! { bytes: Vec<u8> if bytes.len() > 1 => bytes.iter().sum::<u8>() };
        let sum = sum + receive! { option: Option<u8> => option.unwrap() };
        let sum = sum + receive! { Pair::<_, [u8; 1]>('p', [n]) => n };
        assert_eq!(sum, 15_u8);
        receive! { mut text: String => { text.push('!'); assert_eq!(text, "six!") } }
        send(self_pid(), vec![1_u32]);
        receive! {
            mut list: Vec<u32> if list.len() == 1 => { list.push(2); assert_eq!(list, [1, 2]) }
        }
    });
}

#[test]
fn the_type_may_follow_from_what_the_body_does() {
    run(1, async {
        send(self_pid(), (1_u64, 2_u16));
        let (a, b): (u64, u16);
        receive! { (x, y) => { (a, b) = (x, y); } }
        assert_eq!((a, b), (1, 2));
    });
}

/// The bodies of its `receive!` leave it by `?`, by `return`, and by its end.
async fn parse() -> Result<u32, std::num::ParseIntError> {
    let number = receive! {
        text: &'static str => text.parse::<u32>()?,
        number: u32 => return Ok(number + 1_000),
        Tick => {
            sleep(Duration::from_millis(1)).await;
            7
        }
    };
    Ok(number)
}

#[test]
fn bodies_return_fail_and_await_in_the_function_around() {
    run(1, async {
        send(self_pid(), "12");
        assert_eq!(parse().await, Ok(12));
        send(self_pid(), "twelve");
        assert!(parse().await.is_err());
        send(self_pid(), 12_u32);
        assert_eq!(parse().await, Ok(1_012));
        send(self_pid(), Tick);
        assert_eq!(parse().await, Ok(7));
    });
}

#[test]
fn bodies_leave_loops_around_by_name_and_receives_nest() {
    run(1, async {
        for n in 0..10_u32 {
            send(self_pid(), n);
        }
        send(self_pid(), 'a');
        send(self_pid(), 'b');
        let mut seen = Vec::new();
        let last = 'outer: loop {
            loop {
                receive! {
                    n: u32 if n % 3 == 0 => {
                        let letter = receive! {
                            c: char => c,
                            after ZERO => break 'outer n,
                        };
                        seen.push((n, letter));
                    }
                    n: u32 if *n == 5 => continue 'outer,
                    _: u32 => break,
                }
            }
        };
        assert_eq!((last, seen), (6, vec![(0, 'a'), (3, 'b')]));
    });
}

async fn first_of<T: Send + 'static, E: Send + 'static>() -> Result<T, E> {
    receive! {
        value: T => Ok(value),
        Some(error) => Err::<T, E>(error),
    }
}

#[test]
fn it_works_with_the_types_of_a_generic_function() {
    run(1, async {
        send(self_pid(), Some('e'));
        send(self_pid(), 1_u8);
        assert_eq!(first_of::<u8, char>().await, Err('e'));
        assert_eq!(first_of::<u8, char>().await, Ok(1));
    });
}

#[test]
fn names_of_the_user_do_not_clash_with_those_of_the_macro() {
    run(1, async {
        let (arm, message, received, selected) = (1_u32, 2_u32, 3_u32, 4_u32);
        send(self_pid(), 0_u32);
        send(self_pid(), 10_u32);
        let sum = receive! {
            n: u32 if *n > arm + message + received + selected - 1 => {
                n + arm + message + received + selected
            }
            Pair::<u8, u8>(selected, message) if selected == message => u32::from(selected + message),
        };
        assert_eq!(sum, 20);
        assert_eq!(rest().await, [0]);
    });
}

#[test]
fn after_runs_once_the_time_is_over_and_others_messages_do_not_extend_it() {
    run(1, async {
        let me = self_pid();
        let noise = spawn(async move {
            loop {
                send(me, "noise");
                sleep(Duration::from_millis(2)).await;
            }
        });
        let start = Instant::now();
        let late = receive! {
            Tick => false,
            after Duration::from_millis(40) => true
        };
        assert!(late);
        assert!(start.elapsed() >= Duration::from_millis(40));
        exit(noise, regrow_runtime::ExitReason::Kill);
        // Alone, it is a sleep; and its body is in the function, too.
        let mut rounds = 0;
        while rounds < 3 {
            receive! { after Duration::from_millis(1) => rounds += 1 }
        }
    });
}

#[test]
fn after_zero_looks_at_everything_that_has_arrived_and_leaves_it() {
    run(1, async {
        for n in 0..1_000_u32 {
            send(self_pid(), n);
        }
        receive! {
            999_u32 => {}
            after ZERO => panic!("the last one has arrived"),
        }
        receive! {
            Tick => unreachable!(),
            n: u32 if *n > 998 => panic!("{n} was taken before"),
            after ZERO => {}
        }
        assert_eq!(rest().await, Vec::from_iter(0..999));
    });
}

#[test]
fn a_waiting_receive_asks_once_about_each_message() {
    run(1, async {
        const MESSAGES: u32 = 10_000;
        for n in 0..MESSAGES {
            send(self_pid(), n);
        }
        let asked = AtomicU32::new(0);
        let asks = |_: &u32| {
            asked.fetch_add(1, Ordering::Relaxed);
            false
        };
        let mut waits = Box::pin(async {
            receive! {
                n: u32 if asks(n) => n,
                Tick => 0,
            }
        });
        for round in 0..100 {
            assert!(poll_once(&mut waits).await.is_none());
            send(self_pid(), MESSAGES + round);
            yield_now().await;
        }
        assert!(poll_once(&mut waits).await.is_none());
        assert_eq!(asked.load(Ordering::Relaxed), MESSAGES + 100);
        send(self_pid(), Tick);
        assert_eq!(waits.await, 0);
        assert_eq!(rest().await.len(), MESSAGES as usize + 100);
    });
}

#[test]
fn one_that_is_dropped_has_taken_nothing_and_a_panic_in_a_guard_neither() {
    run(1, async {
        {
            let mut waits = pin!(async {
                receive! { Request::Add(n) => n }
            });
            assert!(poll_once(&mut waits).await.is_none());
            send(self_pid(), Request::Add(1));
            yield_now().await;
        }
        send(self_pid(), Request::Add(2));
        let caught = catch_panic(async {
            receive! {
                Request::Add(n) if *n == 2 && panics() => n,
            }
        });
        assert!(
            caught
                .await
                .unwrap_err()
                .to_string()
                .ends_with("in a guard")
        );
        for expected in [1, 2] {
            receive! { Request::Add(n) => assert_eq!(n, expected) }
        }
    });
}

fn panics() -> bool {
    panic!("in a guard")
}

#[test]
fn downs_and_exits_are_messages_like_others() {
    run(2, async {
        let (pid, reference) = spawn_monitor(async { panic!("oops") });
        let reason = receive! {
            down: Down if down.reference == reference => down.reason,
            exit: Exit => exit.reason,
        };
        assert!(reason.to_string().ends_with("oops"));
        trap_exit(true);
        regrow_runtime::link(pid);
        receive! {
            Down { pid, .. } => panic!("{pid} has one monitor"),
            Exit { pid: from, reason, .. } => {
                assert_eq!((from, reason), (pid, regrow_runtime::ExitReason::NoProc));
            }
        }
    });
}

fn assert_send<T: Future + Send>(future: T) -> T {
    future
}

#[test]
fn a_process_may_hold_one_over_an_await() {
    run(2, async {
        let me = self_pid();
        let limit = 3_u32;
        let child = spawn(assert_send(async move {
            receive! { n: u32 if *n > limit => send(me, n + limit), }
        }));
        for n in 0..5_u32 {
            send(child, n);
        }
        assert_eq!(receive::<u32>().await, 7);
    });
}
