//! The folder: which name leads to which file, now and after a power cut.

use super::super::random::Random;
use super::FileId;
use ribbit_db::StoreFile;
use std::collections::BTreeMap;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Name {
    Store(StoreFile),
    Log(u64),
}

impl Name {
    pub const MAIN: Name = Name::Store(StoreFile::Main);
    pub const INCOMING: Name = Name::Store(StoreFile::Incoming);

    /// Returns the number under which the trace knows this name.
    pub fn number(self) -> u64 {
        match self {
            Name::Store(StoreFile::Main) => 0,
            Name::Store(StoreFile::Incoming) => 1,
            Name::Log(number) => 2 + number,
        }
    }

    pub fn is_log(self) -> bool {
        matches!(self, Name::Log(_))
    }
}

#[derive(Debug, Clone, Copy)]
enum Change {
    Creates(Name, FileId),
    Renames(Name, Name, FileId),
    Removes(Name),
}

type Folder = BTreeMap<Name, FileId>;

#[derive(Debug, Clone, Default)]
pub struct Names {
    now: Folder,
    durable: Folder,
    /// Changes since the last sync, in order.
    changes: Vec<Change>,
}

fn carry_out(folder: &mut Folder, change: Change) {
    match change {
        Change::Creates(name, id) => {
            folder.insert(name, id);
        }
        Change::Renames(from, to, id) => {
            folder.remove(&from);
            folder.insert(to, id);
        }
        Change::Removes(name) => {
            folder.remove(&name);
        }
    }
}

impl Names {
    pub fn find(&self, name: Name) -> Option<FileId> {
        self.now.get(&name).copied()
    }

    /// Returns the files in the order of their names: the log's newest segment last.
    pub fn in_order(&self) -> Vec<FileId> {
        self.now.values().copied().collect()
    }

    /// Returns every file that a name leads to, or would after a power cut.
    pub fn files(&self) -> impl Iterator<Item = FileId> {
        let pending = self.changes.iter().filter_map(|change| match change {
            Change::Creates(_, id) | Change::Renames(_, _, id) => Some(*id),
            Change::Removes(_) => None,
        });
        self.now.values().chain(self.durable.values()).copied().chain(pending)
    }

    pub fn logs(&self) -> impl Iterator<Item = FileId> {
        self.now.iter().filter(|(name, _)| name.is_log()).map(|(_, id)| *id)
    }

    pub fn newest_log(&self) -> Option<FileId> {
        self.logs().last()
    }

    pub fn log_numbers(&self) -> Vec<u64> {
        let number = |name: &Name| if let Name::Log(number) = name { Some(*number) } else { None };
        self.now.keys().filter_map(number).collect()
    }

    fn change(&mut self, change: Change) {
        carry_out(&mut self.now, change);
        self.changes.push(change);
    }

    pub fn create(&mut self, name: Name, id: FileId) {
        self.change(Change::Creates(name, id));
    }

    /// Renames; returns which file it was, if there was one.
    pub fn rename(&mut self, from: Name, to: Name) -> Option<FileId> {
        let id = self.find(from)?;
        self.change(Change::Renames(from, to, id));
        Some(id)
    }

    pub fn remove(&mut self, name: Name) {
        if self.find(name).is_some() {
            self.change(Change::Removes(name));
        }
    }

    pub fn sync(&mut self) {
        self.durable.clone_from(&self.now);
        self.changes.clear();
    }

    /// Cuts the power: all, none, the first or any of the changes since the last sync survive.
    pub fn cut_power(&mut self, random: &mut Random) {
        let changes = std::mem::take(&mut self.changes);
        let first = random.between(0, changes.len() as u64 + 1) as usize;
        let how = random.between(0, 4);
        for (at, change) in changes.into_iter().enumerate() {
            let survives = [true, false, at < first, random.permille(500)][how as usize];
            if survives {
                carry_out(&mut self.durable, change);
            }
        }
        self.now.clone_from(&self.durable);
    }

    pub fn after_power_cut(&self) -> Names {
        Names { now: self.durable.clone(), durable: self.durable.clone(), changes: Vec::new() }
    }

    pub fn after_kill(&self) -> Names {
        Names { now: self.now.clone(), durable: self.now.clone(), changes: Vec::new() }
    }
}
