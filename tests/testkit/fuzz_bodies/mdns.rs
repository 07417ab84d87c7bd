//! Messages of multicast DNS, which any machine in the network sends. What is read is bounded, and is written and read again as the
//! same.

use ribbit_net::mdns::packet::{encode, parse};

pub fn run(data: &[u8]) {
    let Some(read) = parse(data) else { return };
    assert!(read.questions.len() + read.records.len() <= 64);
    // A name with labels that are no text cannot be written.
    if !format!("{read:?}").contains(['?', '\u{fffd}']) {
        assert_eq!(parse(&encode(&read)), Some(read));
    }
}
