//! Those who are told of registrations.

use regrow_runtime::register as register_name;
use regrow_supervisor::RegistryEvent;

use super::*;

/// The next event, shortly.
async fn heard() -> (&'static str, &'static str, Pid, Option<u32>) {
    match receive::<RegistryEvent<&'static str, u32>>().await {
        RegistryEvent::Register {
            registry,
            key,
            pid,
            value,
            ..
        } => {
            assert!(["rooms", "topics"].contains(&&*registry));
            ("register", key, pid, Some(value))
        }
        RegistryEvent::Unregister { key, pid, .. } => ("unregister", key, pid, None),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_listener_hears_who_registers_and_unregisters() {
    run(|| async {
        register_name("ear", self_pid()).unwrap();
        ROOMS.start_link().listener("ear").await.unwrap();
        let owner = owner();
        register(owner, "lobby", 1).await.unwrap();
        assert_eq!(heard().await, ("register", "lobby", owner, Some(1)));
        send(owner, Order::Unregister("lobby"));
        assert_eq!(heard().await, ("unregister", "lobby", owner, None));
    });
}

#[test]
fn a_listener_hears_nothing_of_what_did_not_happen() {
    run(|| async {
        register_name("ear", self_pid()).unwrap();
        ROOMS.start_link().listener("ear").await.unwrap();
        let (one, other) = (owner(), owner());
        register(one, "lobby", 1).await.unwrap();
        heard().await;
        register(other, "lobby", 1).await.unwrap_err();
        send(other, Order::Unregister("lobby"));
        receive::<Unregistered>().await;
        assert_none::<RegistryEvent<&str, u32>>().await;
    });
}

#[test]
fn a_listener_hears_nothing_when_an_owner_ends() {
    run(|| async {
        register_name("ear", self_pid()).unwrap();
        ROOMS.start_link().listener("ear").await.unwrap();
        let one = owner();
        register(one, "lobby", 1).await.unwrap();
        heard().await;
        kill(one).await;
        count_becomes(|| ROOMS.count(), 0).await;
        assert_none::<RegistryEvent<&str, u32>>().await;
    });
}

#[test]
fn a_listener_hears_of_a_key_when_its_last_entry_is_unregistered() {
    run(|| async {
        register_name("ear", self_pid()).unwrap();
        TOPICS.start_link().listener("ear").await.unwrap();
        for value in [1, 2, 3] {
            TOPICS.register("news", value).unwrap();
            assert_eq!(heard().await, ("register", "news", self_pid(), Some(value)));
        }
        TOPICS.unregister_match("news", |value| *value == 2);
        assert_none::<RegistryEvent<&str, u32>>().await;
        TOPICS.unregister_match("news", |_| true);
        assert_eq!(heard().await, ("unregister", "news", self_pid(), None));
    });
}

#[test]
fn all_listeners_that_are_there_are_told() {
    run(|| async {
        // A name without a process is no obstacle, and whoever has it later is told.
        let start = ROOMS.start_link().listener("nobody").listener("ear");
        start.await.unwrap();
        ROOMS.register("cellar", 0).unwrap();
        register_name("ear", self_pid()).unwrap();
        ROOMS.register("lobby", 1).unwrap();
        assert_eq!(heard().await, ("register", "lobby", self_pid(), Some(1)));
    });
}
