//! Keys with many entries.

use super::*;

#[test]
fn a_key_may_have_many_entries_also_of_one_process_in_their_order() {
    run(|| async {
        TOPICS.start_link().partitions(2).await.unwrap();
        TOPICS.register("news", 1).unwrap();
        let other = subscriber("news", 2).await;
        TOPICS.register("news", 3).unwrap();
        TOPICS.register("news", 3).unwrap();
        let me = self_pid();
        assert_eq!(
            TOPICS.lookup("news"),
            [(me, 1), (other, 2), (me, 3), (me, 3)]
        );
        assert_eq!(TOPICS.values("news", me), [1, 3, 3]);
        assert_eq!(TOPICS.values("news", other), [2]);
        assert_eq!(TOPICS.lookup("weather"), []);
        assert_eq!(TOPICS.count(), 4);
    });
}

#[test]
fn the_keys_of_a_process_are_repeated_for_each_entry() {
    run(|| async {
        TOPICS.start_link().await.unwrap();
        for key in ["news", "weather", "news"] {
            TOPICS.register(key, 0).unwrap();
        }
        assert_eq!(TOPICS.keys(self_pid()), ["news", "weather", "news"]);
    });
}

#[test]
fn unregistering_takes_all_entries_of_the_caller_under_the_key_and_no_others() {
    run(|| async {
        TOPICS.start_link().await.unwrap();
        let other = subscriber("news", 1).await;
        for (key, value) in [("news", 2), ("weather", 3), ("news", 4)] {
            TOPICS.register(key, value).unwrap();
        }
        TOPICS.unregister("news");
        assert_eq!(TOPICS.lookup("news"), [(other, 1)]);
        assert_eq!(TOPICS.keys(self_pid()), ["weather"]);
    });
}

#[test]
fn dispatch_calls_its_function_with_all_entries_and_not_at_all_without() {
    run(|| async {
        TOPICS.start_link().await.unwrap();
        TOPICS.dispatch("news", |_| panic!("nobody is there"));
        let other = subscriber("news", 1).await;
        TOPICS.register("news", 2).unwrap();
        let mut seen = Vec::new();
        TOPICS.dispatch("news", |entries| seen.extend_from_slice(entries));
        assert_eq!(seen, [(other, 1), (self_pid(), 2)]);
    });
}

#[test]
fn a_function_that_panics_in_dispatch_ends_its_caller_and_nothing_else() {
    run(|| async {
        let registry = TOPICS.start_link().await.unwrap();
        TOPICS.register("news", 1).unwrap();
        let caller = spawn_trapping(async { TOPICS.dispatch("news", |_| panic!("dispatched")) });
        assert!(exited(caller).await.to_string().ends_with("dispatched"));
        assert_eq!(TOPICS.count(), 1);
        assert_eq!(counts(&registry).await, [1, 1, 0, 1]);
    });
}

#[test]
fn a_function_may_use_the_registry_that_calls_it() {
    run(|| async {
        TOPICS.start_link().await.unwrap();
        TOPICS.register("news", 1).unwrap();
        TOPICS.dispatch("news", |_| TOPICS.register("news", 2).unwrap());
        TOPICS.unregister_match("news", |value| {
            TOPICS.register("weather", *value).unwrap();
            *value == 1
        });
        assert_eq!(TOPICS.values("weather", self_pid()), [1, 2]);
        assert_eq!(TOPICS.values("news", self_pid()), [2]);
        TOPICS.select(|key, _, _| {
            TOPICS.unregister(key);
            Some(())
        });
        assert_eq!(TOPICS.count(), 0);
    });
}
