use regrow_runtime::{receive_down, spawn_monitor};

use super::*;

#[test]
fn all_handlers_see_an_event_the_youngest_first() {
    run(|| async {
        let manager = with(&["a", "b", "c"]).await;
        manager.notify(Happened::Word("one"));
        assert_eq!(seen_by("one").await, ["c", "b", "a"]);
        assert_eq!(ids(&manager).await, ["c", "b", "a"]);
    });
}

#[test]
fn sync_notify_returns_when_all_have_handled_the_event() {
    run(|| async {
        let manager = with(&["a", "b"]).await;
        sync(&manager, Happened::Word("one")).await;
        regrow_runtime::yield_now().await;
        assert_eq!(
            regrow_runtime::try_receive(),
            Some(Seen("b", "one".to_owned()))
        );
        assert_eq!(
            regrow_runtime::try_receive(),
            Some(Seen("a", "one".to_owned()))
        );
    });
}

#[test]
fn a_call_reaches_one_handler_only() {
    run(|| async {
        let manager = with(&["a"]).await;
        sync(&manager, Happened::Remove("nobody")).await;
        add(&manager, "b").await;
        assert_eq!(manager.call(A, Query::Events).await, Ok(1));
        assert_eq!(manager.call(B, Query::Events).await, Ok(0));
    });
}

#[test]
fn a_call_to_nobody_or_without_an_answer_is_told() {
    run(|| async {
        let manager = with(&["a"]).await;
        let nobody = manager.call(B, Query::Events).await;
        assert_eq!(nobody, Err(CallHandlerError::NotFound));
        // Another type, though the id is the same.
        let id: HandlerId<Heir> = HandlerId::new("a");
        let other = manager.call(id, |reply| reply).await;
        assert_eq!(other, Err(CallHandlerError::NotFound));
        let dropped = manager.call(A, Query::Drop).no_timeout().await;
        assert_eq!(dropped, Err(CallHandlerError::Call(CallError::NoReply)));
    });
}

#[test]
fn a_call_to_a_manager_that_is_busy_times_out() {
    run(|| async {
        let manager = start_link().await;
        let pid = manager.pid().unwrap();
        let test = self_pid();
        let events = manager.clone();
        let (_, adding) = spawn_monitor(async move {
            let added = events.add_handler("slow", move || async move {
                send(test, ());
                receive::<Foreign>().await;
                Err::<Reporter, _>(died())
            });
            assert_eq!(added.await, Err(AddHandlerError::Failed(died())));
        });
        receive::<()>().await;
        let late = manager.call(A, Query::Events).timeout(millis(5)).await;
        let in_time = CallError::Timeout(Callee::from(&ServerRef::<()>::from_pid(pid)));
        assert_eq!(late, Err(CallHandlerError::Call(in_time)));
        send(pid, Foreign);
        assert_eq!(receive_down(adding).await.reason, ExitReason::Normal);
    });
}

#[test]
fn a_handler_may_go_by_itself() {
    run(|| async {
        let manager = with(&["a", "b", "c"]).await;
        sync(&manager, Happened::Remove("b")).await;
        assert_eq!(ended().await, Ended("b", Removal::Itself));
        assert_eq!(ids(&manager).await, ["c", "a"]);
        assert_eq!(manager.call(A, Query::Remove).await, Ok(1));
        assert_eq!(ended().await, Ended("a", Removal::Itself));
        assert_eq!(ids(&manager).await, ["c"]);
    });
}

#[test]
fn a_deleted_handler_is_given_back_after_its_terminate() {
    run(|| async {
        let manager = with(&["a", "b"]).await;
        sync(&manager, Happened::Remove("nobody")).await;
        let deleted = manager.delete_handler(A).await.unwrap();
        assert_eq!((deleted.id, deleted.events), ("a", 1));
        assert_eq!(ended().await, Ended("a", Removal::Deleted));
        assert_eq!(ids(&manager).await, ["b"]);
        let again = manager.delete_handler(A).await;
        assert_eq!(again.unwrap_err(), DeleteHandlerError::NotFound);
    });
}

#[test]
fn an_id_means_the_youngest_of_its_type() {
    run(|| async {
        let manager = with(&["a"]).await;
        sync(&manager, Happened::Remove("nobody")).await;
        add(&manager, "a").await;
        assert_eq!(manager.delete_handler(A).await.unwrap().events, 0);
        assert_eq!(manager.delete_handler(A).await.unwrap().events, 1);
    });
}

#[test]
fn a_handler_that_panics_is_removed_and_the_others_go_on() {
    let collector = crate::reports::Collector::new();
    run_with(collector, |collector| async move {
        let manager = with(&["a", "b", "c"]).await;
        sync(&manager, Happened::Panic("b")).await;
        let Ended("b", Removal::Failed(reason)) = ended().await else {
            panic!("something else");
        };
        assert!(reason.to_string().ends_with("handle_event panics"));
        assert_eq!(ids(&manager).await, ["c", "a"]);
        assert_eq!(manager.call(A, Query::Events).await, Ok(1));

        let told = manager.call(A, Query::Panic).await;
        let Err(CallHandlerError::Failed(reason)) = told else {
            panic!("{told:?}");
        };
        assert!(reason.to_string().ends_with("handle_call panics"));
        assert_eq!(ids(&manager).await, ["c"]);

        send(manager.pid().unwrap(), "nobody knows this");
        assert_eq!(ids(&manager).await, Vec::<String>::new());

        let all = collector.with("target", "regrow::gen_event");
        for what in [
            "handle_event panics",
            "handle_call panics",
            "handle_info panics",
        ] {
            let reported = |it: &&crate::reports::Fields| it["reason"].ends_with(what);
            let report = all.iter().find(reported).unwrap();
            assert_eq!(report["level"], "ERROR");
        }
    });
}

