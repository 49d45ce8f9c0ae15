//! The agent: a state that several processes share, and nothing more.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::hash::{Hash, Hasher};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use regrow_runtime::{ExitReason, Pid, ReplyTo};

use crate::{
    Call, Child, Context, GenServer, Name, Next, ServerRef, Start, StartError, StopError, Via,
};

/// A reference to a running agent, by pid or by name: a process that keeps a state of type `S`
/// and runs closures on it (Elixir: `Agent`). Cheap to clone, keeps nothing alive.
///
/// The closures run in the agent's process, one at a time, and everybody else waits meanwhile; so
/// they should be quick. What takes long is done by the caller on a copy, or in a
/// [`Task`](crate::Task). An agent is a [`GenServer`] underneath: it is supervised, stopped and
/// looked at like one, and a closure that panics ends it. Its caller is told why, and a supervisor
/// starts it again with a fresh state.
///
/// ```
/// use regrow_runtime::Runtime;
/// use regrow_supervisor::{Agent, ChildSpec, Strategy, Supervisor};
/// use std::collections::HashMap;
///
/// type Stock = HashMap<&'static str, u32>;
///
/// Runtime::new().unwrap().block_on(async {
///     let stock = ChildSpec::new("stock", || Agent::start_link(Stock::new).name("stock"));
///     Supervisor::new(Strategy::OneForOne).child(stock).start_link().await.unwrap();
///
///     let stock = Agent::<Stock>::named("stock"); // survives a restart
///     stock.update(|stock| *stock.entry("apples").or_default() += 5).await.unwrap();
///     let left = stock.get_and_update(|stock| {
///         let apples = stock.get_mut("apples")?;
///         *apples -= 1;
///         Some(*apples)
///     });
///     assert_eq!(left.await, Ok(Some(4)));
/// });
/// ```
///
/// # When not to use one
///
/// When the rules of the state belong together: a [`GenServer`] has one place for them, and
/// messages that say what is wanted. Nor for what only one process uses: that is a variable.
pub struct Agent<S: Send + 'static> {
    server: ServerRef<Request<S>>,
}

/// What an agent is told: a closure, with the reply handle inside if it has one.
struct Request<S>(Box<dyn FnOnce(&mut S) + Send>);

/// The agent's process.
struct Process<S>(S);

impl<S: Send + 'static> GenServer for Process<S> {
    type Args = Box<dyn FnOnce() -> S + Send>;
    type Message = Request<S>;

    async fn init(state: Self::Args, _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Process(state()))
    }

    async fn handle(&mut self, Request(work): Request<S>, _: &mut Context<Self>) -> Next {
        work(&mut self.0);
        Next::Continue
    }
}

