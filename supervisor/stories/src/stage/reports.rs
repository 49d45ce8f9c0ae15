//! What supervisors report, as it is in traces. Only simulations can be listened to: each runs on
//! one thread, to which its listener belongs.

use std::collections::HashMap;
use std::fmt::{Debug, Write};
use std::sync::{Arc, Mutex, PoisonError};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// One report: what is in its fields.
#[derive(Clone, Debug, Default)]
pub(super) struct Report(HashMap<&'static str, String>);

impl Visit for Report {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let mut text = String::new();
        let _ = write!(text, "{value:?}");
        self.0
            .insert(field.name(), text.trim_matches('"').to_owned());
    }
}

/// The reports since they were last taken.
#[derive(Clone, Debug, Default)]
pub(super) struct Reports(Arc<Mutex<Vec<Report>>>);

impl Reports {
    pub(super) fn take(&self) -> Vec<Report> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Subscriber for Reports {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "regrow::supervisor" && *metadata.level() == tracing::Level::ERROR
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut report = Report::default();
        event.record(&mut report);
        let mut reports = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        reports.push(report);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

impl Report {
    fn field(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    pub(super) fn supervisor(&self) -> &str {
        self.field("supervisor")
    }

    pub(super) fn context(&self) -> &str {
        self.field("report")
    }

    /// What is said, without by whom; `name` knows what a pid written out is called.
    pub(super) fn text(&self, name: impl Fn(&str) -> Option<String>) -> String {
        let context = self.context();
        let child = name(self.field("pid")).unwrap_or_else(|| self.field("id").to_owned());
        match context {
            // Whichever pid the child has, or had.
            "shutdown" => format!("{context} {}", self.field("id")),
            _ => format!("{context} {child} {}", reason(self.field("reason"))),
        }
    }
}

/// A reason that was written out, as it is called in traces.
fn reason(text: &str) -> String {
    if let Some(rest) = text.strip_prefix("shutdown: failed to start child `")
        && let Some((id, why)) = rest.split_once("`: ")
    {
        return format!("shutdown(failed({id},{}))", reason(why));
    }
    if let Some(what) = text.strip_prefix("shutdown: ") {
        return format!("shutdown({what})");
    }
    if let Some(id) = text.strip_prefix("duplicate child id `") {
        return format!("duplicate_id({})", id.trim_end_matches('`'));
    }
    match text {
        "no such process" => "noproc".into(),
        _ if text.starts_with("panic") => "panic".into(),
        _ if text.contains("auto-shutdown is never") => "significant_without_auto_shutdown".into(),
        _ if text.contains("significant and permanent") => "significant_permanent".into(),
        _ => text.into(),
    }
}
