//! Stories as Erlang terms: what the Erlang side reads and what files hold.

use crate::story::*;
use crate::term::{Term, TermError, atom, integer};

fn tuple(items: impl Into<Vec<Term>>) -> Term {
    Term::Tuple(items.into())
}

/// Both directions of an enum whose variants are atoms.
macro_rules! atoms {
    ($type:ident { $($variant:ident = $text:literal),* $(,)? }) => {
        impl $type {
            fn term(self) -> Term {
                match self { $($type::$variant => atom($text),)* }
            }

            fn read(term: &Term) -> Result<Self, TermError> {
                match name(term)? {
                    $($text => Ok($type::$variant),)*
                    _ => wrong(term),
                }
            }
        }
    };
}

atoms!(Restart { Permanent = "permanent", Transient = "transient", Temporary = "temporary" });
atoms!(Strategy {
    OneForOne = "one_for_one",
    OneForAll = "one_for_all",
    RestForOne = "rest_for_one",
    Dynamic = "simple_one_for_one",
});
atoms!(Auto {
    Never = "never",
    AnySignificant = "any_significant",
    AllSignificant = "all_significant",
});

fn wrong<T>(term: &Term) -> Result<T, TermError> {
    Err(TermError(format!("not expected here: {term}")))
}

fn name(term: &Term) -> Result<&str, TermError> {
    match term {
        Term::Atom(text) => Ok(text),
        _ => wrong(term),
    }
}

fn number(term: &Term) -> Result<u32, TermError> {
    match term {
        Term::Integer(number) => u32::try_from(*number).or_else(|_| wrong(term)),
        _ => wrong(term),
    }
}

fn list(term: &Term) -> Result<&[Term], TermError> {
    match term {
        Term::List(items) => Ok(items),
        _ => wrong(term),
    }
}

fn parts(term: &Term) -> Result<&[Term], TermError> {
    match term {
        Term::Tuple(items) => Ok(items),
        _ => wrong(term),
    }
}

/// A tuple's tag and the rest, or an atom alone.
fn tagged(term: &Term) -> Result<(&str, &[Term]), TermError> {
    match term {
        Term::Atom(text) => Ok((text, &[])),
        Term::Tuple(items) => match items.split_first() {
            Some((tag, rest)) => Ok((name(tag)?, rest)),
            None => wrong(term),
        },
        _ => wrong(term),
    }
}

fn truth(term: &Term) -> Result<bool, TermError> {
    match name(term)? {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => wrong(term),
    }
}

impl Story {
    /// The story as one term, `{Root, Steps}`.
    pub fn term(&self) -> Term {
        tuple([self.root.term(), steps(&self.steps)])
    }

    /// Reads what [`term`](Story::term) has written.
    ///
    /// # Errors
    ///
    /// If the text is no story.
    pub fn parse(text: &str) -> Result<Story, TermError> {
        Story::read(&Term::parse(text)?)
    }

    pub(crate) fn read(term: &Term) -> Result<Story, TermError> {
        match parts(term)? {
            [root, steps] => Ok(Story {
                root: Node::read(root)?,
                steps: read_steps(steps)?,
            }),
            _ => wrong(term),
        }
    }

    /// The story as one line for the Erlang side.
    pub(crate) fn line(&self, number: u64) -> String {
        format!(
            "{{{number},{},{}}}.\n",
            self.root.term(),
            steps(&self.steps)
        )
    }
}

impl std::fmt::Display for Story {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{}.", self.term().pretty())
    }
}

fn steps(steps: &[Step]) -> Term {
    Term::List(steps.iter().map(Step::term).collect())
}

fn read_steps(term: &Term) -> Result<Vec<Step>, TermError> {
    list(term)?.iter().map(Step::read).collect()
}

impl Node {
    fn term(&self) -> Term {
        let pair = |key: &str, value: Term| tuple([atom(key), value]);
        let mut options = vec![
            pair("restart", self.restart.term()),
            pair("shutdown", self.shutdown.term()),
            pair("significant", atom(self.significant.to_string())),
            pair("start", self.start.term()),
        ];
        match &self.kind {
            Kind::Worker {
                trap,
                unlinks,
                stop,
            } => {
                options.push(pair("trap", atom(trap.to_string())));
                options.push(pair("unlinks", atom(unlinks.to_string())));
                options.push(pair("stop", stop.term()));
                tuple([atom("worker"), atom(&*self.id), Term::List(options)])
            }
            Kind::Supervisor {
                strategy,
                intensity,
                auto,
                children,
            } => tuple([
                atom("supervisor"),
                atom(&*self.id),
                Term::List(options),
                tuple([strategy.term(), integer(*intensity), auto.term()]),
                Term::List(children.iter().map(Node::term).collect()),
            ]),
        }
    }

