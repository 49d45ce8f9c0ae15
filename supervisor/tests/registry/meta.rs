//! Values of the registry as a whole.

use super::*;

#[test]
fn a_value_is_found_by_its_key_and_type() {
    run(|| async {
        ROOMS.start_link().meta("first", 1_u8).await.unwrap();
        assert_eq!(ROOMS.meta("first"), Some(1_u8));
        assert_eq!(ROOMS.meta::<u16>("first"), None);
        assert_eq!(ROOMS.meta::<u8>("second"), None);
        ROOMS.put_meta("second", "two".to_owned()).unwrap();
        ROOMS.put_meta("first", 3_u8).unwrap();
        assert_eq!(ROOMS.meta("second"), Some("two".to_owned()));
        assert_eq!(ROOMS.meta("first"), Some(3_u8));
        ROOMS.delete_meta("second");
        ROOMS.delete_meta("third");
        assert_eq!(ROOMS.meta::<String>("second"), None);
    });
}

#[test]
fn values_stay_when_a_partition_fails_and_go_with_the_registry() {
    run(|| async {
        let start = || ROOMS.start_link().meta("given", 1_u8);
        let registry = start().await.unwrap();
        ROOMS.put_meta("given", 2_u8).unwrap();
        kill(partitions(&registry).await[0]).await;
        counts_become(&registry, [1, 1, 0, 1]).await;
        assert_eq!(ROOMS.meta("given"), Some(2_u8));
        let rooms = ROOMS.on(&regrow_runtime::Handle::current());
        registry.stop(ExitReason::Normal, None).await.unwrap();
        assert_eq!(rooms.meta::<u8>("given"), None);
        assert!(rooms.put_meta("given", 3_u8).is_err());
        start().await.unwrap();
        assert_eq!(rooms.meta("given"), Some(1_u8));
    });
}
