use std::collections::BTreeSet;

use proptest::prelude::*;
use regrow_runtime::{Timeout, consume_reductions, monotonic_time, sleep, spawn, yield_now};
use regrow_supervisor::{RequestIds, ResponseTimeout};

use super::*;

type Ids = RequestIds<u32, &'static str>;

/// Requests to one server that keeps them, numbered from zero.
fn kept(server: &Ref, labels: &[&'static str]) -> Ids {
    let mut requests = Ids::new();
    for label in labels {
        requests.add(server.send_request(Command::Keep), *label);
    }
    requests
}

#[test]
fn responses_are_taken_in_the_order_in_which_they_come() {
    run(|| async {
        let server = start().await;
        let mut requests = kept(&server, &["one", "two", "three"]);
        answer(&server, [1, 2, 0]).await;
        assert_eq!(
            requests.receive_response(secs(5), true).await,
            Ok(Some((Ok(1), "two")))
        );
        assert_eq!(
            requests.wait_response(secs(5), true).await,
            Ok(Some((Ok(2), "three")))
        );
        assert_eq!(requests.check_response(true), Some((Ok(0), "one")));
        assert!(requests.is_empty());
    });
}

#[test]
fn whoever_waits_gets_the_next_that_comes() {
    run(|| async {
        let server = start().await;
        let mut requests = kept(&server, &["one", "two"]);
        handled(&server).await;
        for (which, label) in [(1, "two"), (0, "one")] {
            let server = server.clone();
            spawn(async move {
                sleep(millis(2)).await;
                server.cast(Command::Answer(which, 7));
            });
            let response = requests.wait_response(None, true).await;
            assert_eq!(response, Ok(Some((Ok(7), label))));
        }
    });
}

/// Its place is kept before it is sent, so it does not matter how soon the reply comes.
#[test]
fn a_request_that_is_answered_before_it_is_sent_has_its_place() {
    run(|| async {
        let me = Ref::from_pid(regrow_runtime::self_pid());
        let mut requests = RequestIds::new();
        let mut first = None;
        let keep = |reply| {
            first = Some(reply);
            Command::Wait
        };
        requests.send_request(&me, keep, "one");
        let answer_both = |reply: ReplyTo<u32>| {
            reply.send(2);
            first.take().unwrap().send(1);
            Command::Wait
        };
        requests.send_request(&me, answer_both, "two");
        assert_eq!(requests.check_response(true), Some((Ok(2), "two")));
        assert_eq!(requests.check_response(true), Some((Ok(1), "one")));
    });
}

#[test]
fn an_empty_collection_is_not_waited_for() {
    run(|| async {
        let mut requests = Ids::new();
        assert_eq!(requests.receive_response(None, true).await, Ok(None));
        assert_eq!(requests.wait_response(None, false).await, Ok(None));
        assert_eq!(requests.check_response(true), None);
        let server = start().await;
        let mut requests = kept(&server, &["one"]);
        answer(&server, [0]).await;
        assert!(requests.receive_response(None, true).await.is_ok());
        assert_eq!(requests.receive_response(None, true).await, Ok(None));
    });
}

#[test]
fn a_handled_request_stays_if_it_is_not_deleted_and_is_waited_for_in_vain() {
    run(|| async {
        let server = start().await;
        let mut requests = kept(&server, &["one", "two"]);
        answer(&server, [0, 1]).await;
        assert_eq!(
            requests.wait_response(None, false).await,
            Ok(Some((Ok(0), "one")))
        );
        assert_eq!(requests.len(), 2);
        assert_eq!(
            requests.receive_response(None, false).await,
            Ok(Some((Ok(1), "two")))
        );
        assert_eq!(requests.len(), 2);
        assert_eq!(requests.labels().collect::<Vec<_>>(), [&"one", &"two"]);
        assert_eq!(requests.check_response(false), None);
        assert_eq!(requests.wait_response(millis(1), false).await, Err(Timeout));
        assert_eq!(
            requests.receive_response(millis(1), true).await,
            Err(Timeout)
        );
        assert_eq!(requests.len(), 2);
    });
}

#[test]
fn a_response_is_deleted_with_its_entry_only() {
    run(|| async {
        let server = start().await;
        let mut requests = kept(&server, &["one", "two", "three"]);
        answer(&server, [1]).await;
        assert_eq!(
            requests.wait_response(None, true).await,
            Ok(Some((Ok(1), "two")))
        );
        assert_eq!(requests.labels().collect::<Vec<_>>(), [&"one", &"three"]);
        assert_eq!(wanted(&server).await, 2);
    });
}

#[test]
fn receive_abandons_all_when_the_time_is_up() {
    run(|| async {
        let server = start().await;
        let mut requests = kept(&server, &["one", "two"]);
        assert_eq!(
            requests.receive_response(millis(1), true).await,
            Err(Timeout)
        );
        assert_eq!(wanted(&server).await, 0);
        answer(&server, [0, 1]).await;
        assert_eq!(requests.wait_response(millis(1), true).await, Err(Timeout));
        // Who did not answer can still be told.
        assert_eq!(requests.labels().collect::<Vec<_>>(), [&"one", &"two"]);
        assert_eq!(requests.into_iter().count(), 0);
    });
}

#[test]
fn wait_abandons_none_when_the_time_is_up() {
    run(|| async {
        let server = start().await;
        let mut requests = kept(&server, &["one", "two"]);
        assert_eq!(requests.wait_response(millis(1), true).await, Err(Timeout));
        assert_eq!(requests.wait_response(millis(0), true).await, Err(Timeout));
        assert_eq!(wanted(&server).await, 2);
        answer(&server, [1, 0]).await;
        assert_eq!(
            requests.wait_response(millis(0), true).await,
            Ok(Some((Ok(1), "two")))
        );
        assert_eq!(
            requests.wait_response(millis(0), true).await,
            Ok(Some((Ok(0), "one")))
        );
    });
}

#[test]
fn a_collection_that_is_dropped_abandons_its_requests() {
    run(|| async {
        let server = start().await;
        let requests = kept(&server, &["one", "two"]);
        assert_eq!(wanted(&server).await, 2);
        drop(requests);
        assert_eq!(wanted(&server).await, 0);
    });
}

#[test]
fn one_deadline_serves_for_all_responses() {
    run(|| async {
        let server = start().await;
        let mut requests = kept(&server, &["one", "two"]);
        answer(&server, [1]).await;
        let begin = monotonic_time();
        let deadline = ResponseTimeout::At(begin + millis(20));
        let first = requests.receive_response(deadline, true).await;
        assert_eq!(first, Ok(Some((Ok(1), "two"))));
        assert_eq!(
            requests.receive_response(deadline, true).await,
            Err(Timeout)
        );
        assert!(monotonic_time() - begin >= millis(20));
    });
}

#[test]
fn failures_are_responses_with_labels() {
    run(|| async {
        let mut requests = Ids::new();
        requests.send_request(&NOBODY.server_ref(), Command::Keep, "nobody");
        assert_eq!(
            requests.check_response(true),
            Some((Err(CallError::NoProc), "nobody"))
        );
        requests.send_request(&dead().await, Command::Keep, "dead");
        let server = start().await;
        let stop = |reply| Command::StopWith(died(), reply);
        assert_eq!(
            requests.receive_response(None, true).await,
            Ok(Some((Err(CallError::NoProc), "dead")))
        );
        requests.send_request(&server, stop, "stops");
        requests.send_request(&start().await, Command::Drop, "drops");
        let mut failed = Vec::new();
        while let Some((response, label)) = requests.receive_response(secs(5), true).await.unwrap()
        {
            failed.push((label, response.unwrap_err()));
        }
        failed.sort_by_key(|it| it.0);
        let ended = CallError::Exit(died());
        assert_eq!(failed, [("drops", CallError::NoReply), ("stops", ended)]);
    });
}

#[test]
fn a_response_that_was_there_before_the_request_was_added_is_taken() {
    run(|| async {
        let server = start().await;
        let request = server.send_request(Command::Keep);
        answer(&server, [0]).await;
        let mut requests = Ids::new();
        requests.add(request, "one");
        assert_eq!(
            requests.wait_response(None, true).await,
            Ok(Some((Ok(0), "one")))
        );
    });
}

#[test]
fn the_open_requests_can_be_had_back() {
    run(|| async {
        let server = start().await;
        let mut requests = kept(&server, &["one", "two", "three"]);
        answer(&server, [0, 2]).await;
        assert_eq!(
            requests.wait_response(None, false).await,
            Ok(Some((Ok(0), "one")))
        );
        let open: Vec<_> = requests.into_iter().collect();
        assert_eq!(open.len(), 2);
        server.cast(Command::Answer(1, 1));
        for ((request, label), expected) in open.into_iter().zip([("two", 1), ("three", 2)]) {
            assert_eq!(
                (label, request.receive_response(None).await),
                (expected.0, Ok(expected.1))
            );
        }
    });
}

/// More requests than a turn has reductions: each is then told to come again.
#[test]
fn the_order_is_kept_however_many_there_are() {
    const MANY: u32 = 5_000;
    run(|| async {
        let server = start().await;
        let mut requests = RequestIds::new();
        for n in 0..MANY {
            requests.send_request(&server, Command::Keep, n);
        }
        let backwards = (0..MANY).rev();
        answer(&server, backwards.clone().map(|n| n as usize)).await;
        for n in backwards {
            if n % 1_000 == 0 {
                consume_reductions(1_000_000);
            }
            let response = requests.receive_response(None, true).await;
            assert_eq!(response, Ok(Some((Ok(n), n))));
        }
    });
}

/// Nobody is kept from running by one for whom there is always something.
#[test]
fn who_takes_responses_without_end_lets_others_run() {
    run(|| async {
        let nobody = NOBODY.server_ref();
        let mut requests = Ids::new();
        let (done, wanted) = (Switch::default(), Switch::default());
        let (set, looks) = (done.clone(), wanted.clone());
        spawn(async move {
            while !looks.is_on() {
                yield_now().await;
            }
            set.set(true);
        });
        wanted.set(true);
        while !done.is_on() {
            requests.send_request(&nobody, Command::Keep, "nobody");
            assert!(requests.receive_response(None, true).await.is_ok());
        }
    });
}

#[test]
fn responses_from_many_threads_all_come_once() {
    const SERVERS: u32 = 8;
    const EACH: u32 = 50;
    run(|| async {
        let mut requests = RequestIds::new();
        for server in 0..SERVERS {
            let started = start().await;
            for n in 0..EACH {
                let label = server * EACH + n;
                requests.send_request(&started, |reply| Command::Echo(label, reply), label);
            }
        }
        let mut seen = BTreeSet::new();
        let mut last = [None; SERVERS as usize];
        while let Some((response, label)) = requests.receive_response(None, true).await.unwrap() {
            assert_eq!(response, Ok(label));
            assert!(seen.insert(label));
            // Those of one server in its order.
            let last = &mut last[(label / EACH) as usize];
            assert!(*last < Some(label));
            *last = Some(label);
        }
        assert_eq!(seen.len() as u32, SERVERS * EACH);
    });
}

#[derive(Clone, Debug)]
enum Step {
    Send,
    /// Of those that are open, this one, if there are so many.
    Answer(usize),
    Check {
        delete: bool,
    },
    Wait {
        delete: bool,
    },
    Receive {
        delete: bool,
    },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => Just(Step::Send),
        4 => (0..4_usize).prop_map(Step::Answer),
        2 => any::<bool>().prop_map(|delete| Step::Check { delete }),
        2 => any::<bool>().prop_map(|delete| Step::Wait { delete }),
        1 => any::<bool>().prop_map(|delete| Step::Receive { delete }),
    ];
    prop::collection::vec(step, 0..40)
}

