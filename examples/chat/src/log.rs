//! The log: one readable line for each thing that happens.
//!
//! ```text
//! 11:22:33.044 CRASH   room:#rust <0.41.1>: panic at examples/chat/src/room/mod.rs:157: bob asked #rust to crash
//! 11:22:33.044 RESTART #rust <0.44.1> by chat_room_sup (9 restarts left)
//! ```

use std::fmt::{self, Write as _};
use std::io::Write as _;

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::{EnvFilter, Registry};

use crate::clock;

/// Writes the log to stderr from now on.
///
/// # Errors
///
/// If `filter` is not a filter of `tracing-subscriber` (`info`, `debug,regrow=warn`, ...).
pub(crate) fn start(filter: &str) -> Result<(), String> {
    let filter = EnvFilter::builder()
        .parse(filter)
        .map_err(|error| error.to_string())?;
    let log = Registry::default().with(filter).with(Lines);
    tracing::subscriber::set_global_default(log).map_err(|error| error.to_string())
}

/// The layer that writes lines.
struct Lines;

impl<S: Subscriber> Layer<S> for Lines {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let meta = event.metadata();
        if let Some(text) = text(meta.target(), *meta.level(), &fields) {
            let line = format!("{} {text}\n", clock::time_of_day(clock::now_micros()));
            // Nothing can be done about a log that cannot be written.
            let _ = std::io::stderr().lock().write_all(line.as_bytes());
        }
    }
}

/// The fields of one event as text, in order.
#[derive(Default)]
struct Fields(Vec<(&'static str, String)>);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0
            .push((field.name(), format!("{value:?}").replace('\n', " | ")));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.push((field.name(), value.replace('\n', " | ")));
    }
}

impl Fields {
    fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(n, _)| *n == name)
            .map(|(_, value)| value.as_str())
    }

    fn or_dash(&self, name: &str) -> &str {
        self.get(name).unwrap_or("-")
    }
}

/// The line for an event without its time; `None` for what another line already says.
fn text(target: &str, level: Level, fields: &Fields) -> Option<String> {
    match target {
        "regrow::crash" => crash(fields),
        "regrow::supervisor" => supervisor(fields)
            .or_else(|| other(target, level, fields))
            .filter(|text| !text.is_empty()),
        "chat::stop" => Some(format!(
            "STOP    {} {}: {}",
            fields.or_dash("id"),
            fields.or_dash("pid"),
            fields.or_dash("reason")
        )),
        // The crash line says it.
        "regrow::gen_server" if level == Level::ERROR => None,
        _ => other(target, level, fields),
    }
}

fn crash(fields: &Fields) -> Option<String> {
    let who = fields.get("name").or(fields.get("label"));
    let who = who.or(fields.get("spawned_at")).unwrap_or("process");
    Some(format!(
        "CRASH   {who} {}: {}",
        fields.or_dash("pid"),
        fields.or_dash("reason")
    ))
}

/// `Some("")` for what is better not said.
fn supervisor(fields: &Fields) -> Option<String> {
    let (id, pid) = (fields.or_dash("id"), fields.or_dash("pid"));
    let (by, reason) = (fields.or_dash("supervisor"), fields.or_dash("reason"));
    let left = match fields.get("restarts_left") {
        Some("1") => " (1 restart left)".to_owned(),
        Some(n) => format!(" ({n} restarts left)"),
        None => String::new(),
    };
    Some(match fields.get("report")? {
        "progress" if left.is_empty() => format!("START   {id} {pid} by {by}"),
        "progress" => format!("RESTART {id} {pid} by {by}{left}"),
        // Crashes have a line of their own; other ends of children that should live have not.
        "child_terminated" if ["normal", "shutdown", "killed"].contains(&reason) => {
            format!("ENDED   {id} {pid} of {by}: {reason}")
        }
        "child_terminated" => String::new(),
        "start_error" => format!("FAILED  {id} of {by} did not start: {reason}{left}"),
        "shutdown_error" => format!("FAILED  {id} {pid} of {by} did not stop as told: {reason}"),
        "shutdown" => format!("GIVE UP {by}: {reason}, last straw {id}"),
        _ => return None,
    })
}

fn other(target: &str, level: Level, fields: &Fields) -> Option<String> {
    let mut line = format!("{:<7} {target}", level.as_str());
    if let Some(message) = fields.get("message") {
        let _ = write!(line, ": {message}");
    }
    for (name, value) in fields.0.iter().filter(|(name, _)| *name != "message") {
        let _ = write!(line, " {name}={value}");
    }
    Some(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(pairs: &[(&'static str, &str)]) -> Fields {
        Fields(
            pairs
                .iter()
                .map(|(name, value)| (*name, (*value).to_owned()))
                .collect(),
        )
    }

    #[test]
    fn a_crash_and_a_restart_are_one_line_each() {
        let crash = fields(&[
            ("pid", "<0.4.1>"),
            ("name", "room:#a"),
            ("reason", "panic: x"),
        ]);
        let line = text("regrow::crash", Level::ERROR, &crash).unwrap();
        assert_eq!(line, "CRASH   room:#a <0.4.1>: panic: x");
        let ended = fields(&[
            ("report", "child_terminated"),
            ("reason", "panic: x"),
            ("id", "#a"),
        ]);
        assert_eq!(text("regrow::supervisor", Level::ERROR, &ended), None);
        assert_eq!(text("regrow::gen_server", Level::ERROR, &crash), None);
        let again = fields(&[
            ("report", "progress"),
            ("supervisor", "chat_room_sup"),
            ("id", "#a"),
            ("pid", "<0.5.1>"),
            ("restarts_left", "9"),
        ]);
        let line = text("regrow::supervisor", Level::INFO, &again).unwrap();
        assert_eq!(
            line,
            "RESTART #a <0.5.1> by chat_room_sup (9 restarts left)"
        );
    }

    #[test]
    fn a_killed_child_and_a_supervisor_that_gives_up_are_told() {
        let killed = fields(&[
            ("report", "child_terminated"),
            ("reason", "killed"),
            ("id", "#a"),
        ]);
        assert!(
            text("regrow::supervisor", Level::ERROR, &killed)
                .unwrap()
                .starts_with("ENDED")
        );
        let up = fields(&[
            ("report", "shutdown"),
            ("supervisor", "s"),
            ("reason", "r"),
            ("id", "c"),
        ]);
        let line = text("regrow::supervisor", Level::ERROR, &up).unwrap();
        assert_eq!(line, "GIVE UP s: r, last straw c");
    }
}
