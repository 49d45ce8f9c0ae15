use super::*;

#[test]
fn a_state_is_entered_at_the_start_and_on_each_change() {
    run(|| async {
        let machine = start(Init::Fine).await;
        go(&machine, State::Busy);
        go(&machine, State::Busy);
        go(&machine, State::Idle);
        assert_eq!(all_seen().await, ["enter Idle Busy", "enter Busy Idle"]);
        nothing_seen(&machine).await;
    });
}

#[test]
fn repeat_state_enters_again_and_changes_nothing_else() {
    run(|| async {
        let machine = start(Init::Fine).await;
        let asked = machine.call(Message::Ask); // postponed
        tell(&machine, |cx| {
            cx.state_timeout(Duration::ZERO, Message::Note("still"));
            cx.next_event(Event::Internal(Message::Do(Box::new(|_| {
                Transition::RepeatState
            }))));
            Transition::KeepState
        });
        assert_eq!(
            all_seen().await,
            ["enter Idle Idle", "state timeout still Idle"]
        );
        nothing_seen(&machine).await;
        go(&machine, State::Busy);
        assert_eq!(asked.await, Ok(State::Busy));
    });
}

#[test]
fn a_state_that_is_equal_is_no_change_but_its_value_is_kept() {
    run(|| async {
        /// Equal whatever it carries.
        #[derive(Clone, Copy, Debug)]
        struct Counting(u32);
        impl PartialEq for Counting {
            fn eq(&self, _: &Self) -> bool {
                true
            }
        }
        struct Counter {
            entered: u32,
        }
        impl StateMachine for Counter {
            type Args = ();
            type State = Counting;
            type Message = ReplyTo<(u32, u32)>;
            type Timer = ();
            async fn init((): (), _: &mut Context<Self>) -> Result<(Counting, Self), ExitReason> {
                Ok((Counting(0), Counter { entered: 0 }))
            }
            async fn enter(
                &mut self,
                _: &Counting,
                _: &Counting,
                _: &mut Context<Self>,
            ) -> Result<(), ExitReason> {
                self.entered += 1;
                Ok(())
            }
            async fn handle(
                &mut self,
                event: Event<Self::Message>,
                state: &Counting,
                _: &mut Context<Self>,
            ) -> Transition<Counting> {
                if let Event::Message(reply) = event {
                    reply.send((self.entered, state.0));
                }
                Transition::NextState(Counting(state.0 + 1))
            }
        }
        let counter = Counter::start_link(()).await.unwrap();
        assert_eq!(counter.call(|reply| reply).await, Ok((1, 0)));
        assert_eq!(counter.call(|reply| reply).await, Ok((1, 1)));
    });
}

#[test]
fn what_enter_asks_for_comes_after_what_the_handler_has_asked_for() {
    run(|| async {
        let machine = start(Init::Fine).await;
        tell(&machine, |cx| {
            cx.timeout("first", Duration::ZERO, Message::Note("one"));
            cx.state_timeout(Duration::ZERO, Message::Note("overruled"));
            Transition::NextState(State::Done)
        });
        assert_eq!(
            all_seen().await,
            [
                "enter Idle Done",
                "timeout first one Done",
                "state timeout done Done"
            ]
        );
        nothing_seen(&machine).await;
    });
}

/// Does in `enter` what must not be done there.
struct Wrong(fn(&mut Context<Wrong>) -> Result<(), ExitReason>);

impl StateMachine for Wrong {
    type Args = (bool, fn(&mut Context<Wrong>) -> Result<(), ExitReason>);
    type State = ();
    type Message = ();
    type Timer = ();

    async fn init(
        (in_init, wrong): Self::Args,
        cx: &mut Context<Self>,
    ) -> Result<((), Self), ExitReason> {
        if in_init {
            wrong(cx)?;
        }
        Ok(((), Wrong(wrong)))
    }

    async fn enter(&mut self, (): &(), (): &(), cx: &mut Context<Self>) -> Result<(), ExitReason> {
        self.0(cx)
    }

    async fn handle(&mut self, _: Event<()>, (): &(), _: &mut Context<Self>) -> Transition<()> {
        Transition::KeepState
    }
}

#[test]
fn enter_can_neither_postpone_nor_insert_events() {
    run(|| async {
        let postpone: fn(&mut Context<Wrong>) -> _ = |cx| {
            cx.postpone(Event::Message(()));
            Ok(())
        };
        let insert: fn(&mut Context<Wrong>) -> _ = |cx| {
            cx.next_event(Event::Message(()));
            Ok(())
        };
        for (wrong, text) in [(postpone, "to postpone"), (insert, "of no time")] {
            let machine = Wrong::start_link((false, wrong)).await.unwrap();
            let reason = exited(machine.pid().unwrap()).await;
            assert!(reason.to_string().ends_with(text), "{reason}");
        }
        let StartError::Exit(reason) = Wrong::start_link((true, postpone)).await.unwrap_err()
        else {
            panic!("started otherwise");
        };
        assert!(reason.to_string().ends_with("to postpone"), "{reason}");
    });
}

#[test]
fn an_error_in_enter_ends_the_machine_that_has_started() {
    run(|| async {
        let machine = Wrong::start_link((false, |_| Err(died()))).await.unwrap();
        assert_eq!(exited(machine.pid().unwrap()).await, died());
    });
}