/// What a collection is: entries in a row, and a line of answers.
#[derive(Default)]
struct Model {
    labels: Vec<usize>,
    open: Vec<usize>,
    line: Vec<usize>,
}

impl Model {
    fn take(&mut self, delete: bool) -> Option<usize> {
        let label = (!self.line.is_empty()).then(|| self.line.remove(0))?;
        self.labels.retain(|it| !delete || *it != label);
        Some(label)
    }
}

proptest! {
    #[test]
    fn a_collection_is_a_row_of_entries_and_a_line_of_answers(steps in steps()) {
        regrow_runtime::simulate(0, async move {
            let server = start().await;
            let mut requests = RequestIds::new();
            let mut model = Model::default();
            let mut sent = 0;
            for step in steps {
                match step {
                    Step::Send => {
                        requests.send_request(&server, Command::Keep, sent);
                        model.labels.push(sent);
                        model.open.push(sent);
                        sent += 1;
                    }
                    Step::Answer(which) if which < model.open.len() => {
                        let which = model.open.remove(which);
                        answer(&server, [which]).await;
                        model.line.push(which);
                    }
                    Step::Answer(_) => {}
                    Step::Check { delete } => {
                        let response = requests.check_response(delete);
                        let expected = model.take(delete).map(|n| (Ok(n as u32), n));
                        assert_eq!(response, expected);
                    }
                    Step::Wait { delete } | Step::Receive { delete } => {
                        let none = model.labels.is_empty();
                        let expected = match model.take(delete) {
                            Some(n) => Ok(Some((Ok(n as u32), n))),
                            None if none => Ok(None),
                            None => Err(Timeout),
                        };
                        let response = if matches!(step, Step::Wait { .. }) {
                            requests.wait_response(millis(1), delete).await
                        } else {
                            requests.receive_response(millis(1), delete).await
                        };
                        assert_eq!(response, expected);
                        if response.is_err() && matches!(step, Step::Receive { .. }) {
                            model.open.clear();
                        }
                    }
                }
                assert!(requests.labels().eq(&model.labels));
                assert_eq!(requests.len(), model.labels.len());
                assert_eq!(wanted(&server).await, model.open.len());
            }
        });
    }
}
