//! Memory and descriptors of the attacked process, sampled five times per second.

use super::Options;
use super::raid::Target;
use ribbit_state::sync::MutexExt;
use std::fs;
use std::sync::{Arc, Mutex};
use std::time::Duration;

#[derive(Debug, Clone, Copy, Default)]
pub struct Taken {
    pub memory_mb: f64,
    pub descriptors: usize,
}

pub struct Watched {
    pid: u32,
    most: Arc<Mutex<Taken>>,
}

impl Watched {
    /// Finds the process of the target by its command line.
    pub fn of(options: &Options, target: Target) -> Watched {
        let folder = options.data_dir.display().to_string();
        let is_it = |pid: &u32| {
            let words = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let words = String::from_utf8_lossy(&words).replace('\0', " ");
            words.contains(&folder) && target.words().iter().all(|word| words.contains(word))
        };
        let processes = fs::read_dir("/proc").expect("/proc is there");
        let pids = processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
        let pid = pids.into_iter().find(is_it).unwrap_or_else(|| panic!("{target:?} does not run"));
        Watched { pid, most: Arc::default() }
    }

    pub fn now(&self) -> Taken {
        taken(self.pid)
    }

    /// Resets the maxima.
    pub fn begin(&self) {
        let (pid, most) = (self.pid, self.most.clone());
        // Ends with this process or with the target.
        std::thread::spawn(move || {
            while fs::metadata(format!("/proc/{pid}")).is_ok() && Arc::strong_count(&most) > 1 {
                let now = taken(pid);
                let mut most = most.locked();
                most.memory_mb = most.memory_mb.max(now.memory_mb);
                most.descriptors = most.descriptors.max(now.descriptors);
                drop(most);
                std::thread::sleep(Duration::from_millis(200));
            }
        });
    }

    pub fn most(&self) -> Taken {
        *self.most.locked()
    }
}

fn taken(pid: u32) -> Taken {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    let kb: f64 = line.trim().trim_end_matches(" kB").parse().unwrap_or_default();
    let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count);
    Taken { memory_mb: kb / 1_024.0, descriptors }
}