    fn read(term: &Term) -> Result<Self, TermError> {
        let (tag, rest) = tagged(term)?;
        let [id, options, rest @ ..] = rest else {
            return wrong(term);
        };
        let mut node = Node {
            id: name(id)?.to_owned(),
            restart: Restart::Permanent,
            shutdown: Shutdown::Infinity,
            significant: false,
            start: Plan::Ok,
            kind: match (tag, rest) {
                ("worker", []) => Kind::Worker {
                    trap: false,
                    unlinks: false,
                    stop: Stop::Same,
                },
                ("supervisor", [flags, children]) => {
                    let [strategy, intensity, auto] = parts(flags)? else {
                        return wrong(flags);
                    };
                    let children = list(children)?.iter().map(Node::read);
                    Kind::Supervisor {
                        strategy: Strategy::read(strategy)?,
                        intensity: number(intensity)?,
                        auto: Auto::read(auto)?,
                        children: children.collect::<Result<_, _>>()?,
                    }
                }
                _ => return wrong(term),
            },
        };
        for option in list(options)? {
            node.set(option)?;
        }
        Ok(node)
    }

    fn set(&mut self, option: &Term) -> Result<(), TermError> {
        let (key, [value]) = tagged(option)? else {
            return wrong(option);
        };
        match (key, &mut self.kind) {
            ("restart", _) => self.restart = Restart::read(value)?,
            ("shutdown", _) => self.shutdown = Shutdown::read(value)?,
            ("significant", _) => self.significant = truth(value)?,
            ("start", _) => self.start = Plan::read(value)?,
            ("trap", Kind::Worker { trap, .. }) => *trap = truth(value)?,
            ("unlinks", Kind::Worker { unlinks, .. }) => *unlinks = truth(value)?,
            ("stop", Kind::Worker { stop, .. }) => *stop = Stop::read(value)?,
            _ => return wrong(option),
        }
        Ok(())
    }
}

impl Shutdown {
    fn term(self) -> Term {
        match self {
            Shutdown::BrutalKill => atom("brutal_kill"),
            Shutdown::Infinity => atom("infinity"),
            Shutdown::Timeout(time) => integer(time),
        }
    }

    fn read(term: &Term) -> Result<Self, TermError> {
        match term {
            Term::Atom(text) if text == "brutal_kill" => Ok(Shutdown::BrutalKill),
            Term::Atom(text) if text == "infinity" => Ok(Shutdown::Infinity),
            _ => Ok(Shutdown::Timeout(number(term)?)),
        }
    }
}

impl Plan {
    fn term(&self) -> Term {
        match self {
            Plan::Ok => atom("ok"),
            Plan::But(outcome, from, until) => {
                tuple([outcome.term(), integer(*from), integer(*until)])
            }
        }
    }

    fn read(term: &Term) -> Result<Self, TermError> {
        match term {
            Term::Atom(text) if text == "ok" => Ok(Plan::Ok),
            _ => match parts(term)? {
                [outcome, from, until] => {
                    let outcome = Outcome::read(outcome)?;
                    Ok(Plan::But(outcome, number(from)?, number(until)?))
                }
                _ => wrong(term),
            },
        }
    }
}

impl Outcome {
    fn term(self) -> Term {
        match self {
            Outcome::Error(reason) => tuple([atom("error"), reason.term()]),
            Outcome::Panic => atom("panic"),
            Outcome::Ignore => atom("ignore"),
            Outcome::Hang(time) => tuple([atom("hang"), integer(time)]),
            Outcome::HangError(time) => tuple([atom("hang_error"), integer(time)]),
            Outcome::Init(reason) => tuple([atom("init"), reason.term()]),
            Outcome::Stillborn(reason) => tuple([atom("stillborn"), reason.term()]),
        }
    }

    fn read(term: &Term) -> Result<Self, TermError> {
        Ok(match tagged(term)? {
            ("error", [reason]) => Outcome::Error(Reason::read(reason)?),
            ("panic", []) => Outcome::Panic,
            ("ignore", []) => Outcome::Ignore,
            ("hang", [time]) => Outcome::Hang(number(time)?),
            ("hang_error", [time]) => Outcome::HangError(number(time)?),
            ("init", [reason]) => Outcome::Init(Reason::read(reason)?),
            ("stillborn", [reason]) => Outcome::Stillborn(Reason::read(reason)?),
            _ => return wrong(term),
        })
    }
}

