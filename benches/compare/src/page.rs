//! The page of the book and the short table of the front page, both made of a run's JSON.

use std::collections::BTreeMap;
use std::fmt::Write;

use thiserror::Error;

use crate::engine::Engine;
use crate::growth;
use crate::report::{Report, RowReport};
use crate::table::{Table, number};

/// The short table stands between these lines.
pub(crate) const BEGIN: &str = "<!-- regrow-compare: begin -->";
/// See [`BEGIN`].
pub(crate) const END: &str = "<!-- regrow-compare: end -->";

/// Why a text has no place for the short table.
#[derive(Debug, Error, PartialEq)]
#[error("no place for the table: put the lines `{BEGIN}` and `{END}`, once each, around it")]
pub(crate) struct NoPlace;

/// The page of the book.
pub(crate) fn page(report: &Report) -> String {
    let mut page = String::from("# Results\n\n");
    push(
        &mut page,
        &format!(
            "Written by `regrow-compare page` from what `{}` found; [How we measure](how-we-measure.md) \
         says what each row does. Rows that regrow loses are here like the others.\n",
            command(report)
        ),
    );
    push(&mut page, &summary(report));
    push(&mut page, &tables(report));
    page
}

/// What is printed at the end of a run.
pub(crate) fn printed(report: &Report) -> String {
    format!("{}\n{}", summary(report), tables(report))
}

fn push(page: &mut String, part: &str) {
    page.push_str(part);
    page.push('\n');
}

fn command(report: &Report) -> String {
    let command = "cargo run --release -p regrow-compare";
    match report.run.command.as_str() {
        "" => command.to_owned(),
        arguments => format!("{command} -- {arguments}"),
    }
}

/// The machine, the versions and what is missing.
fn summary(report: &Report) -> String {
    let run = &report.run;
    let mut lines = Vec::new();
    if run.quick {
        lines.push(
            "**A quick run: it shows that everything works; its figures mean nothing.**\n".into(),
        );
    }
    lines.push(format!("- Machine: {}", run.machine));
    let versions = run.versions.iter();
    let mut versions: Vec<String> = versions
        .map(|(engine, version)| format!("{engine} {version}"))
        .collect();
    versions.extend(run.tools.iter().cloned());
    lines.push(format!("- Versions: {}", versions.join(", ")));
    lines.push(format!(
        "- {} in {} s, {} each; foreign load at most {:.0} % of a core",
        counted(u64::from(run.rounds), "round"),
        run.seconds,
        counted(run.workers as u64, "worker"),
        run.foreign_load
    ));
    lines.extend(
        run.left_out
            .iter()
            .map(|what| format!("- Left out: {what}")),
    );
    lines.join("\n") + "\n"
}

