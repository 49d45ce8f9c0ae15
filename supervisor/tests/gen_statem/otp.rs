//! The order of everything, against gen_statem itself: random programs, run by both.

use std::fmt::Write as _;
use std::process::Command;

use proptest::prelude::{Just, any, prop, prop_oneof};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;

use super::*;

const PROGRAMS: usize = 400;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Which {
    Event,
    State,
    Named(u8),
}

#[derive(Clone, Copy, Debug)]
enum Action {
    Postpone,
    NextMessage(u32),
    NextInternal(u32),
    NextTimeout(Which, u32),
    /// With no time, or with more than any program runs.
    Set(Which, bool, u32),
    Update(Which, u32),
    Cancel(Which),
}

#[derive(Clone, Copy, Debug)]
enum Go {
    Keep,
    Repeat,
    Next(u8),
}

#[derive(Clone, Debug)]
struct Program {
    /// Whether OTP's machine has enter calls; without them nothing is written about them.
    enter: bool,
    messages: u32,
    init: Vec<Action>,
    steps: Vec<(Go, Vec<Action>)>,
    enters: Vec<Vec<Action>>,
}

fn which() -> impl Strategy<Value = Which> {
    prop_oneof![Just(Which::State), (0..3_u8).prop_map(Which::Named)]
}

/// What may be asked for in `enter`.
fn timeout() -> impl Strategy<Value = Action> {
    let any_which = prop_oneof![3 => which(), 1 => Just(Which::Event)];
    prop_oneof![
        4 => (any_which, any::<bool>(), 100..200_u32)
            .prop_map(|(which, zero, n)| Action::Set(which, zero, n)),
        1 => (which(), 200..300_u32).prop_map(|(which, n)| Action::Update(which, n)),
        1 => which().prop_map(Action::Cancel),
    ]
}

/// What may be asked for in `init` as well.
fn action() -> impl Strategy<Value = Action> {
    let any_which = prop_oneof![which(), Just(Which::Event)];
    prop_oneof![
        4 => timeout(),
        1 => (300..400_u32).prop_map(Action::NextMessage),
        2 => (400..500_u32).prop_map(Action::NextInternal),
        1 => (any_which, 500..600_u32).prop_map(|(which, n)| Action::NextTimeout(which, n)),
    ]
}

fn actions() -> impl Strategy<Value = Vec<Action>> {
    (prop::collection::vec(action(), 0..4), any::<bool>()).prop_map(|(mut actions, postpone)| {
        if postpone {
            actions.push(Action::Postpone);
        }
        actions
    })
}

fn program() -> impl Strategy<Value = Program> {
    let go = prop_oneof![
        3 => Just(Go::Keep),
        1 => Just(Go::Repeat),
        3 => (0..3_u8).prop_map(Go::Next),
    ];
    let parts = (
        any::<bool>(),
        1..6_u32,
        prop::collection::vec(action(), 0..4),
        prop::collection::vec((go, actions()), 0..20),
        prop::collection::vec(prop::collection::vec(timeout(), 0..3), 0..6),
    );
    parts.prop_map(|(enter, messages, init, steps, enters)| Program {
        enter,
        messages,
        init,
        steps,
        enters: if enter { enters } else { Vec::new() },
    })
}

/// As an Erlang term.
fn terms(actions: &[Action]) -> String {
    let which = |which: &Which| match which {
        Which::Event => "timeout".to_owned(),
        Which::State => "state_timeout".to_owned(),
        Which::Named(name) => format!("{{timeout,{name}}}"),
    };
    let term = |action: &Action| match action {
        Action::Postpone => "postpone".to_owned(),
        Action::NextMessage(n) => format!("{{next_event,cast,{n}}}"),
        Action::NextInternal(n) => format!("{{next_event,internal,{n}}}"),
        Action::NextTimeout(it, n) => format!("{{next_event,{},{n}}}", which(it)),
        Action::Set(it, true, n) => format!("{{{},0,{n}}}", which(it)),
        Action::Set(it, false, n) => format!("{{{},3600000,{n}}}", which(it)),
        Action::Update(it, n) => format!("{{{},update,{n}}}", which(it)),
        Action::Cancel(it) => format!("{{{},cancel}}", which(it)),
    };
    let terms: Vec<String> = actions.iter().map(term).collect();
    format!("[{}]", terms.join(","))
}

impl Program {
    fn term(&self) -> String {
        let go = |go: Go| match go {
            Go::Keep => "keep".to_owned(),
            Go::Repeat => "repeat".to_owned(),
            Go::Next(state) => state.to_string(),
        };
        let step =
            |(to, actions): &(Go, Vec<Action>)| format!("{{{},{}}}", go(*to), terms(actions));
        let steps: Vec<String> = self.steps.iter().map(step).collect();
        let enters: Vec<String> = self.enters.iter().map(|actions| terms(actions)).collect();
        format!(
            "{{{},{},{},[{}],[{}]}}.",
            self.enter,
            self.messages,
            terms(&self.init),
            steps.join(","),
            enters.join(","),
        )
    }
}

/// The same machine here.
struct Scripted {
    test: Pid,
    enter: bool,
    trace: String,
    steps: std::vec::IntoIter<(Go, Vec<Action>)>,
    enters: std::vec::IntoIter<Vec<Action>>,
}

enum Told {
    Content(u32),
    Stop,
}

struct Trace(String);

