//! Keys with one owner.

use super::*;

#[test]
fn a_registry_is_a_supervisor_of_that_name_with_a_process_for_each_partition() {
    run(|| async {
        let registry = ROOMS.start_link().partitions(3).await.unwrap();
        assert_eq!(regrow_runtime::whereis("rooms"), registry.pid());
        assert_eq!(counts(&registry).await, [3, 3, 0, 3]);
        let children = registry.which_children().await.unwrap();
        assert_eq!(&*children[0].id, "rooms.PIDPartition2");
        // For people: where it is from.
        for pid in [registry.pid(), children[0].state.pid()] {
            let info = process_info(pid.unwrap()).await.unwrap();
            assert!(info.spawned_at.file().ends_with("unique.rs"));
        }
    });
}

#[test]
fn a_registry_is_started_once() {
    run(|| async {
        let registry = ROOMS.start_link().meta("a", 1).await.unwrap();
        let pid = registry.pid().unwrap();
        let again = ROOMS.start_link().meta("a", 2).partitions(2).await;
        assert_eq!(again.unwrap_err(), StartError::AlreadyStarted(pid));
        // The other one has changed nothing.
        assert_eq!(ROOMS.meta("a"), Some(1));
        assert_eq!(counts(&registry).await, [1, 1, 0, 1]);
        // The name is that of a process, whatever the types of the registry.
        let other = Registry::<u8, (), Duplicate>::duplicate("rooms");
        let again = other.start_link().await.unwrap_err();
        assert_eq!(again, StartError::AlreadyStarted(pid));
        assert!(matches!(
            other.register(1, ()),
            Err(RegisterKeyError::NotRunning(_))
        ));
    });
}

#[test]
fn a_key_is_registered_by_the_calling_process() {
    run(|| async {
        ROOMS.start_link().await.unwrap();
        assert_eq!(ROOMS.lookup("lobby"), None);
        ROOMS.register("lobby", 7).unwrap();
        assert_eq!(ROOMS.lookup("lobby"), Some((self_pid(), 7)));
        assert_eq!(ROOMS.whereis("lobby"), Some(self_pid()));
        assert_eq!(ROOMS.values("lobby", self_pid()), [7]);
        assert_eq!(
            (ROOMS.lookup("attic"), ROOMS.whereis("attic")),
            (None, None)
        );
        assert_eq!(ROOMS.count(), 1);
    });
}

#[test]
fn a_key_that_is_taken_is_refused_with_the_pid_of_its_owner() {
    run(|| async {
        ROOMS.start_link().await.unwrap();
        let other = owner();
        register(other, "lobby", 1).await.unwrap();
        let taken = RegisterKeyError::AlreadyRegistered(other);
        assert_eq!(ROOMS.register("lobby", 2), Err(taken.clone()));
        assert_eq!(
            register(other, "lobby", 2).await,
            Err(taken),
            "its own as well"
        );
        assert_eq!(ROOMS.lookup("lobby"), Some((other, 1)));
        assert_eq!(ROOMS.keys(self_pid()), [""; 0]);
    });
}

#[test]
fn a_process_may_have_many_keys_in_their_order() {
    run(|| async {
        const MANY: Registry<u32> = Registry::unique("many");
        MANY.start_link().partitions(2).await.unwrap();
        for key in 0..100 {
            MANY.register(key, ()).unwrap();
        }
        assert_eq!(MANY.keys(self_pid()), (0..100).collect::<Vec<_>>());
        for key in (0..100).step_by(2) {
            MANY.unregister(&key);
        }
        assert_eq!(
            MANY.keys(self_pid()),
            (1..100).step_by(2).collect::<Vec<_>>()
        );
        assert_eq!(MANY.count(), 50);
    });
}

#[test]
fn only_the_own_key_is_unregistered_and_nothing_to_unregister_is_no_error() {
    run(|| async {
        ROOMS.start_link().await.unwrap();
        let other = owner();
        register(other, "lobby", 1).await.unwrap();
        ROOMS.unregister("lobby");
        ROOMS.unregister("attic");
        assert_eq!(ROOMS.whereis("lobby"), Some(other));
        send(other, Order::Unregister("lobby"));
        receive::<Unregistered>().await;
        assert_eq!(ROOMS.lookup("lobby"), None);
        ROOMS.register("lobby", 2).unwrap();
        assert_eq!(ROOMS.lookup("lobby"), Some((self_pid(), 2)));
    });
}

#[test]
fn a_value_is_updated_by_its_owner_only() {
    run(|| async {
        ROOMS.start_link().await.unwrap();
        let other = owner();
        ROOMS.register("lobby", 1).unwrap();
        assert_eq!(ROOMS.update_value("lobby", |value| value + 1), Ok((2, 1)));
        assert_eq!(ROOMS.lookup("lobby"), Some((self_pid(), 2)));
        send(other, Order::Update("lobby"));
        assert!(!receive::<Updated>().await.0);
        send(other, Order::Update("attic"));
        assert!(!receive::<Updated>().await.0);
        assert_eq!(ROOMS.lookup("lobby"), Some((self_pid(), 2)));
    });
}

#[test]
fn a_value_that_is_unregistered_while_it_is_updated_stays_away() {
    run(|| async {
        ROOMS.start_link().await.unwrap();
        ROOMS.register("lobby", 1).unwrap();
        let updated = ROOMS.update_value("lobby", |value| {
            ROOMS.unregister("lobby");
            value + 1
        });
        assert!(updated.is_err());
        assert_eq!(ROOMS.lookup("lobby"), None);
        // What has come in its place is another one.
        ROOMS.register("lobby", 1).unwrap();
        let updated = ROOMS.update_value("lobby", |value| {
            ROOMS.unregister("lobby");
            ROOMS.register("lobby", 9).unwrap();
            value + 1
        });
        assert!(updated.is_err());
        assert_eq!(ROOMS.lookup("lobby"), Some((self_pid(), 9)));
    });
}

#[test]
fn a_message_to_a_key_reaches_its_owner_and_to_a_missing_key_it_comes_back() {
    run(|| async {
        ROOMS.start_link().await.unwrap();
        ROOMS.register("lobby", 1).unwrap();
        ROOMS.send("lobby", "hello").unwrap();
        assert_eq!(receive::<&str>().await, "hello");
        let error = ROOMS.send("attic", "hello").unwrap_err();
        assert_eq!(error.to_string(), "no process is registered under this key");
        assert_eq!(error.into_inner(), "hello");
    });
}

#[test]
fn keys_are_looked_up_by_what_they_borrow_as() {
    run(|| async {
        let names: Registry<String> = Registry::from_string("names".into());
        names.start_link().await.unwrap();
        names.register("lobby".into(), ()).unwrap();
        assert_eq!(names.whereis("lobby"), Some(self_pid()));
        names.unregister("lobby");
        assert_eq!(names.whereis("lobby"), None);
    });
}
