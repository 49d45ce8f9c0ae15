use regrow_runtime::{Down, monitor, monotonic_time, receive_down, self_pid, send};
use regrow_supervisor::{ResponseTimeout, abcast, multi_call};

use super::*;

fn echo(reply: ReplyTo<u32>) -> Command {
    Command::Echo(1, reply)
}

#[test]
fn replies_and_bad_ones_are_in_the_order_of_the_servers() {
    run(|| async {
        let (one, two) = (start().await, start().await);
        let (dead, nobody) = (dead().await, NOBODY.server_ref());
        let all = [dead.clone(), two.clone(), nobody.clone(), one.clone()];
        let mut number = 0;
        let numbered = |reply| {
            number += 1;
            Command::Echo(number, reply)
        };
        let (replies, bad) = multi_call(all, numbered, secs(5)).await;
        // A request is made for each that is there to be asked.
        assert_eq!(replies, [(two, 2), (one, 3)]);
        assert_eq!(
            bad,
            [(dead, CallError::NoProc), (nobody, CallError::NoProc)]
        );
    });
}

#[test]
fn a_server_that_is_named_twice_is_asked_twice() {
    run(|| async {
        let server = start().await;
        let twice = [server.clone(), server.clone()];
        let (replies, bad) = multi_call(twice, echo, None).await;
        assert_eq!(replies, [(server.clone(), 1), (server, 1)]);
        assert_eq!(bad, []);
    });
}

#[test]
fn no_servers_give_no_replies_at_once() {
    run(|| async {
        let (replies, bad) = multi_call(Vec::<Ref>::new(), echo, None).await;
        assert!(replies.is_empty() && bad.is_empty());
    });
}

#[test]
fn a_server_that_is_late_is_bad_and_its_reply_dropped() {
    run(|| async {
        let (slow, fast) = (start().await, start().await);
        slow.cast(Command::Wait);
        let begin = monotonic_time();
        let all = [slow.clone(), fast.clone(), slow.clone()];
        let (replies, bad) = multi_call(all, echo, millis(20)).await;
        // One time for all. The fast one has answered while the slow one was waited for.
        let waited = monotonic_time() - begin;
        assert!(waited >= millis(20));
        if regrow_runtime::simulation::seed().is_some() {
            assert!(waited < millis(22), "{waited:?}");
        }
        assert_eq!(replies, [(fast, 1)]);
        let late = CallError::Timeout((&slow).into());
        assert_eq!(bad, [(slow.clone(), late.clone()), (slow.clone(), late)]);
        send(slow.pid().unwrap(), Go);
        handled(&slow).await;
        assert_none::<u32>().await;
    });
}

#[test]
fn without_a_limit_the_slow_one_is_waited_for() {
    run(|| async {
        let slow = start().await;
        slow.cast(Command::Wait);
        let waiting = multi_call([slow.clone()], echo, ResponseTimeout::Infinity);
        regrow_runtime::send_after(millis(5), slow.pid().unwrap(), Go);
        assert_eq!(waiting.await, (vec![(slow, 1)], vec![]));
    });
}

#[test]
fn a_server_that_ends_instead_of_replying_is_bad_with_its_reason() {
    run(|| async {
        let (stops, stays) = (start().await, start().await);
        let doomed = stops.clone();
        doomed.cast(Command::Wait);
        let waiting = multi_call([stops.clone(), stays.clone()], echo, secs(5));
        regrow_runtime::exit(stops.pid().unwrap(), ExitReason::Kill);
        let killed = CallError::Exit(ExitReason::Killed);
        assert_eq!(waiting.await, (vec![(stays, 1)], vec![(stops, killed)]));
    });
}

#[test]
fn the_caller_is_a_bad_one_itself_and_is_sent_nothing() {
    run(|| async {
        let me = Ref::from_pid(self_pid());
        let (replies, bad) = multi_call([me.clone()], echo, None).await;
        assert_eq!((replies, bad), (vec![], vec![(me, CallError::CallingSelf)]));
        assert_none::<Command>().await;
    });
}

/// All requests are on their way before the first reply is waited for.
#[test]
fn servers_are_asked_at_once_and_not_one_after_the_other() {
    run(|| async {
        let (one, two) = (start().await, start().await);
        let calls = multi_call([one.clone(), two.clone()], Command::Keep, secs(5));
        answer(&two, [0]).await;
        answer(&one, [0]).await;
        assert_eq!(calls.await, (vec![(one, 0), (two, 0)], vec![]));
    });
}

#[test]
fn a_cast_to_many_reaches_those_that_are_there() {
    run(|| async {
        let (one, two) = (start().await, start().await);
        let ends = [&one, &two].map(|server| monitor(server.pid().unwrap()));
        let all = [one, NOBODY.server_ref(), dead().await, two];
        abcast(all, || {
            Command::StopWith(ExitReason::Shutdown, regrow_runtime::reply_channel().0)
        });
        for end in ends {
            assert_eq!(receive_down(end).await.reason, ExitReason::Shutdown);
        }
        assert_none::<Down>().await;
    });
}