impl Scripted {
    fn saw(&mut self, what: std::fmt::Arguments<'_>) {
        let separator = if self.trace.is_empty() { "" } else { " " };
        write!(self.trace, "{separator}{what}").unwrap();
    }
}

fn ask(cx: &mut Context<Scripted>, actions: Vec<Action>, mut event: Option<Event<Told, u8>>) {
    let hour = secs(3600);
    let time = |zero| if zero { Duration::ZERO } else { hour };
    for action in actions {
        match action {
            Action::Postpone => cx.postpone(event.take().unwrap()),
            Action::NextMessage(n) => cx.next_event(Event::Message(Told::Content(n))),
            Action::NextInternal(n) => cx.next_event(Event::Internal(Told::Content(n))),
            Action::NextTimeout(which, n) => cx.next_event(match which {
                Which::Event => Event::EventTimeout(Told::Content(n)),
                Which::State => Event::StateTimeout(Told::Content(n)),
                Which::Named(name) => Event::Timeout(name, Told::Content(n)),
            }),
            Action::Set(Which::Event, zero, n) => cx.event_timeout(time(zero), Told::Content(n)),
            Action::Set(Which::State, zero, n) => cx.state_timeout(time(zero), Told::Content(n)),
            Action::Set(Which::Named(name), zero, n) => {
                cx.timeout(name, time(zero), Told::Content(n));
            }
            Action::Update(Which::State, n) => cx.update_state_timeout(Told::Content(n)),
            Action::Update(Which::Named(name), n) => cx.update_timeout(name, Told::Content(n)),
            Action::Cancel(Which::State) => cx.cancel_state_timeout(),
            Action::Cancel(Which::Named(name)) => cx.cancel_timeout(name),
            Action::Update(Which::Event, _) | Action::Cancel(Which::Event) => unreachable!(),
        }
    }
}

impl StateMachine for Scripted {
    type Args = (Pid, Program);
    type State = u8;
    type Message = Told;
    type Timer = u8;

    async fn init(
        (test, program): Self::Args,
        cx: &mut Context<Self>,
    ) -> Result<(u8, Self), ExitReason> {
        for n in 1..=program.messages {
            cx.server_ref().cast(Told::Content(n));
        }
        cx.server_ref().cast(Told::Stop);
        ask(cx, program.init, None);
        let machine = Scripted {
            test,
            enter: program.enter,
            trace: String::new(),
            steps: program.steps.into_iter(),
            enters: program.enters.into_iter(),
        };
        Ok((0, machine))
    }

    async fn enter(
        &mut self,
        old: &u8,
        state: &u8,
        cx: &mut Context<Self>,
    ) -> Result<(), ExitReason> {
        if self.enter {
            self.saw(format_args!(">{old}{state}"));
            ask(cx, self.enters.next().unwrap_or_default(), None);
        }
        Ok(())
    }

    async fn handle(
        &mut self,
        event: Event<Told, u8>,
        state: &u8,
        cx: &mut Context<Self>,
    ) -> Transition<u8> {
        let (kind, told) = match &event {
            Event::Message(told) => ("m".to_owned(), told),
            Event::Internal(told) => ("i".to_owned(), told),
            Event::EventTimeout(told) => ("e".to_owned(), told),
            Event::StateTimeout(told) => ("s".to_owned(), told),
            Event::Timeout(name, told) => (format!("t{name}:"), told),
            Event::Info(info) => panic!("{info:?}"),
        };
        let Told::Content(content) = told else {
            return Transition::Stop(ExitReason::Normal);
        };
        self.saw(format_args!("{kind}{content}@{state}"));
        let Some((go, actions)) = self.steps.next() else {
            return Transition::KeepState;
        };
        ask(cx, actions, Some(event));
        match go {
            Go::Keep => Transition::KeepState,
            Go::Repeat => Transition::RepeatState,
            Go::Next(state) => Transition::NextState(state),
        }
    }

    async fn terminate(&mut self, _: &ExitReason, _: &u8, _: &mut Context<Self>) {
        send(self.test, Trace(std::mem::take(&mut self.trace)));
    }
}

#[test]
fn random_programs_do_what_they_do_under_otp() {
    let mut runner = TestRunner::default();
    let programs: Vec<Program> = (0..PROGRAMS)
        .map(|_| program().new_tree(&mut runner).unwrap().current())
        .collect();
    let terms: Vec<String> = programs.iter().map(Program::term).collect();
    let file = std::env::temp_dir().join(format!("regrow-gen_statem-{}", std::process::id()));
    std::fs::write(&file, terms.join("\n")).unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/gen_statem/otp.escript");
    let output = Command::new("escript").arg(script).arg(&file).output();
    std::fs::remove_file(&file).unwrap();
    let output = match output {
        Ok(output) => output,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            eprintln!("not compared with OTP: there is no `escript` here");
            return;
        }
        Err(error) => panic!("escript: {error}"),
    };
    let said = String::from_utf8_lossy(&output.stdout);
    let traces: Vec<String> = said.lines().map(str::to_owned).collect();
    assert_eq!(
        traces.len(),
        PROGRAMS,
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let stories: Vec<_> = programs.into_iter().zip(traces).collect();
    run_with(stories, |stories| async {
        for (program, expected) in stories {
            let term = program.term();
            Scripted::start((self_pid(), program)).await.unwrap();
            assert_eq!(receive::<Trace>().await.0, expected, "{term}");
        }
    });
}
