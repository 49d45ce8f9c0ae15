//! The rules of Elixir's Agent.

use std::collections::BTreeSet;
use std::future::pending;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use regrow_runtime::{
    ExitReason, Pid, exit, is_alive, receive, self_pid, send, sleep, spawn, whereis,
};
use regrow_supervisor::{
    Agent, CallError, ChildSpec, StartError, StopError, Strategy, Supervisor, Via,
};

use crate::common::*;

#[test]
fn closures_see_and_change_the_state_in_the_order_in_which_they_were_sent() {
    run(|| async {
        let words = Agent::start_link(Vec::new).await.unwrap();
        words.cast(|words| words.push("one"));
        assert_eq!(words.update(|words| words.push("two")).await, Ok(()));
        words.cast(|words| words.push("three"));
        assert_eq!(
            words.get(Clone::clone).await,
            Ok(vec!["one", "two", "three"])
        );
        assert_eq!(words.get_and_update(Vec::pop).await, Ok(Some("three")));
        assert_eq!(words.get(Vec::len).await, Ok(2));
    });
}

#[test]
fn closures_run_one_at_a_time_in_the_agents_process() {
    run(|| async {
        let seen = Agent::start_link(BTreeSet::new).await.unwrap();
        let test = self_pid();
        for _ in 0..10 {
            let seen = seen.clone();
            spawn(async move {
                let added = seen.update(|seen| {
                    seen.insert(self_pid());
                });
                send(test, added.await);
            });
        }
        for _ in 0..10 {
            assert_eq!(receive::<Result<(), CallError>>().await, Ok(()));
        }
        let only = BTreeSet::from([seen.pid().unwrap()]);
        assert_eq!(seen.get(Clone::clone).await, Ok(only));
    });
}

#[test]
fn a_panic_in_a_closure_is_told_to_its_caller_and_ends_the_agent() {
    run(|| async {
        let agent = Agent::start(|| 0).await.unwrap();
        let pid = agent.pid().unwrap();
        let failed = agent.get(|n| 10 / *n).await;
        let Err(CallError::Exit(ExitReason::Panic(info))) = failed else {
            panic!("{failed:?}")
        };
        assert_eq!(info.message(), "attempt to divide by zero");
        assert!(!is_alive(pid).await);
        assert_eq!(agent.update(|_| {}).await, Err(CallError::NoProc));
        agent.cast(|_| {}); // no error
    });
}

#[test]
fn whoever_waits_behind_a_panic_is_told_of_it_too() {
    run(|| async {
        let agent = Agent::start(|| 0).await.unwrap();
        agent.cast(|_| panic!("no more"));
        let Err(CallError::Exit(ExitReason::Panic(info))) = agent.get(|n| *n).await else {
            panic!("another error")
        };
        assert_eq!(info.message(), "no more");
    });
}

#[test]
fn below_a_supervisor_it_comes_back_under_its_name_with_a_fresh_state() {
    run(|| async {
        let spec = ChildSpec::new("counter", || Agent::start_link(|| 0).name("counter"));
        let supervisor = Supervisor::new(Strategy::OneForOne).child(spec);
        let supervisor = supervisor.start_link().await.unwrap();
        let counter = Agent::<i32>::named("counter");
        counter.update(|n| *n += 1).await.unwrap();
        let first = counter.pid().unwrap();
        counter.cast(|_| panic!("oops"));
        while pid_if_running(&supervisor)
            .await
            .is_none_or(|pid| pid == first)
        {
            sleep(millis(1)).await;
        }
        assert_eq!(counter.get(|n| *n).await, Ok(0));
    });
}

async fn pid_if_running(supervisor: &regrow_supervisor::SupervisorRef) -> Option<Pid> {
    state(supervisor, "counter").await.pid()
}

