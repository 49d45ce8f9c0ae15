//! What a story is: a tree and what happens to it.

/// A supervision tree and a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Story {
    /// The root; a supervisor.
    pub root: Node,
    /// One after the other; before each, everything has come to rest.
    pub steps: Vec<Step>,
}

/// A child and what is below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Unique in the story, but for a child that is started in the place of another.
    pub id: String,
    /// When it is started again.
    pub restart: Restart,
    /// How it is stopped.
    pub shutdown: Shutdown,
    /// Whether its end counts for auto-shutdown.
    pub significant: bool,
    /// What its start function does.
    pub start: Plan,
    /// Worker or supervisor.
    pub kind: Kind,
}

/// What a node is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A process of ours.
    Worker {
        /// Whether it traps exits.
        trap: bool,
        /// Whether it unlinks itself from its supervisor.
        unlinks: bool,
        /// What it does when its supervisor tells it to stop, if it traps exits.
        stop: Stop,
    },
    /// A supervisor.
    Supervisor {
        /// Its strategy.
        strategy: Strategy,
        /// How many restarts it allows; ever, since the period is as good as infinite.
        intensity: u32,
        /// Whether it ends with its significant children.
        auto: Auto,
        /// Its children in start order; with [`Strategy::Dynamic`] the one template.
        children: Vec<Node>,
    },
}

/// OTP's restart types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Restart {
    Permanent,
    Transient,
    Temporary,
}

/// How a child is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Shutdown {
    BrutalKill,
    Infinity,
    /// Milliseconds.
    Timeout(u32),
}

/// What a start function does, by its number of attempts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Plan {
    /// Starts the child, each time.
    Ok,
    /// Does something else in the attempts from the first number up to and without the second.
    But(Outcome, u32, u32),
}

/// What a start function may do instead of just starting the child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Returns an error.
    Error(Reason),
    /// Panics.
    Panic,
    /// Answers `ignore`.
    Ignore,
    /// Starts the child after so many milliseconds.
    Hang(u32),
    /// Returns an error after so many milliseconds.
    HangError(u32),
    /// Starts a process that ends, before it is ready, with this reason. Of workers only.
    Init(Reason),
    /// Starts a process that has ended with this reason, and the supervisor has been told, when
    /// the start function returns it. Of workers only.
    Stillborn(Reason),
}

/// What a child that traps exits does when it is told to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// Ends with the reason it was told.
    Same,
    /// The same after so many milliseconds.
    Slow(u32),
    /// Ends with a reason of its own.
    Other(Reason),
    /// Goes on, and tells nobody.
    Never,
}

/// Exit reasons.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Reason {
    Normal,
    Shutdown,
    /// `{shutdown, x}`.
    ShutdownWith,
    /// An error.
    Boom,
    /// A panic; in Erlang `error(..)`.
    Panic,
    /// Not as a signal, but the reason of a process that ends with it by itself.
    Kill,
}

/// Strategies, `simple_one_for_one` among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Strategy {
    OneForOne,
    OneForAll,
    RestForOne,
    /// OTP's `simple_one_for_one`, regrow's `DynamicSupervisor`.
    Dynamic,
}

/// Auto-shutdown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Auto {
    Never,
    AnySignificant,
    AllSignificant,
}

/// One process: the incarnation with this number of the child with this id, the first being 1; 0
/// is the latest that is alive. The processes that a dynamic supervisor has started from its
/// template are numbered the same way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The child.
    pub id: String,
    /// Which incarnation.
    pub number: u32,
}

/// Something that happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A worker ends by itself.
    Crash(Target, Reason),
    /// A process is killed.
    Kill(Target),
    /// A process gets an exit signal from a stranger.
    Exit(Target, Reason),
    /// The process that has started the root ends.
    Parent(Reason),
    /// `supervisor:start_child`; without a spec, an instance of the template.
    StartChild(Target, Option<Box<Node>>),
    /// `supervisor:terminate_child`; under a dynamic supervisor of this incarnation.
    TerminateChild(Target, Target),
    /// `supervisor:restart_child`.
    RestartChild(Target, String),
    /// `supervisor:delete_child`.
    DeleteChild(Target, String),
    /// `supervisor:get_childspec`.
    GetChildSpec(Target, String),
    /// `gen_server:stop`.
    Stop(Target, Reason),
    /// All these happen while the supervisor is busy; it then finds them in its mailbox, in
    /// this order. The steps concern it, or what is below it.
    Hold(Target, Vec<Step>),
}

impl Story {
    /// Processes and steps, for progress and for shrinking: less is better.
    pub fn size(&self) -> usize {
        self.root.size() + self.steps.iter().map(Step::size).sum::<usize>()
    }
}

impl Node {
    /// The children, if it is a supervisor.
    pub fn children(&self) -> &[Node] {
        match &self.kind {
            Kind::Supervisor { children, .. } => children,
            Kind::Worker { .. } => &[],
        }
    }

    fn size(&self) -> usize {
        1 + self.children().iter().map(Node::size).sum::<usize>()
    }

    /// The node and all below it.
    pub fn each<'a>(&'a self, visit: &mut impl FnMut(&'a Node)) {
        visit(self);
        for child in self.children() {
            child.each(visit);
        }
    }
}

impl Step {
    /// The supervisor that the step asks for something.
    pub(crate) fn called(&self) -> Option<&Target> {
        match self {
            Step::StartChild(by, _)
            | Step::TerminateChild(by, _)
            | Step::RestartChild(by, _)
            | Step::DeleteChild(by, _)
            | Step::GetChildSpec(by, _)
            | Step::Stop(by, _) => Some(by),
            _ => None,
        }
    }

    /// The nodes that the step, or one within it, brings along, and all below them.
    pub fn each_node<'a>(&'a self, visit: &mut impl FnMut(&'a Node)) {
        match self {
            Step::StartChild(_, Some(node)) => node.each(visit),
            Step::Hold(_, inner) => inner.iter().for_each(|step| step.each_node(visit)),
            _ => {}
        }
    }

    fn size(&self) -> usize {
        1 + match self {
            Step::Hold(_, inner) => inner.iter().map(Step::size).sum(),
            Step::StartChild(_, Some(node)) => node.size(),
            _ => 0,
        }
    }
}
