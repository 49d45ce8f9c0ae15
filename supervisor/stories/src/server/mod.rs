//! Stories of gen_servers and those who use them.
//!
//! | line | meaning |
//! |---|---|
//! | `step 3` | what follows is what the third step has led to |
//! | `  busy`, `  none`, `  released` | what the director says of the step: nobody could do it, there is nobody, ... |
//! | `  a#1 init 0` | a callback runs, with the number of callbacks that have ended before |
//! | `  a#1 handle 7 call 2` | the same for message 7, which came as a call |
//! | `  a#1 heard exit f1#1 boom` | an exit, or `down`, that `handle_info` was given |
//! | `  a#1 terminate boom 3`, `  a#1 down boom` | the end |
//! | `  c1#1 result reply 7 2` | what came of what a client did |
//! | `  wait a#1 queue 2 hibernates` | how a server waits, if not with an empty mailbox |
//!
//! Processes run at the same time: within a step each has its order, and there is none among them. What
//! comes before what is seen where a callback waits for a *release*, which is a step of its own: what has
//! happened by then has happened before.
//!
//! # Time
//!
//! There are three times: none, *soon*, and longer than any story. The next step begins when everybody
//! waits and nothing is due soon; here that is when virtual time goes by, on the Erlang side and with
//! threads it is found out by looking. So an idle timeout is called off by a message only if that is in
//! the mailbox already, or the timeout is not due for long. Who calls *impatiently* gives up soon, and
//! does so only if it is sure that there is no answer: if the server waits for a release, is
//! suspended, or calls another, or if the message says that it will not answer.

mod codec;
mod generate;
mod shrink;
mod stage;
mod story;

pub use generate::generate;
pub use story::{
    Act, Action, Client, Friend, How, Look, Message, Op, Plan, Script, Server, ServerStep,
    ServerStory, Sys, Then, Time, To, Who, Why,
};

pub(crate) use shrink::simpler;
pub(crate) use stage::direct;
