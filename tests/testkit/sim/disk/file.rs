//! A file: its pages in the cache and on the platter, and how it can be damaged.

use super::super::random::Random;
use std::collections::VecDeque;
use std::io;
use xxhash_rust::xxh3::xxh3_64;

const SECTOR: usize = 512;
const PAGE: usize = 4096;
/// A disk goes back by so many syncs at most.
const UNDO_MAX: usize = 12;
/// Length and checksum, with which each record of the log begins.
const FRAME: usize = 8;

#[derive(Debug, Clone)]
enum Write {
    Bytes { offset: usize, bytes: Vec<u8> },
    Length(usize),
}

impl Write {
    /// Splits the write at the ends of pages: each page reaches the platter, or does not, by itself.
    fn pages(self) -> Vec<Write> {
        let Write::Bytes { offset, bytes } = self else { return vec![self] };
        let mut pages = Vec::new();
        let mut from = 0;
        while from < bytes.len() {
            let to = ((offset + from) / PAGE * PAGE + PAGE - offset).min(bytes.len());
            pages.push(Write::Bytes { offset: offset + from, bytes: bytes[from..to].to_vec() });
            from = to;
        }
        pages
    }

    /// Returns the first and the last page that it touches.
    fn touches(&self) -> Option<(usize, usize)> {
        match self {
            Write::Bytes { offset, bytes } if !bytes.is_empty() => {
                Some((offset / PAGE, (offset + bytes.len() - 1) / PAGE))
            }
            Write::Bytes { .. } | Write::Length(_) => None,
        }
    }
}

/// Data that a sync has overwritten: the length before, and bytes by offset, in the order of the writes.
#[derive(Debug, Clone)]
struct Undo {
    length: usize,
    bytes: Vec<(usize, Vec<u8>)>,
}

/// Content of a write to a log segment, up to its last byte that is not zero.
#[derive(Debug, Clone)]
struct Record {
    from: usize,
    to: usize,
    sum: u64,
}

impl Record {
    fn is_whole(&self, bytes: &[u8]) -> bool {
        bytes.get(self.from..self.to).is_some_and(|bytes| xxh3_64(bytes) == self.sum)
    }
}

#[derive(Debug, Default)]
pub struct File {
    cache: Vec<u8>,
    platter: Vec<u8>,
    /// In the cache, to be written by the next sync.
    dirty: Vec<Write>,
    /// In the cache, clean, and never written, by pages: a sync has failed.
    unwritten: Vec<Write>,
    /// Data that the last syncs overwrote, oldest first, to roll the file back.
    undo: VecDeque<Undo>,
    /// By offset, of a file that is appended to.
    records: Vec<Record>,
}

/// Kind of damage to a log segment that is followed by an intact record.
#[derive(Debug, Clone, Copy)]
pub enum MiddleDamage {
    /// A bit of a record's length.
    LengthBit,
    ZeroedHead,
    ZeroedPage,
}

fn carry_out(bytes: &mut Vec<u8>, write: &Write, length: usize) {
    match write {
        Write::Bytes { offset, bytes: new } => {
            let new = &new[..length.min(new.len())];
            if bytes.len() < offset + new.len() {
                bytes.resize(offset + new.len(), 0);
            }
            bytes[*offset..offset + new.len()].copy_from_slice(new);
        }
        Write::Length(length) => bytes.resize(*length, 0),
    }
}

/// Zeroes a used sector, fills it with noise, or flips a bit in it.
fn spoil(bytes: &mut [u8], random: &mut Random) {
    let is_used = |sector: &usize| bytes[sector * SECTOR..][..SECTOR].iter().any(|byte| *byte != 0);
    let used: Vec<usize> = (0..bytes.len() / SECTOR).filter(is_used).collect();
    if used.is_empty() {
        return;
    }
    let sector = used[random.between(0, used.len() as u64) as usize];
    let sector = &mut bytes[sector * SECTOR..][..SECTOR];
    match random.between(0, 3) {
        0 => sector.fill(0),
        1 => sector.fill_with(|| random.draw() as u8),
        _ => sector[random.between(0, SECTOR as u64) as usize] ^= 1 << random.between(0, 8),
    }
}

