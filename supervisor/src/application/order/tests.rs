use super::*;

fn names(application: Application) -> Vec<String> {
    let order = in_order(application).into_iter();
    order.map(|single| single.name.to_string()).collect()
}

#[test]
fn what_is_needed_comes_before_and_in_the_order_given() {
    let application = Application::new("shop")
        .depends_on(Application::new("repo").depends_on(Application::new("disk")))
        .depends_on("elsewhere")
        .depends_on(Application::new("web"));
    assert_eq!(names(application), ["disk", "repo", "web", "shop"]);
}

#[test]
fn what_several_need_comes_once() {
    let disk = || Application::new("disk");
    let application = Application::new("shop")
        .depends_on(Application::new("repo").depends_on(disk()))
        .depends_on(Application::new("log").depends_on(disk()))
        .depends_on(disk());
    assert_eq!(names(application), ["disk", "repo", "log", "shop"]);
}

#[test]
fn each_knows_the_names_of_what_it_needs() {
    let application = Application::new("shop")
        .depends_on("elsewhere")
        .depends_on(Application::new("repo"));
    let order = in_order(application);
    assert_eq!(order[1].needs, ["elsewhere".into(), "repo".into()]);
    assert!(order[0].needs.is_empty());
}

#[test]
fn one_that_contains_its_own_name_waits_for_itself_and_is_refused_later() {
    let application = Application::new("shop").depends_on(Application::new("shop"));
    let order = in_order(application);
    assert_eq!(order.len(), 1);
    assert_eq!(order[0].needs, ["shop".into()]);
}

/// The model: a list built by hand, children before parents, the first of a name kept.
fn model(tree: &Node, order: &mut Vec<String>, seen: &mut Vec<String>) {
    let name = format!("a{}", tree.name);
    if seen.contains(&name) {
        return;
    }
    seen.push(name.clone());
    for child in &tree.children {
        model(child, order, seen);
    }
    order.push(name);
}

#[derive(Clone, Debug)]
struct Node {
    name: u8,
    children: Vec<Node>,
}

fn application(tree: &Node) -> Application {
    let application = Application::new(format!("a{}", tree.name));
    let children = tree.children.iter().map(self::application);
    children.fold(application, Application::depends_on)
}

proptest::proptest! {
    #[test]
    fn any_tree_is_put_in_the_order_of_the_model(tree in tree()) {
        let mut order = Vec::new();
        model(&tree, &mut order, &mut Vec::new());
        proptest::prop_assert_eq!(names(application(&tree)), order);
    }
}

fn tree() -> impl proptest::strategy::Strategy<Value = Node> {
    use proptest::prelude::*;
    let leaf = (0u8..6).prop_map(|name| Node {
        name,
        children: Vec::new(),
    });
    leaf.prop_recursive(4, 20, 4, |inner| {
        (0u8..6, prop::collection::vec(inner, 0..4))
            .prop_map(|(name, children)| Node { name, children })
    })
}