impl Stop {
    fn term(self) -> Term {
        match self {
            Stop::Same => atom("same"),
            Stop::Slow(time) => tuple([atom("slow"), integer(time)]),
            Stop::Other(reason) => tuple([atom("other"), reason.term()]),
            Stop::Never => atom("never"),
        }
    }

    fn read(term: &Term) -> Result<Self, TermError> {
        Ok(match tagged(term)? {
            ("same", []) => Stop::Same,
            ("slow", [time]) => Stop::Slow(number(time)?),
            ("other", [reason]) => Stop::Other(Reason::read(reason)?),
            ("never", []) => Stop::Never,
            _ => return wrong(term),
        })
    }
}

impl Reason {
    fn term(self) -> Term {
        match self {
            Reason::Normal => atom("normal"),
            Reason::Shutdown => atom("shutdown"),
            Reason::ShutdownWith => tuple([atom("shutdown"), atom("x")]),
            Reason::Boom => atom("boom"),
            Reason::Panic => atom("panic"),
            Reason::Kill => atom("kill"),
        }
    }

    fn read(term: &Term) -> Result<Self, TermError> {
        Ok(match tagged(term)? {
            ("normal", []) => Reason::Normal,
            ("shutdown", []) => Reason::Shutdown,
            ("shutdown", [_]) => Reason::ShutdownWith,
            ("boom", []) => Reason::Boom,
            ("panic", []) => Reason::Panic,
            ("kill", []) => Reason::Kill,
            _ => return wrong(term),
        })
    }
}

impl Target {
    fn term(&self) -> Term {
        tuple([atom(&*self.id), integer(self.number)])
    }

    fn read(term: &Term) -> Result<Self, TermError> {
        match parts(term)? {
            [id, incarnation] => Ok(Target {
                id: name(id)?.to_owned(),
                number: number(incarnation)?,
            }),
            _ => wrong(term),
        }
    }
}

impl Step {
    fn term(&self) -> Term {
        let step = |tag: &str, rest: Vec<Term>| {
            let mut items = vec![atom(tag)];
            items.extend(rest);
            Term::Tuple(items)
        };
        match self {
            Step::Crash(who, why) => step("crash", vec![who.term(), why.term()]),
            Step::Kill(who) => step("kill", vec![who.term()]),
            Step::Exit(who, why) => step("exit", vec![who.term(), why.term()]),
            Step::Parent(why) => step("parent", vec![why.term()]),
            Step::StartChild(by, node) => {
                let what = node.as_ref().map_or(atom("instance"), |node| node.term());
                step("start_child", vec![by.term(), what])
            }
            Step::TerminateChild(by, who) => step("terminate_child", vec![by.term(), who.term()]),
            Step::RestartChild(by, id) => step("restart_child", vec![by.term(), atom(id)]),
            Step::DeleteChild(by, id) => step("delete_child", vec![by.term(), atom(id)]),
            Step::GetChildSpec(by, id) => step("get_childspec", vec![by.term(), atom(id)]),
            Step::Stop(who, why) => step("stop", vec![who.term(), why.term()]),
            Step::Hold(who, inner) => step("hold", vec![who.term(), steps(inner)]),
        }
    }

    fn read(term: &Term) -> Result<Self, TermError> {
        let (tag, rest) = tagged(term)?;
        let target = Target::read;
        let id = |term: &Term| name(term).map(str::to_owned);
        Ok(match (tag, rest) {
            ("crash", [who, why]) => Step::Crash(target(who)?, Reason::read(why)?),
            ("kill", [who]) => Step::Kill(target(who)?),
            ("exit", [who, why]) => Step::Exit(target(who)?, Reason::read(why)?),
            ("parent", [why]) => Step::Parent(Reason::read(why)?),
            ("start_child", [by, Term::Atom(_)]) => Step::StartChild(target(by)?, None),
            ("start_child", [by, node]) => {
                Step::StartChild(target(by)?, Some(Box::new(Node::read(node)?)))
            }
            ("terminate_child", [by, who]) => Step::TerminateChild(target(by)?, target(who)?),
            ("restart_child", [by, who]) => Step::RestartChild(target(by)?, id(who)?),
            ("delete_child", [by, who]) => Step::DeleteChild(target(by)?, id(who)?),
            ("get_childspec", [by, who]) => Step::GetChildSpec(target(by)?, id(who)?),
            ("stop", [who, why]) => Step::Stop(target(who)?, Reason::read(why)?),
            ("hold", [who, inner]) => Step::Hold(target(who)?, read_steps(inner)?),
            _ => return wrong(term),
        })
    }
}
