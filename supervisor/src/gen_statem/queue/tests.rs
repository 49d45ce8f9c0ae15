//! The queue against a model that says the same more slowly: one list of everything that is known.

use proptest::prelude::{Just, ProptestConfig, any, prop, prop_oneof, proptest};
use proptest::strategy::Strategy;

use super::*;

const LONG: Duration = Duration::from_secs(60);

/// Timers that are numbers and never fire by themselves.
#[derive(Debug, Default)]
struct Numbers {
    made: u32,
    running: Vec<u32>,
}

impl Clock for Numbers {
    type Timer = u32;

    fn start(&mut self, _: Duration) -> u32 {
        self.made += 1;
        self.running.push(self.made);
        self.made
    }

    fn start_at(&mut self, at: Duration) -> u32 {
        self.start(at)
    }

    fn cancel(&mut self, timer: u32) {
        let at = self.running.iter().position(|&running| running == timer);
        self.running.remove(at.expect("a timer that runs"));
    }
}

type Subject = Queue<u32, u8, Numbers>;

/// What one callback asks for, and what it does to the state.
#[derive(Clone, Debug)]
struct Wish {
    changed: bool,
    postpone: bool,
    next_events: Vec<u32>,
    timeouts: Vec<(Which<u8>, Setting<u32>)>,
}

#[derive(Clone, Debug)]
enum Step {
    /// The next of what is known, or else a message.
    Handle(Wish),
    /// A timer that runs, by its place among them.
    Fire(usize, Wish),
}

/// An event by what it shows.
type Shown = (Option<Which<u8>>, u32);

fn show(event: &Event<u32, u8>) -> Shown {
    match event {
        Event::Message(content) | Event::Internal(content) => (None, *content),
        Event::EventTimeout(content) => (Some(Which::Event), *content),
        Event::StateTimeout(content) => (Some(Which::State), *content),
        Event::Timeout(name, content) => (Some(Which::Named(*name)), *content),
        Event::Info(_) => unreachable!("nobody makes one"),
    }
}

/// Where an entry of the model's list is.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Place {
    Postponed,
    Known,
    /// A timeout of no time.
    Due,
    Running(u32),
}

/// Everything, in one list; what comes first in a place is the oldest there.
#[derive(Debug, Default)]
struct Model {
    entries: Vec<(Place, Shown)>,
    timers: u32,
}

impl Model {
    fn all(&self, wanted: impl Fn(Place) -> bool) -> Vec<(Place, Shown)> {
        let entries = self.entries.iter().filter(|(place, _)| wanted(*place));
        entries.cloned().collect()
    }

    fn take(&mut self, wanted: impl Fn(Place) -> bool) -> Option<Shown> {
        let at = self.entries.iter().position(|(place, _)| wanted(*place))?;
        Some(self.entries.remove(at).1)
    }

    fn pop(&mut self) -> Option<Shown> {
        self.take(|place| place == Place::Known)
            .or_else(|| self.take(|place| place == Place::Due))
    }

    fn forget(&mut self, which: &Which<u8>) {
        let timeout = |place| matches!(place, Place::Due | Place::Running(_));
        self.entries
            .retain(|(place, shown)| !timeout(*place) || shown.0.as_ref() != Some(which));
    }

    fn advance(&mut self, event: Shown, wish: &Wish) {
        self.forget(&Which::Event);
        if wish.postpone {
            self.entries.push((Place::Postponed, event));
        }
        let mut first: Vec<(Place, Shown)> = Vec::new();
        for content in &wish.next_events {
            first.push((Place::Known, (None, *content)));
        }
        if wish.changed {
            self.forget(&Which::State);
            for (_, shown) in self.all(|place| place == Place::Postponed) {
                first.push((Place::Known, shown));
            }
            self.entries.retain(|(place, _)| *place != Place::Postponed);
        }
        self.entries.splice(0..0, first);
        for (at, (which, setting)) in wish.timeouts.iter().enumerate() {
            if wish.timeouts[at + 1..]
                .iter()
                .all(|(later, _)| later != which)
            {
                self.set(which, setting);
            }
        }
    }

