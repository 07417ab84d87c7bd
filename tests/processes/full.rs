//! A full disk: the member stops and reports it, the others continue, and it recovers once there is space.

use crate::test_cluster::{TestCluster, awaited};
use crate::writers::{Writers, stores_agree};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// A small tmpfs. `None` when this process may not mount one.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn at(folder: &Path) -> Option<SmallDisk> {
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=8m,mode=700", "tmpfs"])
            .arg(folder)
            .output()
            .map_err(|error| error.to_string())
            .and_then(|output| match output.status.success() {
                true => Ok(()),
                false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
            });
        match mount {
            Ok(()) => Some(SmallDisk(folder.to_path_buf())),
            Err(why) => {
                println!("skipped: no small disk can be mounted here: {why}");
                None
            }
        }
    }

    fn filler(&self) -> PathBuf {
        self.0.join("something-else")
    }

    /// Fills the disk with another file.
    fn fill(&self) {
        let mut file = fs::OpenOptions::new().create(true).append(true).open(self.filler()).expect("a file");
        let full = std::io::copy(&mut std::io::repeat(7), &mut file).expect_err("no disk is endless");
        assert_eq!(full.kind(), std::io::ErrorKind::StorageFull);
    }

    fn make_room(&self) {
        fs::remove_file(self.filler()).expect("a file");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_ends_its_member_alone_and_room_brings_it_back() {
    let mut pond = TestCluster::start();
    pond.await_whole();
    pond.stop();
    // Move the store to the small disk.
    let folder = pond.folder().join("backend-2");
    let elsewhere = pond.folder().join("moved");
    fs::rename(&folder, &elsewhere).expect("a folder");
    fs::create_dir(&folder).expect("a folder");
    let Some(disk) = SmallDisk::at(&folder) else { return };
    for file in fs::read_dir(&elsewhere).expect("a folder") {
        let file = file.expect("a folder");
        fs::copy(file.path(), folder.join(file.file_name())).expect("a store");
    }
    fs::remove_dir_all(&elsewhere).expect("a folder");

    // Without the reserve, so that the disk really runs full.
    pond.environment = vec![("RIBBIT_TEST_DISK_RESERVE", "0".into())];
    pond.up(&[]);
    let writers = Writers::start(&pond.web(), 4);
    writers.await_progress();
    disk.fill();
    let deaths = |pond: &TestCluster| {
        let said = pond.said().into_iter();
        said.filter(|line| line.starts_with("backend-2 (pid ") && line.contains("exited with code 74"))
            .count()
    };
    awaited("it has ended", || (deaths(&pond) > 0).then_some(()));
    let before = deaths(&pond);
    writers.await_progress();
    // The space that the member itself frees is filled, too.
    for _ in 0..60 {
        disk.fill();
        std::thread::sleep(Duration::from_millis(100));
    }
    writers.await_progress();
    let again = deaths(&pond) - before;
    println!("started again in vain {again} times in 6 s");
    assert!(again <= 8, "{:?}", pond.said());
    let log = fs::read_to_string(pond.folder().join("said.log")).expect("a log");
    let line =
        log.lines().find(|line| line.starts_with("ribbit: backend-2: the disk is full")).expect("said");
    assert!(
        line.contains("Make room on the disk of") && line.contains(folder.to_str().expect("text")),
        "{line}"
    );
    println!("{line}");
    let status = pond.status();
    assert!(status.leader.is_some(), "{status:?}");

    disk.make_room();
    pond.await_status("it is back", |status| {
        status.members.len() == 5 && status.members.iter().all(|member| member.alive && member.in_sync)
    });
    let mut written = writers.stop();
    pond.await_whole();
    written.judge_pages();
    pond.stop();
    assert!(
        !folder.join("lost").exists() && !folder.join("aside").join("store.redb").exists(),
        "a full disk is no damage"
    );
    stores_agree(&pond);
}
