//! An address on an interface, for as long as its lifetime lasts: rtnetlink's two messages and its answer.
//!
//! ```text
//!   nlmsghdr  len u32 | type u16 | flags u16 | sequence u32 | port u32
//!   ifaddrmsg family u8 | bits u8 | flags u8 | scope u8 | index u32
//!   rtattr    len u16 | type u16 | value …                 IFA_LOCAL, IFA_ADDRESS, IFA_CACHEINFO
//!   answer    nlmsghdr of NLMSG_ERROR | errno i32, negative; 0 is done
//! ```
//!
//! Numbers are in this machine's byte order, addresses in the network's. The bytes are made and read by pure functions.
//! The kernel has answered by the time the message is sent, so nothing waits here.
//!
//! The lifetime is what makes it safe to be killed: the kernel takes the address off by itself once nobody has put it
//! again for so long.

use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, sendto, socket_with};
use std::io;
use std::net::Ipv4Addr;

const RTM_NEWADDR: u16 = 20;
const RTM_DELADDR: u16 = 21;
const NLMSG_ERROR: u16 = 2;
const NLM_F_REQUEST: u16 = 1;
const NLM_F_ACK: u16 = 4;
const NLM_F_REPLACE: u16 = 0x100;
const NLM_F_CREATE: u16 = 0x400;
const AF_INET: u8 = 2;
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const IFA_CACHEINFO: u16 = 6;

const HEADER_BYTES: usize = 16;
/// Of this process's only message under way.
const SEQUENCE: u32 = 1;
/// An answer repeats the message that it answers.
const ANSWER_BYTES_MAX: usize = 512;

/// Where an address goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Put {
    /// The interface's number.
    pub index: u32,
    pub address: Ipv4Addr,
    /// How many bits are the network's; 32 brings no network along.
    pub bits: u8,
}

/// Puts it there for so many seconds from now, also when it is there already.
///
/// # Errors
/// What the kernel says: not allowed, no such interface.
pub fn put(put: Put, lifetime_s: u32) -> io::Result<()> {
    tell(&put_message(put, lifetime_s))
}

/// Takes it off; one that is not there is as good as taken off.
///
/// # Errors
/// What the kernel says.
pub fn take_off(put: Put) -> io::Result<()> {
    match tell(&take_off_message(put)) {
        Err(error) if is_gone(&error) => Ok(()),
        other => other,
    }
}

/// There is no such address, or no such interface any more.
fn is_gone(error: &io::Error) -> bool {
    let gone = [rustix::io::Errno::ADDRNOTAVAIL, rustix::io::Errno::NODEV];
    error.raw_os_error().is_some_and(|raw| gone.iter().any(|errno| errno.raw_os_error() == raw))
}

fn tell(message: &[u8]) -> io::Result<()> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    // NETLINK_ROUTE is the protocol of number 0.
    let kernel = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, None)?;
    sendto(&kernel, message, SendFlags::empty(), &SocketAddrNetlink::new(0, 0))?;
    let mut answer = [0; ANSWER_BYTES_MAX];
    let (length, _) = recv(&kernel, &mut answer[..], RecvFlags::empty())?;
    answered(&answer[..length])
}

fn put_message(put: Put, lifetime_s: u32) -> Vec<u8> {
    // Preferred, valid, and when it was made and changed, which the kernel fills in.
    let lifetimes = [lifetime_s, lifetime_s, 0, 0].map(u32::to_ne_bytes).concat();
    message(RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, put, &[(IFA_CACHEINFO, &lifetimes)])
}

fn take_off_message(put: Put) -> Vec<u8> {
    message(RTM_DELADDR, 0, put, &[])
}

fn message(kind: u16, flags: u16, put: Put, more: &[(u16, &[u8])]) -> Vec<u8> {
    let address = put.address.octets();
    let mut body = vec![AF_INET, put.bits, 0, 0];
    body.extend(put.index.to_ne_bytes());
    for (kind, value) in [(IFA_LOCAL, &address[..]), (IFA_ADDRESS, &address[..])].iter().chain(more) {
        // All of them are multiples of four bytes long, so nothing has to be filled up.
        let length = u16::try_from(4 + value.len()).expect("a few bytes");
        body.extend(length.to_ne_bytes());
        body.extend(kind.to_ne_bytes());
        body.extend(*value);
    }
    let length = u32::try_from(HEADER_BYTES + body.len()).expect("a few bytes");
    let mut message = length.to_ne_bytes().to_vec();
    message.extend(kind.to_ne_bytes());
    message.extend((NLM_F_REQUEST | NLM_F_ACK | flags).to_ne_bytes());
    message.extend(SEQUENCE.to_ne_bytes());
    message.extend(0u32.to_ne_bytes());
    message.extend(body);
    message
}

/// What the kernel has made of it.
fn answered(bytes: &[u8]) -> io::Result<()> {
    let odd = || io::Error::new(io::ErrorKind::InvalidData, "the kernel's answer is none to an address");
    let kind = bytes.get(4..6).and_then(|two| two.try_into().ok()).map(u16::from_ne_bytes);
    let code = bytes.get(HEADER_BYTES..HEADER_BYTES + 4).and_then(|four| four.try_into().ok());
    match (kind, code.map(i32::from_ne_bytes)) {
        (Some(NLMSG_ERROR), Some(0)) => Ok(()),
        (Some(NLMSG_ERROR), Some(code)) => Err(io::Error::from_raw_os_error(code.saturating_neg())),
        _ => Err(odd()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PUT: Put = Put { index: 3, address: Ipv4Addr::new(192, 168, 1, 50), bits: 24 };

    #[cfg(target_endian = "little")]
    #[test]
    fn messages_are_as_the_kernel_reads_them() {
        let put = [
            60, 0, 0, 0, 20, 0, 5, 5, 1, 0, 0, 0, 0, 0, 0, 0, // header
            2, 24, 0, 0, 3, 0, 0, 0, // family, bits, flags, scope, index
            8, 0, 2, 0, 192, 168, 1, 50, // local
            8, 0, 1, 0, 192, 168, 1, 50, // address
            20, 0, 6, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, // lifetimes
        ];
        assert_eq!(put_message(PUT, 1), put);
        let off = take_off_message(PUT);
        assert_eq!((off[0], off[4], off[6], off[7], off.len()), (40, 21, 5, 0, 40));
    }

    #[test]
    fn answers_are_read() {
        let answer = |kind: u16, code: i32| {
            let mut bytes = vec![0; 20];
            bytes[4..6].copy_from_slice(&kind.to_ne_bytes());
            bytes[16..].copy_from_slice(&code.to_ne_bytes());
            answered(&bytes)
        };
        assert!(answer(NLMSG_ERROR, 0).is_ok());
        assert_eq!(answer(NLMSG_ERROR, -1).unwrap_err().kind(), io::ErrorKind::PermissionDenied);
        assert!(is_gone(&answer(NLMSG_ERROR, -99).unwrap_err()));
        assert_eq!(answer(RTM_NEWADDR, 0).unwrap_err().kind(), io::ErrorKind::InvalidData);
        assert_eq!(answered(&[0; 19]).unwrap_err().kind(), io::ErrorKind::InvalidData);
        assert!(answer(NLMSG_ERROR, i32::MIN).is_err());
    }
}
