use super::*;
use proptest::prelude::*;

fn due(mode: AutoShutdown, significant: bool, others_active: bool) -> bool {
    is_due(mode, significant, || others_active)
}

#[test]
fn never_is_never_due() {
    assert!(!due(AutoShutdown::Never, true, false));
}

#[test]
fn any_significant_is_due_at_the_first() {
    assert!(due(AutoShutdown::AnySignificant, true, true));
}

#[test]
fn all_significant_is_due_at_the_last() {
    assert!(!due(AutoShutdown::AllSignificant, true, true));
    assert!(due(AutoShutdown::AllSignificant, true, false));
}

proptest! {
    /// Children end one after the other; the model counts the significant ones still there.
    #[test]
    fn children_ending_one_by_one(significant in prop::collection::vec(any::<bool>(), 1..8)) {
        for mode in [AutoShutdown::Never, AutoShutdown::AnySignificant, AutoShutdown::AllSignificant] {
            let mut due_at = None;
            for (index, &is_significant) in significant.iter().enumerate() {
                let others = significant[index + 1..].contains(&true);
                if due(mode, is_significant, others) {
                    due_at = Some(index);
                    break;
                }
            }
            let expected = match mode {
                AutoShutdown::Never => None,
                AutoShutdown::AnySignificant => significant.iter().position(|&s| s),
                AutoShutdown::AllSignificant => significant.iter().rposition(|&s| s),
            };
            prop_assert_eq!(due_at, expected);
        }
    }
}
