//! `receive!`: several patterns at once, as in Erlang's `receive`.
//!
//! Each arm is used twice. While the receive waits, a closure tries the arms in
//! their order on a message by reference, and says which one fits ([`select`]).
//! Then the message is taken apart by value, in the function around, where the
//! bodies run. An [`Arm`] in between makes both agree on the type, which is mostly
//! inferred from the pattern.

use std::any::Any;
use std::future::Future;
use std::marker::PhantomData;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use super::receive::{Place, ReceiveTimeout, poll_queue};
use super::wait_site::waiting_at;
use crate::message::Message;

/// The type of one arm of a `receive!`; `Message` stands for any.
#[derive(Debug)]
pub struct Arm<T>(PhantomData<fn() -> T>);

impl<T> Clone for Arm<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Arm<T> {}

/// An arm for messages of type `T`.
pub fn arm<T: 'static>() -> Arm<T> {
    Arm(PhantomData)
}

/// The message as the arm sees it, if it is of its type.
pub fn peek<T: 'static>(_: Arm<T>, message: &Message) -> Option<&T> {
    let whole: &dyn Any = message;
    whole.downcast_ref().or_else(|| message.peek())
}

/// The message that the arm was selected for.
pub fn take<T: 'static>(_: Arm<T>, message: Message) -> Option<T> {
    let mut whole = Some(message);
    if let Some(any) = (&mut whole as &mut dyn Any).downcast_mut::<Option<T>>() {
        return any.take();
    }
    whole?.downcast().ok()
}

/// Waits for the oldest message that `wanted` has an arm for.
#[track_caller]
pub fn select<F: FnMut(&Message) -> Option<usize>>(wanted: F) -> Select<F> {
    waiting_at(Location::caller());
    Select {
        place: Place::default(),
        wanted,
    }
}

/// The future behind a `receive!`.
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Select<F> {
    place: Place,
    wanted: F,
}

impl<F> Select<F> {
    /// Gives up after a time.
    pub fn after(self, after: Duration) -> ReceiveTimeout<Self> {
        ReceiveTimeout::new(self, after)
    }
}

// Nothing in it is ever pinned.
impl<F> Unpin for Select<F> {}

impl<F: FnMut(&Message) -> Option<usize>> Future for Select<F> {
    type Output = (usize, Message);

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { place, wanted } = &mut *self;
        let mut selected = 0;
        let polled = poll_queue(place, cx, |it| {
            wanted(Message::of(it)).is_some_and(|arm| {
                selected = arm;
                true
            })
        });
        polled.map(|envelope| (selected, Message(envelope)))
    }
}

