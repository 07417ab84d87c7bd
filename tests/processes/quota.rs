//! Disk quota: growing writes are refused with a message, everything else continues.

use crate::test_cluster::TestCluster;
use ribbit_state::Code;
use testkit::page_text::croaks;

#[test]
fn croaks_are_refused_in_words_before_the_disk_is_full_and_deleting_goes_on() {
    // Checkpoint after a few entries instead of thousands.
    let mut pond = TestCluster::empty();
    pond.environment = vec![("RIBBIT_TEST_LOG_KEEP", "16".into())];
    pond.up(&[]);
    let mut ada = pond.browser();
    ada.join("ada");
    let mut bob = pond.browser();
    bob.join("bob");
    ada.post("/manage", &[("username", "bob"), ("choice", "add")]).leads_to("/manage?note=added");
    (0..40).for_each(|number| ada.croak(&format!("{number} of forty")));
    ada.croak("while there is room");
    let status = pond.await_whole();
    assert!(status.members.iter().all(|member| !member.disk_full && member.disk_quota_bytes == 2 << 30));
    let taken = status.members.iter().map(|member| member.disk_bytes).max().expect("members");
    println!("the store takes {taken} bytes");
    pond.stop();

    // The smallest possible quota, which any store exceeds.
    pond.up(&["--disk-quota", "64KiB"]);
    ada.address = pond.web();
    bob.address = pond.web();
    let status = pond.await_whole();
    assert!(status.members.iter().all(|member| member.disk_full), "{status:?}");
    let page = ada.post("/main", &[("post", "one too many")]);
    page.refuses(Code::DisksFull);
    page.says(422, "one too many");
    assert_eq!(croaks(&ada.get("/main"))[..2], ["while there is room", "39 of forty"]);
    let mut eve = pond.browser();
    let form = [("name", "Eve"), ("email", "e@b"), ("username", "eve"), ("password", "password")];
    eve.post("/create", &form).refuses(Code::DisksFull);
    let (code, said) = pond.typed(&["status"]);
    assert_eq!(code, 0);
    assert!(said.contains("DISK FULL: backend-1") && said.contains("--disk-quota"), "{said}");
    let (code, said) = pond.typed(&["health"]);
    assert!(code == 3 && said.contains("The disks are full") && !said.contains("it works"), "{code}: {said}");

    // Writes that free space and membership changes are accepted.
    ada.post("/manage", &[("username", "bob"), ("choice", "remove")]).leads_to("/manage?note=removed");
    bob.post("/delete", &[("password", "password")]);
    ada.get("/manage").says(200, "ada");
    let mut bob = pond.browser();
    bob.post("/login", &[("username", "bob"), ("password", "password")]).refuses(Code::NoSuchUser);
    for verb in ["drain", "undrain"] {
        let (code, said) = pond.typed(&["member", verb, "backend-3"]);
        assert_eq!(code, 0, "{said}");
    }
    pond.stop();

    // Space was freed.
    pond.up(&["--disk-quota", "1GB"]);
    ada.address = pond.web();
    ada.croak("room again");
    assert_eq!(croaks(&ada.get("/main"))[..2], ["room again", "while there is room"]);
}
