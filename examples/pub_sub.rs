//! Publish and subscribe: whoever publishes does not know who listens, and a listener that crashes is gone
//! from its topics by itself, and back when it has been started again.
//!
//! ```sh
//! cargo run --example pub_sub
//! ```
//!
//! The topics are a registry with duplicate keys: a subscription is an entry of the subscriber's own, with
//! what the subscriber wants to say about it beside it (here the least importance). `dispatch` runs in the
//! publisher, so no process is asked and none is in the way. In Elixir: `Registry` with
//! `keys: :duplicate`, which Phoenix.PubSub is made of; in OTP a `pg` group for each topic.

use regrow::{
    ChildSpec, Context, Duplicate, ExitReason, GenServer, Info, Next, Registry, ReplyTo, Runtime,
    ServerRef, Strategy, Supervisor, SupervisorRef, monitor, receive_down, send,
};

const TOPICS: Registry<&str, Importance, Duplicate> = Registry::duplicate("topics");

type Importance = u8;

/// What is published. A type of its own: subscribers take it beside their own messages.
struct News(Importance, &'static str);

/// Tells all who listen, and says how many that were.
fn publish(topic: &'static str, importance: Importance, text: &'static str) -> usize {
    let mut told = 0;
    TOPICS.dispatch(topic, |subscribers| {
        for (pid, least) in subscribers {
            if importance >= *least {
                send(*pid, News(importance, text));
                told += 1;
            }
        }
    });
    println!("{topic}: {text:?} to {told}");
    told
}

struct Reader {
    name: &'static str,
    read: Vec<&'static str>,
}

struct Read(ReplyTo<Vec<&'static str>>);

type Subscriptions = &'static [(&'static str, Importance)];

impl GenServer for Reader {
    type Args = (&'static str, Subscriptions);
    type Message = Read;

    /// Subscribes each time it is started: nobody has to remember what it had.
    async fn init((name, topics): Self::Args, _: &mut Context<Self>) -> Result<Self, ExitReason> {
        for (topic, least) in topics {
            TOPICS.register(*topic, *least)?;
        }
        Ok(Reader {
            name,
            read: Vec::new(),
        })
    }

    async fn handle(&mut self, Read(reply): Read, _: &mut Context<Self>) -> Next {
        reply.send(self.read.clone());
        Next::Continue
    }

    /// News are no messages of the reader's own type, so they come here.
    async fn handle_info(&mut self, info: Info, _: &mut Context<Self>) -> Next {
        if let Info::Message(message) = info
            && let Ok(News(importance, text)) = message.downcast()
        {
            println!("  {} reads {text:?} ({importance})", self.name);
            assert!(text != "locusts", "that is too much for {}", self.name);
            self.read.push(text);
        }
        Next::Continue
    }
}

fn reader(name: &'static str, topics: Subscriptions) -> ChildSpec {
    ChildSpec::new(name, move || Reader::start_link((name, topics)).name(name))
}

fn main() -> std::io::Result<()> {
    Runtime::new()?.block_on(async {
        let readers = || {
            Supervisor::new(Strategy::OneForOne)
                .name("readers")
                .child(reader("ann", &[("garden", 0), ("weather", 3)]))
                .child(reader("bob", &[("garden", 0)]))
                .start_link()
        };
        // rest_for_one: without the registry nobody is subscribed, so the readers come after it.
        Supervisor::new(Strategy::RestForOne)
            .child(TOPICS.child_spec())
            .child(ChildSpec::supervisor("readers", readers))
            .start_link()
            .await
            .expect("the tree starts");
        let (ann, bob) = (ServerRef::named("ann"), ServerRef::named("bob"));

        assert_eq!(publish("garden", 1, "roses"), 2);
        assert_eq!(
            publish("weather", 1, "clouds"),
            0,
            "of no importance to Ann"
        );
        assert_eq!(publish("weather", 3, "storm"), 1);
        assert_eq!(publish("kitchen", 9, "fire"), 0, "nobody listens");
        // What was sent before a call, by the same process, is handled before it.
        assert_eq!(ann.call(Read).await, Ok(vec!["roses", "storm"]));
        assert_eq!(bob.call(Read).await, Ok(vec!["roses"]));

        let end = monitor(ann.pid().expect("she runs"));
        publish("weather", 9, "locusts");
        println!("ann: {}", receive_down(end).await.reason);
        // Answered when the supervisor has started her again.
        let readers = SupervisorRef::named("readers").count_children().await;
        assert_eq!(readers.map(|count| count.active), Ok(2));

        publish("garden", 2, "rain");
        assert_eq!(
            ann.call(Read).await,
            Ok(vec!["rain"]),
            "subscribed again, and once"
        );
        assert_eq!(
            bob.call(Read).await,
            Ok(vec!["roses", "rain"]),
            "has noticed nothing"
        );
    });
    Ok(())
}