/// Waits for the oldest message that fits one of several arms, and runs the body of
/// the first arm that it fits (OTP: `receive ... after ... end`).
///
/// ```
/// # regrow_runtime::Runtime::new()?.block_on(async {
/// use std::time::Duration;
/// use regrow_runtime::{Exit, receive, self_pid, send, spawn_link, trap_exit};
///
/// struct Add(u32);
/// struct Stop;
///
/// trap_exit(true);
/// let me = self_pid();
/// let child = spawn_link(async move {
///     send(me, Add(1));
///     send(me, "what is this?");
///     send(me, Add(2));
///     send(me, Stop);
/// });
///
/// let mut total = 0;
/// loop {
///     receive! {
///         Add(n) => total += n,
///         Stop if total > 0 => break,
///         text: &'static str => assert_eq!(text, "what is this?"),
///     }
/// }
/// assert_eq!(total, 3);
///
/// let why = receive! {
///     exit: Exit if exit.pid == child => exit.reason.to_string(),
///     after Duration::from_secs(5) => String::from("it goes on"),
/// };
/// assert_eq!(why, "normal");
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// It is an expression, to be used where one may await, and it awaits by itself.
/// The bodies belong to the function around: `?`, `return`, `break` and `.await`
/// work in them.
///
/// # Arms
///
/// | arm | takes |
/// |---|---|
/// | `Add(n) =>` | messages of the pattern's type that match the pattern |
/// | `n: u32 =>`, `(a, b): (u8, u8) =>`, `_: Tick =>` | messages of that type |
/// | either of them `if guard =>` | only if the guard is true as well |
/// | `other: Message =>`, `_ =>` | any message; no arm behind it is ever asked |
/// | `after time =>` | nothing: it runs once this [`Duration`] is over; the last arm |
///
/// The oldest message is tried against the arms in their order, then the next
/// oldest. What no arm takes stays in the mailbox, in its order. A message that was
/// refused is not tried again by the same `receive!`, so a guard should not depend
/// on anything that changes while it waits.
///
/// The time of `after` is evaluated first and counts from there; messages that are
/// not taken do not extend it. With zero, everything that has arrived is looked at,
/// and `after` runs if nothing of it fits.
///
/// # What differs from `match`
///
/// An arm may be tried on many messages that stay where they are. So:
///
/// - A guard sees *references* to what the pattern binds: `Add(n) if *n > 3`.
/// - A pattern cannot say `mut` or `ref` within; a mere name can: `mut n: u32`.
/// - Texts need a name and a guard: `text: &'static str if *text == "stop"`.
/// - A guard cannot `.await`, and `?` and `return` do not leave the function in it.
/// - The type must follow from the pattern; a bare name has none:
///
/// ```compile_fail
/// # async fn doc() {
/// regrow_runtime::receive! {
///     other => drop(other), // of which type? say `other: Message`, or `other: u32`
/// }
/// # }
/// ```
///
/// As the type decides, `5` takes an `i32`, and an arm for a type that nobody sends
/// is never run. A comma must follow each body but a block.
///
/// # Panics
///
/// When awaited outside a process.
#[macro_export]
macro_rules! receive {
    // No more arms.
    (@arms $done:tt ($($index:tt)*)) => {
        $crate::receive!(@run $done)
    };
    (@arms $done:tt ($($index:tt)*) after $time:expr => $body:expr $(,)?) => {
        $crate::receive!(@run $done after $time => $body)
    };
    (@arms $done:tt $index:tt after $time:expr => $($rest:tt)*) => {
        ::std::compile_error!("`after` must be the last arm of a `receive!`")
    };
    // One more arm: its head, in the order in which a form can be told from the next.
    (@arms $done:tt $index:tt _ => $($rest:tt)*) => {
        $crate::receive!(@body $done $index [_] [$crate::Message] [] $($rest)*)
    };
    (@arms $done:tt $index:tt _ if $guard:expr => $($rest:tt)*) => {
        $crate::receive!(@body $done $index [_] [$crate::Message] [$guard] $($rest)*)
    };
    (@arms $done:tt $index:tt $name:tt : $type:ty => $($rest:tt)*) => {
        $crate::receive!(@body $done $index [$name] [$type] [] $($rest)*)
    };
    (@arms $done:tt $index:tt $name:tt : $($rest:tt)*) => {
        $crate::receive!(@type $done $index [$name] [] $($rest)*)
    };
    (@arms $done:tt $index:tt mut $name:ident : $type:ty => $($rest:tt)*) => {
        $crate::receive!(@body $done $index [mut $name] [$type] [] $($rest)*)
    };
    (@arms $done:tt $index:tt mut $name:ident : $($rest:tt)*) => {
        $crate::receive!(@type $done $index [mut $name] [] $($rest)*)
    };
    (@arms $done:tt $index:tt $pattern:pat => $($rest:tt)*) => {
        $crate::receive!(@body $done $index [$pattern] [_] [] $($rest)*)
    };
    (@arms $done:tt $index:tt $pattern:pat if $guard:expr => $($rest:tt)*) => {
        $crate::receive!(@body $done $index [$pattern] [_] [$guard] $($rest)*)
    };
    // A type with a guard behind it: `ty` fragments may not be followed by `if`.
    (@type $done:tt $index:tt $name:tt $type:tt if $guard:expr => $($rest:tt)*) => {
        $crate::receive!(@body $done $index $name $type [$guard] $($rest)*)
    };
    (@type $done:tt $index:tt $name:tt [$($type:tt)*] $next:tt $($rest:tt)*) => {
        $crate::receive!(@type $done $index $name [$($type)* $next] $($rest)*)
    };
    // Its body.
    (@body [$($done:tt)*] ($($index:tt)*) $p:tt $t:tt $g:tt $body:block , $($rest:tt)*) => {
        $crate::receive!(@arms
            [$($done)* (($($index)*) arm $p $t $g $body)] ($($index)* + 1) $($rest)*)
    };
    (@body [$($done:tt)*] ($($index:tt)*) $p:tt $t:tt $g:tt $body:block $($rest:tt)*) => {
        $crate::receive!(@arms
            [$($done)* (($($index)*) arm $p $t $g $body)] ($($index)* + 1) $($rest)*)
    };
    (@body [$($done:tt)*] ($($index:tt)*) $p:tt $t:tt $g:tt $body:expr , $($rest:tt)*) => {
        $crate::receive!(@arms
            [$($done)* (($($index)*) arm $p $t $g $body)] ($($index)* + 1) $($rest)*)
    };
    (@body [$($done:tt)*] ($($index:tt)*) $p:tt $t:tt $g:tt $body:expr) => {
        $crate::receive!(@arms
            [$($done)* (($($index)*) arm $p $t $g $body)] ($($index)* + 1))
    };
    // All arms are known. Each `arm` is from a step of its own, and so a variable of its own.
    (@run [$((($index:expr) $arm:ident [$($p:tt)*] [$t:ty] [$($g:expr)?] $body:expr))*]
        $(after $time:expr => $late:expr)?
    ) => {{
        $(let $arm = $crate::__receive::arm::<$t>();)*
        #[allow(unused_variables, unused_mut, clippy::all, clippy::pedantic)]
        let received = $crate::__receive::select(|message: &$crate::Message| {
            $(if match $crate::__receive::peek($arm, message) {
                ::std::option::Option::Some($($p)*) $(if $g)? => true,
                _ => false,
            } {
                ::std::option::Option::Some($index)
            } else)* {
                ::std::option::Option::None
            }
        });
        $crate::receive!(@await received, selected, message, {
            $(if selected == $index {
                $crate::receive!(@take $arm, message, [$($p)*] [$($g)?] $body)
            } else)* {
                ::std::unreachable!("one of the arms was selected")
            }
        } $(after $time => $late)?)
    }};
    (@await $received:ident, $selected:ident, $message:ident, $bodies:block) => {{
        let ($selected, $message) = $received.await;
        $bodies
    }};
    (@await $received:ident, $selected:ident, $message:ident, $bodies:block
        after $time:expr => $late:expr
    ) => {{
        let $received = $received.after($time);
        match $received.await {
            ::std::result::Result::Ok(($selected, $message)) => $bodies,
            ::std::result::Result::Err(_) => $late,
        }
    }};
    (@take $arm:ident, $message:ident, [$($p:tt)*] [] $body:expr) => {{
        let ::std::option::Option::Some($($p)*) = $crate::__receive::take($arm, $message) else {
            ::std::unreachable!("the pattern has matched before")
        };
        $body
    }};
    (@take $arm:ident, $message:ident, [$($p:tt)*] [$g:expr] $body:expr) => {{
        // What only the guard uses is used.
        #[allow(unused_variables)]
        let ::std::option::Option::Some($($p)*) = $crate::__receive::take($arm, $message) else {
            ::std::unreachable!("the pattern has matched before")
        };
        $body
    }};
    // The way in.
    ($($arms:tt)*) => {
        $crate::receive!(@arms [] (0) $($arms)*)
    };
}
