//! Markdown tables whose columns line up, and how values are written.

use crate::rows::Unit;

/// A table that is filled row by row.
#[derive(Debug)]
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// The first column is text, the others are figures.
    pub(crate) fn new<T: Into<String>>(head: impl IntoIterator<Item = T>) -> Table {
        Table {
            rows: vec![head.into_iter().map(Into::into).collect()],
        }
    }

    /// Adds a row of as many cells as the head has.
    pub(crate) fn row(&mut self, cells: Vec<String>) {
        debug_assert_eq!(cells.len(), self.rows[0].len());
        self.rows.push(cells);
    }

    /// As Markdown, readable as it stands.
    pub(crate) fn markdown(&self) -> String {
        let width = |column: usize| {
            let lengths = self.rows.iter().map(|row| row[column].chars().count());
            lengths.max().unwrap_or(0).max(3)
        };
        let widths: Vec<usize> = (0..self.rows[0].len()).map(width).collect();
        let mut text = String::new();
        for (index, row) in self.rows.iter().enumerate() {
            for (column, cell) in row.iter().enumerate() {
                let width = widths[column];
                text.push_str(&if column == 0 {
                    format!("| {cell:<width$} ")
                } else {
                    format!("| {cell:>width$} ")
                });
            }
            text.push_str("|\n");
            if index == 0 {
                for (column, width) in widths.iter().enumerate() {
                    let end = if column == 0 { "-" } else { ":" };
                    text.push_str(&format!("|{}{end}", "-".repeat(width + 1)));
                }
                text.push_str("|\n");
            }
        }
        text
    }
}

/// A value as the tables write it.
pub(crate) fn number(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Nanos if value >= 1_000_000.0 => format!("{:.1} ms", value / 1e6),
        Unit::Nanos if value >= 10_000.0 => format!("{:.1} us", value / 1e3),
        Unit::PerSecond if value >= 1000.0 => format!("{:.1}k", value / 1e3),
        _ if value < 100.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let mut table = Table::new(["work", "a"]);
        table.row(vec!["call".into(), "12345".into()]);
        assert_eq!(
            table.markdown(),
            "| work |     a |\n|------|------:|\n| call | 12345 |\n"
        );
    }

    #[test]
    fn numbers_have_the_unit_that_suits_their_size() {
        assert_eq!(number(37.04, Unit::Nanos), "37.0");
        assert_eq!(number(993.4, Unit::Nanos), "993");
        assert_eq!(number(49_000.0, Unit::Nanos), "49.0 us");
        assert_eq!(number(999_000.0, Unit::Nanos), "999.0 us");
        assert_eq!(number(2_140_000.0, Unit::Nanos), "2.1 ms");
        assert_eq!(number(20_000_000.0, Unit::Nanos), "20.0 ms");
        assert_eq!(number(154_321.0, Unit::PerSecond), "154.3k");
        assert_eq!(number(2674.4, Unit::Bytes), "2674");
    }
}
