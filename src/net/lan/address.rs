//! Temporary addresses on network interfaces, by rtnetlink: two messages and their answer.
//!
//! ```text
//!   nlmsghdr  len u32 | type u16 | flags u16 | sequence u32 | port u32
//!   ifaddrmsg family u8 | bits u8 | flags u8 | scope u8 | index u32
//!   rtattr    len u16 | type u16 | value …                 IFA_LOCAL, IFA_ADDRESS, IFA_CACHEINFO
//!   answer    nlmsghdr of NLMSG_ERROR | errno i32, negative; 0 is done
//! ```
//!
//! Numbers are in the byte order of the machine, addresses in network byte order. Messages are encoded and decoded by pure
//! functions. The kernel answers before sending returns, so nothing waits here.
//!
//! Each address has a lifetime, which makes it safe to kill the process: the kernel removes the address unless its lifetime
//! is renewed.

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

/// Size of a `nlmsghdr`, in bytes.
const HEADER_BYTES: usize = 16;
/// Sequence number of every message: each socket carries only one.
const SEQUENCE: u32 = 1;
/// Size of the buffer for an answer, in bytes. An answer repeats its message.
const ANSWER_BYTES_MAX: usize = 512;

/// Address with its interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InterfaceAddress {
    /// Index of the interface.
    pub index: u32,
    pub address: Ipv4Addr,
    /// Length of the network prefix, in bits. With 32 the kernel adds no route to a network.
    pub bits: u8,
}

/// Adds an address for this lifetime, or renews its lifetime.
///
/// # Errors
/// The error of the kernel, for example `PermissionDenied` without CAP_NET_ADMIN, or ENODEV for an unknown interface.
pub fn add(address: InterfaceAddress, lifetime_s: u32) -> io::Result<()> {
    send_to_kernel(&add_message(address, lifetime_s))
}

/// Removes an address. Succeeds if it is not there.
///
/// # Errors
/// The error of the kernel, for example `PermissionDenied` without CAP_NET_ADMIN.
pub fn remove(address: InterfaceAddress) -> io::Result<()> {
    match send_to_kernel(&remove_message(address)) {
        Err(error) if is_gone(&error) => Ok(()),
        other => other,
    }
}

/// Returns true for the errors that mean that the address or the interface does not exist.
fn is_gone(error: &io::Error) -> bool {
    let gone = [rustix::io::Errno::ADDRNOTAVAIL, rustix::io::Errno::NODEV];
    error.raw_os_error().is_some_and(|raw| gone.iter().any(|errno| errno.raw_os_error() == raw))
}

/// Sends a message to the kernel and reads its answer.
fn send_to_kernel(message: &[u8]) -> io::Result<()> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    // NETLINK_ROUTE is protocol 0, the default.
    let kernel = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, None)?;
    sendto(&kernel, message, SendFlags::empty(), &SocketAddrNetlink::new(0, 0))?;
    let mut answer = [0; ANSWER_BYTES_MAX];
    let (length, _) = recv(&kernel, &mut answer[..], RecvFlags::empty())?;
    decode_answer(&answer[..length])
}

fn add_message(address: InterfaceAddress, lifetime_s: u32) -> Vec<u8> {
    // Preferred and valid lifetime, and the times of creation and change, which the kernel sets.
    let lifetimes = [lifetime_s, lifetime_s, 0, 0].map(u32::to_ne_bytes).concat();
    message(RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, address, &[(IFA_CACHEINFO, &lifetimes)])
}

fn remove_message(address: InterfaceAddress) -> Vec<u8> {
    message(RTM_DELADDR, 0, address, &[])
}

fn message(kind: u16, flags: u16, address: InterfaceAddress, more: &[(u16, &[u8])]) -> Vec<u8> {
    let octets = address.address.octets();
    let mut body = vec![AF_INET, address.bits, 0, 0];
    body.extend(address.index.to_ne_bytes());
    for (kind, value) in [(IFA_LOCAL, &octets[..]), (IFA_ADDRESS, &octets[..])].iter().chain(more) {
        // All lengths are multiples of four bytes, so no padding is needed.
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

/// Decodes the answer of the kernel.
fn decode_answer(bytes: &[u8]) -> io::Result<()> {
    let invalid = || io::Error::new(io::ErrorKind::InvalidData, "the answer of the kernel is invalid");
    let kind = bytes.get(4..6).and_then(|two| two.try_into().ok()).map(u16::from_ne_bytes);
    let code = bytes.get(HEADER_BYTES..HEADER_BYTES + 4).and_then(|four| four.try_into().ok());
    match (kind, code.map(i32::from_ne_bytes)) {
        (Some(NLMSG_ERROR), Some(0)) => Ok(()),
        (Some(NLMSG_ERROR), Some(code)) => Err(io::Error::from_raw_os_error(code.saturating_neg())),
        _ => Err(invalid()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADDRESS: InterfaceAddress =
        InterfaceAddress { index: 3, address: Ipv4Addr::new(192, 168, 1, 50), bits: 24 };

    #[cfg(target_endian = "little")]
    #[test]
    fn messages_have_the_format_of_the_kernel() {
        let add = [
            60, 0, 0, 0, 20, 0, 5, 5, 1, 0, 0, 0, 0, 0, 0, 0, // header
            2, 24, 0, 0, 3, 0, 0, 0, // family, bits, flags, scope, index
            8, 0, 2, 0, 192, 168, 1, 50, // local
            8, 0, 1, 0, 192, 168, 1, 50, // address
            20, 0, 6, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, // lifetimes
        ];
        assert_eq!(add_message(ADDRESS, 1), add);
        let off = remove_message(ADDRESS);
        assert_eq!((off[0], off[4], off[6], off[7], off.len()), (40, 21, 5, 0, 40));
    }

    #[test]
    fn answers_of_the_kernel_are_decoded() {
        let answer = |kind: u16, code: i32| {
            let mut bytes = vec![0; 20];
            bytes[4..6].copy_from_slice(&kind.to_ne_bytes());
            bytes[16..].copy_from_slice(&code.to_ne_bytes());
            decode_answer(&bytes)
        };
        assert!(answer(NLMSG_ERROR, 0).is_ok());
        assert_eq!(answer(NLMSG_ERROR, -1).unwrap_err().kind(), io::ErrorKind::PermissionDenied);
        assert!(is_gone(&answer(NLMSG_ERROR, -99).unwrap_err()));
        assert_eq!(answer(RTM_NEWADDR, 0).unwrap_err().kind(), io::ErrorKind::InvalidData);
        assert_eq!(decode_answer(&[0; 19]).unwrap_err().kind(), io::ErrorKind::InvalidData);
        assert!(answer(NLMSG_ERROR, i32::MIN).is_err());
    }
}