#[test]
fn an_error_or_a_panic_of_what_makes_a_handler_is_told() {
    run(|| async {
        let manager = start_link().await;
        let failed = manager.add_handler(A, || async { Err(died()) }).await;
        assert_eq!(failed, Err(AddHandlerError::Failed(died())));
        let failed = manager.add_handler::<Reporter, std::future::Ready<_>>(A, || panic!("no"));
        let Err(AddHandlerError::Failed(reason)) = failed.await else {
            panic!("something else");
        };
        assert!(reason.to_string().ends_with("no"), "{reason}");
        assert!(ids(&manager).await.is_empty());
    });
}

#[test]
fn a_terminate_that_panics_is_told_and_the_handler_is_gone() {
    run(|| async {
        let manager = start_link().await;
        let made = Reporter {
            terminate_panics: true,
            ..reporter("a")
        };
        manager.add_handler(A, || async { Ok(made) }).await.unwrap();
        let Err(DeleteHandlerError::Failed(reason)) = manager.delete_handler(A).await else {
            panic!("something else");
        };
        assert!(reason.to_string().ends_with("terminate panics"));
        assert!(ids(&manager).await.is_empty());
    });
}

async fn heir(old: Option<Reporter>, test: Pid) -> Result<Heir, ExitReason> {
    Ok(Heir {
        reporter: old,
        test,
    })
}

#[test]
fn a_swapped_handler_is_given_to_the_next_one_which_is_the_youngest() {
    run(|| async {
        let manager = with(&["a", "b", "c"]).await;
        let test = self_pid();
        let swapped = manager.swap_handler(B, HEIR, move |old| heir(old, test));
        assert_eq!(swapped.await, Ok(()));
        assert_eq!(ended().await, Ended("b", Removal::Swapped("heir".into())));
        assert_eq!(ids(&manager).await, ["heir", "c", "a"]);
        assert_eq!(manager.call(HEIR, |reply| reply).await, Ok(Some("b")));
        sync(&manager, Happened::Word("one")).await;
        assert_eq!(seen_by("one").await, ["heir", "c", "a"]);
    });
}

#[test]
fn a_swap_with_nobody_gives_nothing_to_the_next_one() {
    run(|| async {
        let manager = start_link().await;
        let test = self_pid();
        let swapped = manager.swap_handler(B, HEIR, move |old| heir(old, test));
        assert_eq!(swapped.await, Ok(()));
        assert_eq!(manager.call(HEIR, |reply| reply).await, Ok(None));
    });
}

#[test]
fn a_swap_that_fails_leaves_neither() {
    run(|| async {
        let manager = with(&["a", "b"]).await;
        let fail = |_: Option<Reporter>| async { Err::<Heir, _>(died()) };
        let failed = manager.swap_handler(A, HEIR, fail).await;
        assert_eq!(failed, Err(SwapHandlerError::Failed(died())));
        assert_eq!(ids(&manager).await, ["b"]);
    });
}

#[test]
fn other_messages_reach_all_handlers() {
    run(|| async {
        let manager = with(&["a", "b"]).await;
        let pid = manager.pid().unwrap();
        send(pid, Foreign);
        assert_eq!(seen_by("foreign").await, ["b", "a"]);
        let other = spawn(async move {
            regrow_runtime::link(pid);
            Err::<(), _>(died())
        });
        assert_eq!(seen_by("exit died").await, ["b", "a"]);
        down(other).await;
    });
}

/// As a call of a server does.
#[test]
fn a_process_that_asks_a_missing_manager_in_a_loop_lets_others_run() {
    run(|| async {
        spawn(async {
            let late = EventManager::<Happened>::new().name("late");
            late.start().await.unwrap();
        });
        let manager = EventManagerRef::<Happened>::named("late");
        let missing = Err(CallHandlerError::Call(CallError::NoProc));
        let mut asked = missing.clone();
        while asked == missing {
            asked = manager.call(A, Query::Events).await;
        }
        assert_eq!(asked, Err(CallHandlerError::NotFound));
    });
}

/// An event of which no copy can be made.
struct Only;

impl Clone for Only {
    fn clone(&self) -> Self {
        panic!("there is only one");
    }
}

/// Tells of each event.
struct Teller(Pid);

impl Handler<Only> for Teller {
    type Request = ();

    async fn handle_event(&mut self, _: Only) -> Next {
        send(self.0, "an event");
        Next::Continue
    }
}

#[test]
fn an_event_that_cannot_be_copied_ends_neither_the_manager_nor_a_handler() {
    run(|| async {
        let manager = EventManager::new().start_link().await.unwrap();
        let test = self_pid();
        for id in ["a", "b"] {
            let added = manager.add_handler(id, move || async move { Ok(Teller(test)) });
            added.await.unwrap();
        }
        manager.sync_notify(Only).await.unwrap();
        assert_eq!(manager.which_handlers().await.unwrap().len(), 2);
        assert_none::<&str>().await;
        // For one alone none has to be made.
        let b = HandlerId::<Teller>::new("b");
        manager.delete_handler(b).await.unwrap();
        manager.sync_notify(Only).await.unwrap();
        assert_eq!(receive::<&str>().await, "an event");
    });
}