fn counted(count: u64, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

fn tables(report: &Report) -> String {
    let mut text = String::new();
    let mut notes = Notes::default();
    push(
        &mut text,
        "Medians, in nanoseconds an operation unless the row says otherwise, and in parentheses how many times as good \
         regrow is: below 1 it is worse.\n",
    );
    push(&mut text, &medians(report, &mut notes));
    push(&mut text, "What regrow aims at, in the same run:\n");
    push(&mut text, &goals(report));
    push(
        &mut text,
        "The best sample, and in parentheses how far apart the middle half of the samples lies, in percent of the \
         median. Cells beside which others used more than 5 % of a core say so.\n",
    );
    push(&mut text, &spreads(report));
    if !report.growth.is_empty() {
        push(&mut text, "## Growth\n");
        push(&mut text, &growth::table(&report.growth));
    }
    text.push_str(&notes.text());
    text
}

/// The engines that have a value somewhere, in the order of the columns.
fn columns(report: &Report) -> Vec<Engine> {
    let mut engines: Vec<Engine> = report.run.versions.keys().copied().collect();
    for row in &report.rows {
        engines.extend(row.median.keys());
    }
    engines.sort();
    engines.dedup();
    engines
}

fn head(first: &str, engines: &[Engine]) -> Vec<String> {
    let titles = engines.iter().map(|engine| engine.title().to_owned());
    std::iter::once(first.to_owned()).chain(titles).collect()
}

fn medians(report: &Report, notes: &mut Notes) -> String {
    let engines = columns(report);
    let mut table = Table::new(head("work", &engines));
    for row in &report.rows {
        let mut cells = vec![row.title.clone()];
        cells.extend(engines.iter().map(|&engine| match row.empty.get(&engine) {
            Some(why) => notes.mark(why),
            None => median(row, engine),
        }));
        table.row(cells);
    }
    table.markdown()
}

fn median(row: &RowReport, engine: Engine) -> String {
    let Some(&value) = row.median.get(&engine) else {
        return String::new();
    };
    let value = number(value, row.unit);
    match row.ratio.get(&engine) {
        Some(&ratio) => format!("{value} ({})", times(ratio)),
        None => value,
    }
}

/// As many digits as say something.
fn times(ratio: f64) -> String {
    if ratio < 0.0995 {
        format!("{ratio:.3}x")
    } else if ratio < 9.95 {
        format!("{ratio:.2}x")
    } else {
        format!("{ratio:.0}x")
    }
}

fn goals(report: &Report) -> String {
    let mut table = Table::new(["work", "goal", "reached?"]);
    for row in &report.rows {
        for goal in &row.goals {
            let met = match goal.met {
                Some(true) => "yes",
                Some(false) => "**no**",
                None => "not measured",
            };
            table.row(vec![row.title.clone(), goal.goal.clone(), met.into()]);
        }
    }
    table.markdown()
}

fn spreads(report: &Report) -> String {
    let engines = columns(report);
    let mut table = Table::new(head("work", &engines));
    for row in &report.rows {
        let mut cells = vec![row.title.clone()];
        cells.extend(engines.iter().map(|engine| {
            let best = row.best.get(engine).map(|&best| number(best, row.unit));
            let spread = row
                .spread
                .get(engine)
                .map(|spread| format!("({spread:.0} %)"));
            let foreign = row.foreign_load.get(engine).filter(|&&load| load > 5.0);
            let foreign = foreign.map(|load| format!("[foreign load {load:.0} %]"));
            let parts: Vec<String> = [best, spread, foreign].into_iter().flatten().collect();
            parts.join(" ")
        }));
        table.row(cells);
    }
    table.markdown()
}

/// Footnotes, one for each reason.
#[derive(Default)]
struct Notes {
    numbers: BTreeMap<String, usize>,
}

impl Notes {
    fn mark(&mut self, why: &str) -> String {
        let next = self.numbers.len() + 1;
        let number = self.numbers.entry(why.to_owned()).or_insert(next);
        format!("[^{number}]")
    }

    fn text(&self) -> String {
        let mut notes: Vec<_> = self.numbers.iter().collect();
        notes.sort_by_key(|&(_, number)| number);
        let mut text = String::new();
        for (why, number) in notes {
            // Writing into a string cannot fail.
            let _ = writeln!(text, "[^{number}]: {why}\n");
        }
        text
    }
}

/// The table of the front page: some rows, chosen before they were measured.
pub(crate) fn short_table(report: &Report) -> String {
    let engines = columns(report);
    let mut table = Table::new(head("work", &engines));
    for row in report.rows.iter().filter(|row| row.short) {
        let mut cells = vec![row.title.clone()];
        cells.extend(engines.iter().map(|&engine| median(row, engine)));
        table.row(cells);
    }
    let run = &report.run;
    let quick = if run.quick {
        " **A quick run: these figures mean nothing.**"
    } else {
        ""
    };
    format!(
        "{}\nMedian nanoseconds an operation unless the row says otherwise, and how many times as good regrow is; {}, {} \
         each.{quick}\n",
        table.markdown(),
        run.machine,
        counted(run.workers as u64, "worker")
    )
}

/// `text` with `table` between the two lines that mark its place.
pub(crate) fn insert(text: &str, table: &str) -> Result<String, NoPlace> {
    let (before, rest) = split_once_only(text, BEGIN)?;
    let (_, after) = split_once_only(rest, END)?;
    Ok(format!(
        "{before}{BEGIN}\n{}\n{END}{after}",
        table.trim_end()
    ))
}

fn split_once_only<'a>(text: &'a str, mark: &str) -> Result<(&'a str, &'a str), NoPlace> {
    match text.split_once(mark) {
        Some((before, after)) if !after.contains(mark) => Ok((before, after)),
        _ => Err(NoPlace),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::example;

    #[test]
    fn the_page_has_medians_ratios_goals_machine_and_versions() {
        let page = page(&example());
        for part in [
            "# Results",
            "-p regrow-compare -- --rounds 3`",
            "- Machine: a machine, 2 CPUs",
            "regrow 0.1.0, BEAM OTP 25, rustc 1.95.0",
            "3 rounds in 12 s, 2 workers each; foreign load at most 30 %",
            "- Left out: Go: go is not installed",
            "1500 (15x)",
            "700 (7.00x)",
            ">= 14x BEAM",
        ] {
            assert!(page.contains(part), "no {part:?} in\n{page}");
        }
    }

    #[test]
    fn rows_that_are_lost_are_printed_like_the_others() {
        let page = page(&example());
        let line = page.lines().find(|line| line.contains("TCP echo")).unwrap();
        assert!(
            line.contains("150.0k") && line.contains("170.0k (0.88x)"),
            "{line}"
        );
        assert!(page.contains("**no**"));
        assert!(short_table(&example()).contains("170.0k (0.88x)"));
    }

    #[test]
    fn empty_cells_have_footnotes_with_the_reason() {
        let page = page(&example());
        let marks = page.matches("[^").count();
        assert!(marks >= 4, "{page}");
        assert!(page.contains(": never: not one call was answered"));
        assert!(page.contains(": FAILED: hung: killed after 90 s"));
    }

    #[test]
    fn the_short_table_has_the_chosen_rows_only() {
        let mut report = example();
        report.rows[0].short = false;
        let table = short_table(&report);
        assert!(!table.contains("call with 5 s"));
        assert!(table.contains("TCP echo"));
    }

    #[test]
    fn the_table_is_put_between_the_marks_and_nothing_else_changes() {
        let text = format!("a\n{BEGIN}\nold\n{END}\nb\n");
        let new = insert(&text, "new\n").unwrap();
        assert_eq!(new, format!("a\n{BEGIN}\nnew\n{END}\nb\n"));
        assert_eq!(insert(&new, "new\n").unwrap(), new);
    }

    #[test]
    fn a_text_without_its_two_marks_is_refused() {
        assert_eq!(insert("no marks", "new"), Err(NoPlace));
        assert_eq!(insert(&format!("{END}\n{BEGIN}"), "new"), Err(NoPlace));
        let twice = format!("{BEGIN}\n{END}\n{BEGIN}\n{END}");
        assert_eq!(insert(&twice, "new"), Err(NoPlace));
    }

    #[test]
    fn a_quick_run_is_called_one_wherever_its_figures_stand() {
        let mut report = example();
        report.run.quick = true;
        assert!(page(&report).contains("mean nothing"));
        assert!(short_table(&report).contains("mean nothing"));
        assert!(printed(&report).contains("mean nothing"));
    }
}