impl<S: Send + 'static> Agent<S> {
    /// Starts an agent that is not linked to anybody (Elixir: `Agent.start`). `state` runs in its
    /// process and makes the first state.
    ///
    /// # Errors
    ///
    /// See [`StartAgent`].
    #[track_caller]
    pub fn start(state: impl FnOnce() -> S + Send + 'static) -> StartAgent<S> {
        StartAgent {
            start: Process::start(Box::new(state)),
        }
    }

    /// Starts an agent linked to the calling process, which is its parent (Elixir:
    /// `Agent.start_link`).
    ///
    /// # Errors
    ///
    /// See [`StartAgent`].
    ///
    /// ```
    /// # use regrow_supervisor::Agent;
    /// # regrow_runtime::Runtime::new().unwrap().block_on(async {
    /// let counter = Agent::start_link(|| 0).await.unwrap();
    /// counter.cast(|count| *count += 2);
    /// assert_eq!(counter.get(|count| *count).await, Ok(2));
    /// # });
    /// ```
    #[track_caller]
    pub fn start_link(state: impl FnOnce() -> S + Send + 'static) -> StartAgent<S> {
        StartAgent {
            start: Process::start_link(Box::new(state)),
        }
    }

    /// The agent that has this name when it is asked. Nothing checks that its state is an `S`; one
    /// with another state does not understand a request, and it fails.
    pub fn named(name: impl Into<String>) -> Self {
        Agent {
            server: Name::from_string(name.into()).into(),
        }
    }

    /// The agent that a registry says has the name when it is asked; see [`ServerRef::via`].
    pub fn via(via: Arc<dyn Via>) -> Self {
        Agent {
            server: ServerRef::via(via),
        }
    }

    /// The agent running as this process. Its state is an `S`, as for [`named`](Agent::named).
    pub fn from_pid(pid: Pid) -> Self {
        Agent {
            server: ServerRef::from_pid(pid),
        }
    }

    /// Its process; for a reference by name, whoever has the name now.
    ///
    /// # Panics
    ///
    /// For a name, outside a process; so do all the requests.
    pub fn pid(&self) -> Option<Pid> {
        self.server.pid()
    }

    /// What `look` finds in the state (Elixir: `Agent.get`). `look` runs in the agent; what it
    /// returns is the reply.
    ///
    /// As every call, this waits 5 seconds unless [`Call::timeout`] says otherwise. After a
    /// time-out `look` may still run.
    ///
    /// # Errors
    ///
    /// See [`CallError`](crate::CallError); [`CallError::Exit`](crate::CallError::Exit) with the
    /// panic if `look` panics, which ends the agent.
    ///
    /// ```
    /// # use regrow_supervisor::{Agent, CallError};
    /// # regrow_runtime::Runtime::new().unwrap().block_on(async {
    /// let words = Agent::start(|| vec!["some", "words"]).await.unwrap();
    /// assert_eq!(words.get(|words| words.len()).await, Ok(2));
    /// let Err(CallError::Exit(reason)) = words.get(|words| words[2]).await else { panic!() };
    /// assert!(reason.to_string().contains("index out of bounds"));
    /// assert_eq!(words.get(|words| words.len()).await, Err(CallError::NoProc));
    /// # });
    /// ```
    #[track_caller]
    pub fn get<R: Send + 'static>(&self, look: impl FnOnce(&S) -> R + Send + 'static) -> Call<R> {
        self.get_and_update(move |state| look(state))
    }

    /// Changes the state, and returns what `work` returns (Elixir: `Agent.get_and_update`). See
    /// [`get`](Agent::get).
    ///
    /// # Errors
    ///
    /// As [`get`](Agent::get).
    ///
    /// ```
    /// # use regrow_supervisor::Agent;
    /// # regrow_runtime::Runtime::new().unwrap().block_on(async {
    /// let stack = Agent::start_link(|| vec![1, 2]).await.unwrap();
    /// assert_eq!(stack.get_and_update(|stack| stack.pop()).await, Ok(Some(2)));
    /// # });
    /// ```
    #[track_caller]
    pub fn get_and_update<R: Send + 'static>(
        &self,
        work: impl FnOnce(&mut S) -> R + Send + 'static,
    ) -> Call<R> {
        self.server
            .call(|reply: ReplyTo<R>| Request(Box::new(move |state| reply.send(work(state)))))
    }

    /// Changes the state, and waits until that is done (Elixir: `Agent.update`). See
    /// [`get`](Agent::get).
    ///
    /// # Errors
    ///
    /// As [`get`](Agent::get).
    #[track_caller]
    pub fn update(&self, change: impl FnOnce(&mut S) + Send + 'static) -> Call<()> {
        self.get_and_update(change)
    }

    /// Has the state changed, and does not wait (Elixir: `Agent.cast`). An agent that is gone, or
    /// a name that nobody has, is no error.
    pub fn cast(&self, change: impl FnOnce(&mut S) + Send + 'static) {
        self.server.cast(Request(Box::new(change)));
    }

    /// Stops the agent when it has done what it was asked before, and waits until it has ended
    /// (Elixir: `Agent.stop`); see [`ServerRef::stop`].
    ///
    /// # Errors
    ///
    /// See [`StopError`].
    ///
    /// # Panics
    ///
    /// Outside a process.
    #[track_caller]
    pub fn stop(
        &self,
        reason: ExitReason,
        timeout: Option<Duration>,
    ) -> impl Future<Output = Result<(), StopError>> + Send {
        self.server.stop(reason, timeout)
    }
}

impl<S: Send + 'static> Clone for Agent<S> {
    fn clone(&self) -> Self {
        Agent {
            server: self.server.clone(),
        }
    }
}

impl<S: Send + 'static> PartialEq for Agent<S> {
    /// Whether both are the same pid, or both the same name.
    fn eq(&self, other: &Self) -> bool {
        self.server == other.server
    }
}

impl<S: Send + 'static> Eq for Agent<S> {}

impl<S: Send + 'static> Hash for Agent<S> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.server.hash(state);
    }
}

impl<S: Send + 'static> fmt::Debug for Agent<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Agent({})", self.server)
    }
}

impl<S: Send + 'static> From<Agent<S>> for Child {
    fn from(agent: Agent<S>) -> Self {
        agent.server.into()
    }
}

/// An agent about to be started, from [`Agent::start`] or [`Agent::start_link`]; awaiting it
/// starts it and gives the [`Agent`] once its first state is made.
///
/// # Errors
///
/// See [`StartError`]; [`StartError::Exit`] with the panic if the closure that makes the state
/// panics. A process that does not trap exits dies with an agent that it has linked to.
///
/// # Panics
///
/// When awaited outside a process.
#[must_use = "nothing is started until this is awaited"]
pub struct StartAgent<S: Send + 'static> {
    start: Start<Process<S>>,
}

impl<S: Send + 'static> StartAgent<S> {
    /// Registers the agent under this name before its state is made.
    pub fn name(mut self, name: impl Into<Arc<str>>) -> Self {
        self.start = self.start.name(name.into());
        self
    }

    /// Registers the agent in another registry than the runtime's own; see [`Start::via`].
    pub fn via(mut self, via: Arc<dyn Via>) -> Self {
        self.start = self.start.via(via);
        self
    }

    /// Labels the process, for reports and introspection.
    pub fn label(mut self, label: impl Into<Arc<str>>) -> Self {
        self.start = self.start.label(label);
        self
    }

    /// Gives the making of the state this long; then the agent is killed. By default it has no
    /// limit.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.start = self.start.timeout(timeout);
        self
    }
}

impl<S: Send + 'static> IntoFuture for StartAgent<S> {
    type Output = Result<Agent<S>, StartError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        let start = self.start.into_future();
        Box::pin(async move { start.await.map(|server| Agent { server }) })
    }
}

impl<S: Send + 'static> fmt::Debug for StartAgent<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.start.fmt(f)
    }
}