#[test]
fn a_name_is_taken_once_and_free_after_a_stop() {
    run(|| async {
        let agent = Agent::start_link(|| 0).name("agent").await.unwrap();
        let again = Agent::start_link(|| 0).name("agent").await.unwrap_err();
        assert_eq!(again, StartError::AlreadyStarted(agent.pid().unwrap()));
        agent.cast(|n| *n += 1); // is done before the stop
        assert_eq!(agent.stop(ExitReason::Normal, None).await, Ok(()));
        assert_eq!(whereis("agent"), None);
        assert_eq!(
            agent.stop(ExitReason::Normal, None).await,
            Err(StopError::NoProc)
        );
        let other = Agent::<i32>::named("agent");
        assert_eq!(other.get(|n| *n).await, Err(CallError::NoProc));
    });
}

#[test]
fn a_registry_of_the_users_may_keep_its_name() {
    /// One name.
    #[derive(Debug, Default)]
    struct One(Mutex<Option<Pid>>);

    impl Via for One {
        fn register(&self) -> Result<(), Pid> {
            let mut owner = self.0.lock().unwrap();
            match *owner {
                Some(pid) => Err(pid),
                None => {
                    *owner = Some(self_pid());
                    Ok(())
                }
            }
        }

        fn whereis(&self) -> Option<Pid> {
            *self.0.lock().unwrap()
        }
    }

    run(|| async {
        let one = Arc::new(One::default());
        let agent = Agent::start_link(|| 7).via(one.clone()).await.unwrap();
        assert_eq!(one.whereis(), agent.pid());
        assert_eq!(Agent::<i32>::via(one).get(|n| *n).await, Ok(7));
    });
}

#[test]
fn a_panic_while_the_state_is_made_is_the_starters_error() {
    run(|| async {
        let failed = Agent::<u8>::start_link(|| panic!("no state")).await;
        let Err(StartError::Exit(ExitReason::Panic(info))) = failed else {
            panic!("{failed:?}")
        };
        assert_eq!(info.message(), "no state");
        assert_none::<regrow_runtime::Exit>().await;
    });
}

#[test]
fn a_start_takes_a_label_as_other_starts_do() {
    run(|| async {
        let agent = Agent::start(|| 0).label("the count").timeout(secs(5));
        let agent = agent.await.unwrap();
        let info = regrow_runtime::process_info(agent.pid().unwrap())
            .await
            .unwrap();
        assert_eq!(info.label.as_deref(), Some("the count"));
    });
}

#[test]
fn a_call_may_be_given_up_and_its_closure_still_runs() {
    run(|| async {
        let agent = Agent::start_link(|| 0).await.unwrap();
        let late = agent.update(|n| *n += 1).timeout(Duration::ZERO).await;
        assert!(
            matches!(late, Err(CallError::Timeout(_)) | Ok(())),
            "{late:?}"
        );
        assert_eq!(agent.get(|n| *n).await, Ok(1));
    });
}

#[test]
fn who_is_linked_to_it_dies_with_it() {
    run(|| async {
        let test = self_pid();
        let owner = spawn(async move {
            let agent = Agent::start_link(|| 0).await.unwrap();
            send(test, agent.pid().unwrap());
            pending::<()>().await;
        });
        let agent = receive::<Pid>().await;
        let end = watch(owner);
        exit(agent, died());
        assert_eq!(end.await, died());
        // And one that was only started does not care.
        let alone = Agent::start(|| 0).await.unwrap();
        let end = watch(alone.pid().unwrap());
        exit(alone.pid().unwrap(), died());
        assert_eq!(end.await, died());
    });
}

#[test]
fn an_agent_with_another_state_or_another_server_does_not_understand() {
    run(|| async {
        let agent = Agent::start_link(|| "a text").await.unwrap();
        let wrong = Agent::<u64>::from_pid(agent.pid().unwrap());
        assert_eq!(wrong.get(|n| *n).await, Err(CallError::NoReply));
        assert_eq!(agent.get(|text| text.len()).await, Ok(6));
    });
}

#[test]
fn a_closure_that_asks_the_agent_itself_is_told_so() {
    run(|| async {
        let agent = Agent::start_link(|| 0).await.unwrap();
        let itself = agent.clone();
        // Sent from the agent's process: waiting for the answer there could not work.
        let call = agent
            .get_and_update(move |_| itself.get(|n| *n))
            .await
            .unwrap();
        assert_eq!(call.await, Err(CallError::CallingSelf));
    });
}
