//! The figures on record.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// Instructions an operation of each path, and whose they are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    /// What the compiler calls itself: another one's code is not to be compared.
    pub(crate) compiler: String,
    pub(crate) paths: BTreeMap<String, u64>,
}

impl Record {
    /// What is on record; nothing if there is no such file yet.
    pub(crate) fn read(file: &Path) -> Result<Record, String> {
        let text = match fs::read_to_string(file) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Record::default()),
            Err(error) => return Err(format!("{}: {error}", file.display())),
        };
        serde_json::from_str(&text).map_err(|error| format!("{}: {error}", file.display()))
    }

    pub(crate) fn write(&self, file: &Path) -> Result<(), String> {
        let text = serde_json::to_string_pretty(self).map_err(|error| error.to_string())?;
        fs::write(file, text + "\n").map_err(|error| format!("{}: {error}", file.display()))
    }
}

/// What has become of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// It was not on record.
    New,
    Known {
        recorded: u64,
        counted: u64,
    },
}

impl Change {
    pub(crate) fn of(recorded: Option<u64>, counted: u64) -> Change {
        match recorded {
            None | Some(0) => Change::New,
            Some(recorded) => Change::Known { recorded, counted },
        }
    }

    /// By more than a twentieth.
    pub(crate) fn is_growth(self) -> bool {
        match self {
            Change::New => false,
            Change::Known { recorded, counted } => 20 * counted > 21 * recorded,
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Change::New => f.write_str("not on record"),
            Change::Known { recorded, counted } => {
                let part = 100.0 * (counted as f64 / recorded as f64 - 1.0);
                write!(f, "{part:+.1} %")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_twentieth_more_is_tolerated_and_more_is_not() {
        assert!(!Change::of(Some(1000), 1050).is_growth());
        assert!(Change::of(Some(1000), 1051).is_growth());
        assert!(!Change::of(Some(1000), 10).is_growth());
    }

    #[test]
    fn what_was_not_on_record_has_not_grown() {
        assert_eq!(Change::of(None, 7), Change::New);
        assert!(!Change::of(Some(0), 7).is_growth());
    }

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let file = std::env::temp_dir().join(format!("regrow-record-{}", std::process::id()));
        assert_eq!(Record::read(&file), Ok(Record::default()));
        let record = Record {
            compiler: "a compiler".to_owned(),
            paths: BTreeMap::from([("hop".to_owned(), 763)]),
        };
        record.write(&file).unwrap();
        assert_eq!(Record::read(&file), Ok(record));
        fs::write(&file, "no record").unwrap();
        assert!(Record::read(&file).is_err());
        fs::remove_file(&file).unwrap();
    }
}
