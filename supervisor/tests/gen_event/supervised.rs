use super::*;

async fn told(id: &str) -> Removal {
    let gone: HandlerExit = receive().await;
    assert_eq!(&*gone.id, id);
    gone.why
}

#[test]
fn whoever_answers_for_a_handler_is_told_why_it_is_gone() {
    run(|| async {
        let manager = start_link().await;

        add_sup(&manager, "a").await;
        manager.delete_handler(A).await.unwrap();
        assert_eq!(told("a").await, Removal::Deleted);

        add_sup(&manager, "a").await;
        sync(&manager, Happened::Remove("a")).await;
        assert_eq!(told("a").await, Removal::Itself);

        add_sup(&manager, "a").await;
        sync(&manager, Happened::Panic("a")).await;
        assert!(matches!(told("a").await, Removal::Failed(_)));

        add_sup(&manager, "a").await;
        manager.stop(ExitReason::Normal, None).await.unwrap();
        let gone: HandlerExit = receive().await;
        assert_eq!(gone.why, Removal::ManagerStop);
        assert_eq!(Some(gone.manager), manager.pid());
    });
}

#[test]
fn a_handler_is_removed_when_whoever_answers_for_it_ends_however() {
    for reason in [ExitReason::Normal, died()] {
        run_with(reason, |reason| async move {
            let manager = with(&["a"]).await;
            let (test, because, events) = (self_pid(), reason.clone(), manager.clone());
            let adder = spawn(async move {
                for id in ["b", "c"] {
                    let made = Reporter {
                        test,
                        ..reporter(id)
                    };
                    let added = events.add_sup_handler(id, || async { Ok(made) });
                    added.await.unwrap();
                }
                send(test, ());
                receive::<()>().await;
                because
            });
            receive::<()>().await;
            let handlers = manager.which_handlers().await.unwrap();
            let adders: Vec<Option<Pid>> = handlers.iter().map(|it| it.adder).collect();
            assert_eq!(adders, [Some(adder), Some(adder), None]);
            assert!(handlers[0].type_name.ends_with("Reporter"));

            send(adder, ());
            let why = Removal::AdderExit(reason.clone());
            assert_eq!(ended().await, Ended("c", why.clone()));
            assert_eq!(ended().await, Ended("b", why));
            assert_eq!(seen_by(&format!("exit {reason}")).await, ["a"]);
            assert_eq!(ids(&manager).await, ["a"]);
        });
    }
}

#[test]
fn a_handler_of_one_that_is_gone_already_is_removed_at_once() {
    run(|| async {
        let manager = start_link().await;
        let (test, events) = (self_pid(), manager.clone());
        let adder = spawn(async move {
            let made = Reporter {
                test,
                ..reporter("a")
            };
            let adding = events.add_sup_handler(A, move || async move {
                receive::<Foreign>().await;
                Ok(made)
            });
            drop(adding); // sent already; nobody waits for the answer
        });
        down(adder).await;
        send(manager.pid().unwrap(), Foreign);
        let Ended("a", Removal::AdderExit(_)) = ended().await else {
            panic!("something else");
        };
        assert!(ids(&manager).await.is_empty());
    });
}

#[test]
fn a_manager_that_is_killed_takes_down_who_answers_for_its_handlers() {
    run(|| async {
        let manager = EventManager::<Happened>::new().start().await.unwrap();
        add_sup(&manager, "a").await;
        exit(manager.pid().unwrap(), ExitReason::Kill);
        let end: Exit = receive().await;
        assert_eq!(end.reason, ExitReason::Killed);
        assert_none::<HandlerExit>().await;
    });
}

#[test]
fn the_link_goes_with_the_last_handler_but_never_the_parents() {
    run(|| async {
        for started_by_us in [false, true] {
            let manager = match started_by_us {
                false => EventManager::new().start().await.unwrap(),
                true => start_link().await,
            };
            add_sup(&manager, "a").await;
            add_sup(&manager, "b").await;
            manager.delete_handler(A).await.unwrap();
            manager.delete_handler(B).await.unwrap();
            let pid = manager.pid().unwrap();
            exit(pid, ExitReason::Kill);
            down(pid).await;
            regrow_runtime::yield_now().await;
            let end = regrow_runtime::try_receive::<Exit>();
            assert_eq!(end.is_some(), started_by_us);
        }
    });
}

#[test]
fn a_swapped_handler_leaves_its_adder_to_the_next_one() {
    run(|| async {
        let manager = start_link().await;
        add_sup(&manager, "a").await;
        let test = self_pid();
        let heir = move |reporter| async move { Ok(Heir { reporter, test }) };
        manager.swap_handler(A, HEIR, heir).await.unwrap();
        assert_eq!(told("a").await, Removal::Swapped("heir".into()));
        manager.delete_handler(HEIR).await.unwrap();
        assert_eq!(told("heir").await, Removal::Deleted);

        add(&manager, "c").await;
        manager.swap_sup_handler(C, HEIR, heir).await.unwrap();
        assert_none::<HandlerExit>().await;
        manager.delete_handler(HEIR).await.unwrap();
        assert_eq!(told("heir").await, Removal::Deleted);
    });
}

#[test]
fn a_supervised_swap_that_fails_tells_the_former_adder() {
    run(|| async {
        let manager = start_link().await;
        add_sup(&manager, "a").await;
        let fail = |_: Option<Reporter>| async { Err::<Heir, _>(died()) };
        let failed = manager.swap_sup_handler(A, HEIR, fail).await;
        assert_eq!(failed, Err(SwapHandlerError::Failed(died())));
        assert_eq!(told("a").await, Removal::Swapped("heir".into()));
        trap_exit(false); // no link is left that could matter
        assert!(ids(&manager).await.is_empty());
        trap_exit(true);
    });
}
