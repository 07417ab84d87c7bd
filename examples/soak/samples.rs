//! Resource usage of each process, every ten seconds: memory, descriptors, threads, disk. Written to samples.csv. At the end,
//! the slope after the warm-up is checked for processes that lived as long as the soak.

use super::boards::Boards;
use super::progress::Progress;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::{Duration, Instant};

/// Interval between two samples.
const EVERY: Duration = Duration::from_secs(10);
/// Share of the time in which buffers fill up: rings, caches, the request deduplication window.
const WARM_UP: f64 = 0.3;
/// Minimum duration for the check at full pace; a shorter soak does not show slow growth, and a slower one fills the buffers later.
const JUDGED_FROM: Duration = Duration::from_secs(20 * 60);
/// Allowed growth of memory in kilobytes: allocator noise.
const GROWTH_KB_MAX: f64 = 4_096.0;
/// Allowed growth of descriptors, which vary with connections.
const GROWTH_DESCRIPTORS_MAX: f64 = 8.0;

#[derive(Debug, Clone, Copy)]
pub struct Sample {
    at_s: f64,
    life: u32,
    pub memory_kb: f64,
    descriptors: f64,
    threads: f64,
}

pub struct Samples {
    file: BufWriter<File>,
    began: Instant,
    next: Instant,
    time: Duration,
    /// Minimum duration for the check at this pace.
    judged_from: Duration,
    taken: BTreeMap<&'static str, Vec<Sample>>,
    immortal: Vec<&'static str>,
}

impl Samples {
    pub fn new(folder: &Path, time: Duration, pace: f64) -> Samples {
        let mut file =
            BufWriter::new(File::create(folder.join("samples.csv")).expect("the samples can be written"));
        writeln!(file, "at_s,name,life,memory_kb,descriptors,threads,disk_kb")
            .expect("the samples can be written");
        let now = Instant::now();
        let judged_from = JUDGED_FROM.div_f64(pace);
        let (taken, immortal) = (BTreeMap::new(), Vec::new());
        Samples { file, began: now, next: now, time, judged_from, taken, immortal }
    }

    pub fn turn(&mut self, boards: &Boards, progress: &Progress) {
        if Instant::now() < self.next {
            return;
        }
        self.next += EVERY;
        for board in &boards.boards {
            let Some(pid) = board.pid() else { continue };
            let at_s = self.began.elapsed().as_secs_f64();
            // The process may be ending right now.
            let Some(sample) = sample(pid, at_s, board.lives) else { continue };
            let disk_kb = disk_kb(&boards.folder().join(board.name));
            progress.sampled(board.name, sample.memory_kb, sample.descriptors, disk_kb);
            let Sample { life, memory_kb, descriptors, threads, .. } = sample;
            writeln!(
                self.file,
                "{at_s:.0},{},{life},{memory_kb},{descriptors},{threads},{disk_kb}",
                board.name
            )
            .and_then(|()| self.file.flush())
            .expect("the samples can be written");
            self.taken.entry(board.name).or_default().push(sample);
            if !board.mortal && !self.immortal.contains(&board.name) {
                self.immortal.push(board.name);
            }
        }
    }

    fn judged(&self, name: &str) -> Vec<Sample> {
        let from_s = self.time.as_secs_f64() * WARM_UP;
        let taken = self.taken.get(name).map(Vec::as_slice).unwrap_or_default();
        taken.iter().copied().filter(|sample| sample.at_s >= from_s).collect()
    }

    pub fn table(&self) -> String {
        let mut lines = vec![
            "| process | lives | memory at first, in the end, most (MB) | growth an hour (MB) | descriptors, most | threads, most |"
                .to_string(),
            "|---|---|---|---|---|---|".to_string(),
        ];
        for (name, taken) in &self.taken {
            let (Some(first), Some(last)) = (self.judged(name).first().copied(), taken.last()) else {
                continue;
            };
            let most = |of: fn(&Sample) -> f64| taken.iter().map(of).fold(0.0, f64::max);
            let growth = if self.immortal.contains(name) {
                format!("{:+.2}", slope(&self.judged(name), |sample| sample.memory_kb) * 3_600.0 / 1_024.0)
            } else {
                "begins anew".to_string()
            };
            lines.push(format!(
                "| {name} | {} | {:.1}, {:.1}, {:.1} | {growth} | {}, {} | {} |",
                last.life,
                first.memory_kb / 1_024.0,
                last.memory_kb / 1_024.0,
                most(|sample| sample.memory_kb) / 1_024.0,
                last.descriptors,
                most(|sample| sample.descriptors),
                most(|sample| sample.threads),
            ));
        }
        if self.time < self.judged_from {
            lines.push(format!("(not judged: shorter than {} minutes)", self.judged_from.as_secs() / 60));
        }
        lines.join("\n")
    }

    /// Returns the problems found.
    pub fn wrong(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        if self.time < self.judged_from {
            return wrong;
        }
        let judged_s = self.time.as_secs_f64() * (1.0 - WARM_UP);
        for name in &self.immortal {
            let samples = self.judged(name);
            let kb = slope(&samples, |sample| sample.memory_kb) * judged_s;
            let descriptors = slope(&samples, |sample| sample.descriptors) * judged_s;
            if kb > GROWTH_KB_MAX {
                wrong.push(format!("the memory of {name} grew by {kb:.0} kB after the warm-up"));
            }
            if descriptors > GROWTH_DESCRIPTORS_MAX {
                wrong.push(format!("the descriptors of {name} grew by {descriptors:.1} after the warm-up"));
            }
            if samples.iter().any(|sample| sample.life != 1) {
                wrong.push(format!("{name} did not live to the end"));
            }
        }
        wrong
    }
}

/// Returns the slope per second by least squares.
fn slope(samples: &[Sample], of: fn(&Sample) -> f64) -> f64 {
    let count = samples.len().max(1) as f64;
    let mean = |of: &dyn Fn(&Sample) -> f64| samples.iter().map(of).sum::<f64>() / count;
    let (at, value) = (mean(&|sample| sample.at_s), mean(&of));
    let both: f64 = samples.iter().map(|sample| (sample.at_s - at) * (of(sample) - value)).sum();
    let square: f64 = samples.iter().map(|sample| (sample.at_s - at).powi(2)).sum();
    if square > 0.0 { both / square } else { 0.0 }
}

pub fn sample(pid: u32, at_s: f64, life: u32) -> Option<Sample> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let field = |name: &str| -> Option<f64> {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().trim_end_matches(" kB").parse().ok()
    };
    let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).ok()?.count() as f64;
    Some(Sample { at_s, life, memory_kb: field("VmRSS:")?, descriptors, threads: field("Threads:")? })
}

fn disk_kb(folder: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt;
    let Ok(files) = fs::read_dir(folder) else { return 0 };
    let blocks = files.filter_map(|file| Some(file.ok()?.metadata().ok()?.blocks()));
    blocks.sum::<u64>() / 2
}
