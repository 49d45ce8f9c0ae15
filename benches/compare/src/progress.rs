//! How far a run is: a bar on a terminal, lines elsewhere.

use std::io::{self, IsTerminal};

use indicatif::{ProgressBar, ProgressStyle};

/// Tells on standard error how far the run is.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: Option<ProgressBar>,
    done: u64,
    all: u64,
}

impl Progress {
    /// For so many steps.
    pub(crate) fn new(all: u64) -> Progress {
        let bar = io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template(
                "[{bar:30}] {pos}/{len}  {elapsed} of about {duration}  {msg}",
            );
            let style = style.expect("the template is well formed");
            ProgressBar::new(all).with_style(style.progress_chars("=> "))
        });
        if let Some(bar) = &bar {
            bar.enable_steady_tick(std::time::Duration::from_millis(500));
        }
        Progress { bar, done: 0, all }
    }

    /// A step begins.
    pub(crate) fn begin(&self, what: &str) {
        if let Some(bar) = &self.bar {
            bar.set_message(what.to_owned());
        }
    }

    /// A step is done.
    pub(crate) fn done(&mut self, what: &str, outcome: &str, failed: bool) {
        self.done += 1;
        match &self.bar {
            Some(bar) => {
                bar.inc(1);
                if failed {
                    bar.println(format!("{what}: {outcome}"));
                }
            }
            None => eprintln!("{:>4}/{}  {what:<42}  {outcome}", self.done, self.all),
        }
    }

    /// Takes the bar away.
    pub(crate) fn finish(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }
}