    fn set(&mut self, which: &Which<u8>, setting: &Setting<u32>) {
        let timeout = |place| matches!(place, Place::Due | Place::Running(_));
        let mut entries = self.entries.iter_mut();
        let present =
            entries.find(|(place, shown)| timeout(*place) && shown.0.as_ref() == Some(which));
        match (setting, present) {
            (Setting::Update(content), Some((_, shown))) => shown.1 = *content,
            (Setting::Cancel, _) => self.forget(which),
            (Setting::Update(content) | Setting::After(Duration::ZERO, content), _) => {
                self.forget(which);
                let shown = (Some(which.clone()), *content);
                self.entries.push((Place::Due, shown));
            }
            (Setting::After(_, content) | Setting::At(_, content), _) => {
                self.forget(which);
                self.timers += 1;
                let shown = (Some(which.clone()), *content);
                self.entries.push((Place::Running(self.timers), shown));
            }
        }
    }

    fn running(&self) -> Vec<u32> {
        let timers = self.entries.iter().filter_map(|(place, _)| match place {
            Place::Running(timer) => Some(*timer),
            _ => None,
        });
        timers.collect()
    }
}

fn compare(steps: Vec<Step>) {
    let mut queue = Subject::new(Numbers::default());
    let mut model = Model::default();
    for (number, step) in (1_000..).zip(steps) {
        let (event, wish) = match step {
            Step::Handle(wish) => {
                let event = queue.pop();
                assert_eq!(event.as_ref().map(show), model.pop());
                (event.unwrap_or(Event::Message(number)), wish)
            }
            Step::Fire(at, wish) => {
                let running = model.running();
                let Some(&timer) = running.get(at % running.len().max(1)) else {
                    continue;
                };
                // Those who receive have nothing left to do.
                while let Some(shown) = model.pop() {
                    assert_eq!(queue.pop().as_ref().map(show), Some(shown));
                }
                let event = queue.fired(timer).expect("a timer that runs");
                queue.clock.running.retain(|&running| running != timer);
                assert!(queue.fired(timer).is_none());
                assert_eq!(
                    Some(show(&event)),
                    model.take(|it| it == Place::Running(timer))
                );
                (event, wish)
            }
        };
        model.advance(show(&event), &wish);
        let mut actions = Actions::default();
        for content in &wish.next_events {
            actions.next_events.push(Event::Internal(*content));
        }
        if wish.postpone {
            actions.postponed.push(event);
        }
        actions.timeouts.clone_from(&wish.timeouts);
        queue.advance(wish.changed, &mut actions);
        assert!(actions.next_events.is_empty() && actions.postponed.is_empty());
        assert_eq!(queue.clock.running, model.running());
    }
    while let Some(shown) = model.pop() {
        assert_eq!(queue.pop().as_ref().map(show), Some(shown));
    }
    assert!(queue.pop().is_none());
    assert_eq!(
        queue.postponed.len(),
        model.entries.len() - model.running().len()
    );
}

fn timeout() -> impl Strategy<Value = (Which<u8>, Setting<u32>)> {
    let which = prop_oneof![
        Just(Which::Event),
        Just(Which::State),
        (0..3_u8).prop_map(Which::Named),
    ];
    let setting = prop_oneof![
        any::<u32>().prop_map(|content| Setting::After(Duration::ZERO, content)),
        any::<u32>().prop_map(|content| Setting::After(LONG, content)),
        any::<u32>().prop_map(|content| Setting::At(Duration::ZERO, content)),
        any::<u32>().prop_map(Setting::Update),
        Just(Setting::Cancel),
    ];
    (which, setting)
}

fn wish() -> impl Strategy<Value = Wish> {
    let next_events = prop::collection::vec(any::<u32>(), 0..3);
    let timeouts = prop::collection::vec(timeout(), 0..4);
    let parts = (any::<bool>(), any::<bool>(), next_events, timeouts);
    parts.prop_map(|(changed, postpone, next_events, timeouts)| Wish {
        changed,
        postpone,
        next_events,
        timeouts,
    })
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => wish().prop_map(Step::Handle),
        1 => (0..4_usize, wish()).prop_map(|(at, wish)| Step::Fire(at, wish)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_queue_does_what_its_model_does(steps in prop::collection::vec(step(), 1..30)) {
        compare(steps);
    }
}

#[test]
fn what_fires_after_it_was_cancelled_is_nothing() {
    let mut queue = Subject::new(Numbers::default());
    let mut actions = Actions::default();
    actions
        .timeouts
        .push((Which::Named(1), Setting::After(LONG, 7)));
    queue.advance(false, &mut actions);
    actions
        .timeouts
        .push((Which::Named(1), Setting::After(LONG, 8)));
    queue.advance(false, &mut actions);
    assert!(queue.fired(1).is_none());
    assert_eq!(
        queue.fired(2).as_ref().map(show),
        Some((Some(Which::Named(1)), 8))
    );
}
