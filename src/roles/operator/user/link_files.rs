//! Where the one-time links of an import go: a table in CSV, a page of cards to print, or both.

use crate::client::verbs::{VerbError, say, usage};
use crate::common::csv;
use crate::common::failure::{Exit, Failure};
use ribbit_ui::link_cards;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Names of the columns of the table.
const COLUMNS: [&str; 3] = ["name", "username", "link"];

/// Writer of one-time links. Each link is in all files before the next account is created.
pub(super) struct LinkFiles {
    /// Table; standard output if there is no file at all.
    table: Option<NewFile>,
    cards: Option<NewFile>,
}

impl LinkFiles {
    /// Creates the files and writes their beginnings. With `force`, existing files are replaced.
    ///
    /// # Errors
    /// `Usage` if a file exists; `Refused` if one cannot be written.
    pub(super) fn begin(
        table: Option<&Path>,
        cards: Option<&Path>,
        force: bool,
    ) -> Result<LinkFiles, VerbError> {
        let create = |path: Option<&Path>| path.map(|path| NewFile::create(path, force)).transpose();
        let mut files = LinkFiles { table: create(table)?, cards: create(cards)? };
        files.add_to_table(&csv::line(&COLUMNS))?;
        if let Some(cards) = &mut files.cards {
            cards.add(&link_cards::begin())?;
        }
        Ok(files)
    }

    /// Adds the link of a person.
    ///
    /// # Errors
    /// `Refused` if a file cannot be written.
    pub(super) fn add(&mut self, name: &str, username: &str, link: &str) -> Result<(), VerbError> {
        self.add_to_table(&csv::line(&[name, username, link]))?;
        match &mut self.cards {
            Some(cards) => cards.add(&link_cards::card(name, username, link)),
            None => Ok(()),
        }
    }

    fn add_to_table(&mut self, line: &str) -> Result<(), VerbError> {
        match (&mut self.table, &self.cards) {
            (Some(table), _) => table.add(&format!("{line}\n")),
            (None, Some(_)) => Ok(()),
            (None, None) => say(line),
        }
    }

    /// Makes the files durable.
    ///
    /// # Errors
    /// `Refused` if a file cannot be synced.
    pub(super) fn finish(self) -> Result<(), VerbError> {
        for NewFile { file, path } in [self.table, self.cards].into_iter().flatten() {
            file.sync_all().map_err(|error| unwritable(&path, &error))?;
        }
        Ok(())
    }
}

/// A new file, readable by its owner only.
struct NewFile {
    file: File,
    path: PathBuf,
}

impl NewFile {
    fn create(path: &Path, force: bool) -> Result<NewFile, VerbError> {
        if force && path.is_file() {
            fs::remove_file(path).map_err(|error| unwritable(path, &error))?;
        }
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        let file = file.map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => usage(format!(
                "{} exists: name another file, or add --force to replace it and the links in it",
                path.display()
            )),
            _ => unwritable(path, &error),
        })?;
        Ok(NewFile { file, path: path.to_path_buf() })
    }

    fn add(&mut self, text: &str) -> Result<(), VerbError> {
        self.file.write_all(text.as_bytes()).map_err(|error| unwritable(&self.path, &error))
    }
}

fn unwritable(path: &Path, error: &io::Error) -> VerbError {
    Failure::new(Exit::Refused, format!("cannot write {}: {error}", path.display())).into()
}