impl File {
    pub fn len(&self) -> usize {
        self.cache.len()
    }

    pub fn cached(&self) -> &[u8] {
        &self.cache
    }

    pub fn read(&self, offset: usize, out: &mut [u8]) -> io::Result<()> {
        let bytes = self.cache.get(offset..offset + out.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(bytes);
        Ok(())
    }

    pub fn set_len(&mut self, length: usize) {
        self.records.retain(|record| record.from < length);
        self.writes(Write::Length(length));
    }

    pub fn write(&mut self, offset: usize, bytes: &[u8]) {
        self.records.retain(|record| record.from < offset);
        if let Some(last) = bytes.iter().rposition(|byte| *byte != 0) {
            let (to, sum) = (offset + last + 1, xxh3_64(&bytes[..=last]));
            self.records.push(Record { from: offset, to, sum });
        }
        let write = Write::Bytes { offset, bytes: bytes.to_vec() };
        // A page is written as a whole: what a failed sync left in it is dirty again.
        if let Some((first, last)) = write.touches() {
            let touched =
                |write: &mut Write| write.touches().is_some_and(|(page, _)| (first..=last).contains(&page));
            let again: Vec<Write> = self.unwritten.extract_if(.., touched).collect();
            self.dirty.extend(again);
        }
        self.writes(write);
    }

    fn writes(&mut self, write: Write) {
        carry_out(&mut self.cache, &write, usize::MAX);
        self.dirty.push(write);
    }

    /// It has another name, under which nothing was written yet.
    pub fn renamed(&mut self) {
        self.records.clear();
    }

    pub fn sync(&mut self) {
        let dirty = std::mem::take(&mut self.dirty);
        self.persist(dirty.into_iter().map(|write| (write, usize::MAX)));
    }

    /// These writes, or the first bytes of them, reach the platter.
    fn persist(&mut self, writes: impl IntoIterator<Item = (Write, usize)>) {
        let mut undo = Undo { length: self.platter.len(), bytes: Vec::new() };
        for (write, length) in writes {
            let (from, to) = match &write {
                Write::Bytes { offset, bytes } => (*offset, offset + bytes.len()),
                Write::Length(length) => (*length, self.platter.len()),
            };
            let to = to.min(self.platter.len());
            undo.bytes.push((from, self.platter.get(from..to).unwrap_or_default().to_vec()));
            carry_out(&mut self.platter, &write, length);
        }
        self.undo.push_back(undo);
        if self.undo.len() > UNDO_MAX {
            self.undo.pop_front();
        }
    }

    /// A sync fails: some dirty pages are written, the others are marked clean all the same.
    pub fn fail_sync(&mut self, random: &mut Random) {
        let survival = [0, random.between(0, 1000)][random.between(0, 2) as usize];
        let dirty = std::mem::take(&mut self.dirty);
        let (written, left): (Vec<Write>, Vec<Write>) =
            dirty.into_iter().flat_map(Write::pages).partition(|_| random.permille(survival));
        self.persist(written.into_iter().map(|write| (write, usize::MAX)));
        // The length is no page: it stays dirty.
        (self.dirty, self.unwritten) = {
            let mut unwritten = std::mem::take(&mut self.unwritten);
            let (lengths, pages): (Vec<Write>, Vec<Write>) =
                left.into_iter().partition(|write| matches!(write, Write::Length(_)));
            unwritten.extend(pages);
            (lengths, unwritten)
        };
    }

    /// The kernel drops clean pages, and reads them again from the platter when they are wanted.
    pub fn drop_clean_pages(&mut self) {
        if !self.unwritten.is_empty() {
            self.unwritten.clear();
            self.cache.clone_from(&self.platter);
            for write in &self.dirty {
                carry_out(&mut self.cache, write, usize::MAX);
            }
        }
    }

    pub fn cut_power(&mut self, random: &mut Random) {
        let dirty = std::mem::take(&mut self.dirty);
        // Most often all or nothing of the cache survives; sometimes any part of it.
        let survival = [0, 1000, random.between(0, 1000)][random.between(0, 3) as usize];
        let mut survives = |write| {
            let torn = random.permille(50);
            let length = if torn { random.between(0, PAGE as u64) as usize } else { usize::MAX };
            random.permille(survival).then_some((write, length))
        };
        let survivors: Vec<_> = dirty.into_iter().flat_map(Write::pages).filter_map(&mut survives).collect();
        self.persist(survivors);
        self.find_platter();
    }

    /// The next process finds what is on the platter.
    fn find_platter(&mut self) {
        self.dirty.clear();
        self.unwritten.clear();
        self.cache.clone_from(&self.platter);
        let whole = self.records.iter().take_while(|record| record.is_whole(&self.platter)).count();
        self.records.truncate(whole);
    }

    pub fn copy_of_platter(&self) -> File {
        let (platter, undo, records) = (self.platter.clone(), self.undo.clone(), self.records.clone());
        let mut copy = File { platter, undo, records, ..File::default() };
        copy.find_platter();
        copy
    }

    pub fn copy_of_cache(&self) -> File {
        let (platter, records) = (self.cache.clone(), self.records.clone());
        let mut copy = File { platter, records, ..File::default() };
        copy.find_platter();
        copy
    }

    /// The newest syncs are not there after all.
    pub fn turn_back(&mut self, random: &mut Random) {
        for _ in 0..random.between(1, UNDO_MAX as u64) {
            let Some(undo) = self.undo.pop_back() else { break };
            for (offset, bytes) in undo.bytes.into_iter().rev() {
                carry_out(&mut self.platter, &Write::Bytes { offset, bytes }, usize::MAX);
            }
            self.platter.resize(undo.length, 0);
        }
        self.find_platter();
    }

    /// Spoils some sectors, or cuts the file short.
    pub fn damage(&mut self, random: &mut Random) {
        if random.permille(100) {
            let length = random.between(0, self.platter.len() as u64 + 1) as usize;
            self.platter.truncate(length);
        }
        for _ in 0..random.between(1, 4) {
            spoil(&mut self.platter, random);
        }
        self.cache.clone_from(&self.platter);
    }

    /// Returns true if an intact record follows a damaged one.
    pub fn has_whole_behind_damage(&self) -> bool {
        let mut records = self.records.iter().skip_while(|record| record.is_whole(&self.platter));
        records.any(|record| record.is_whole(&self.platter))
    }

    /// Damages a record that is followed by a whole one, if there are two at least.
    pub fn damage_middle(&mut self, random: &mut Random) -> Option<MiddleDamage> {
        let behind = self.records.len().checked_sub(1).filter(|count| *count > 0)?;
        let at = self.records[random.between(0, behind as u64) as usize].from;
        let page = at / PAGE * PAGE..((at / PAGE + 1) * PAGE).min(self.platter.len());
        let is_followed = self.records.iter().any(|record| record.from >= page.end);
        let how = match random.between(0, 3) {
            0 => MiddleDamage::LengthBit,
            1 if is_followed => MiddleDamage::ZeroedPage,
            _ => MiddleDamage::ZeroedHead,
        };
        match how {
            MiddleDamage::LengthBit => {
                self.platter[at + random.between(0, 4) as usize] ^= 1 << random.between(0, 8);
            }
            MiddleDamage::ZeroedHead => self.platter[at..at + FRAME].fill(0),
            MiddleDamage::ZeroedPage => self.platter[page].fill(0),
        }
        self.cache.clone_from(&self.platter);
        Some(how)
    }
}
