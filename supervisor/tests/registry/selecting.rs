//! Looking at many entries.

use super::*;

async fn three() -> Pid {
    TOPICS.start_link().await.unwrap();
    TOPICS.register("news", 1).unwrap();
    TOPICS.register("weather", 2).unwrap();
    subscriber("news", 3).await
}

#[test]
fn matching_gives_the_entries_of_a_key_whose_value_fits() {
    run(|| async {
        let other = three().await;
        assert_eq!(TOPICS.matching("news", |value| *value > 1), [(other, 3)]);
        assert_eq!(
            TOPICS.matching("news", |_| true),
            [(self_pid(), 1), (other, 3)]
        );
        assert_eq!(TOPICS.matching("nothing", |_| true), []);
        assert_eq!(TOPICS.count_match("news", |value| *value < 9), 2);
        assert_eq!(TOPICS.count_match("news", |value| *value > 9), 0);
    });
}

#[test]
fn select_gives_what_is_made_of_each_entry() {
    run(|| async {
        let other = three().await;
        let mut all = TOPICS.select(|key, pid, value| Some((*value, pid, *key)));
        all.sort_unstable();
        let me = self_pid();
        assert_eq!(
            all,
            [(1, me, "news"), (2, me, "weather"), (3, other, "news")]
        );
        let of_other = TOPICS.select(|_, pid, value| (pid == other).then_some(*value));
        assert_eq!(of_other, [3]);
        assert_eq!(TOPICS.count_select(|key, _, _| *key == "news"), 2);
        assert_eq!(TOPICS.count(), 3);
    });
}

#[test]
fn unregister_match_takes_the_own_entries_whose_value_fits() {
    run(|| async {
        let other = three().await;
        TOPICS.register("news", 4).unwrap();
        TOPICS.unregister_match("news", |value| *value > 2);
        assert_eq!(TOPICS.lookup("news"), [(self_pid(), 1), (other, 3)]);
        assert_eq!(TOPICS.keys(self_pid()), ["news", "weather"]);
        TOPICS.unregister_match("news", |value| *value > 9);
        TOPICS.unregister_match("news", |_| true);
        assert_eq!(TOPICS.lookup("news"), [(other, 3)]);
        assert_eq!(TOPICS.keys(self_pid()), ["weather"]);
    });
}
