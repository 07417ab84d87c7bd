//! Who has an address, asked of all neighbours, and told to all of them: RFC 5227's probe and announcement.
//!
//! ```text
//!   Ethernet  to 6 | from 6 | 0x0806
//!   ARP       1, 0x0800, 6, 4 | 1 asks, 2 answers | sender: MAC 6, IPv4 4 | wanted: MAC 6, IPv4 4
//!
//!   probe         asks for the address, as nobody (0.0.0.0): whoever has it answers, nobody believes anything new
//!   announcement  asks for the address as its owner: every neighbour that knows it takes the new place at once
//! ```
//!
//! Frames are made and read by pure functions. What comes in is anybody's: it is checked, and only ever compared.

use nix::sys::socket::{LinkAddr, bind};
use rustix::net::{
    AddressFamily, Protocol, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socket_with,
};
use smol::Async;
use std::io;
use std::net::Ipv4Addr;
use std::num::NonZeroU32;
use std::os::fd::{AsRawFd, OwnedFd};

pub type Mac = [u8; 6];

const ETHERTYPE_ARP: u16 = 0x0806;
const FRAME_BYTES: usize = 14 + 28;
/// More than a frame: what is longer is cut, and what matters stands in front.
const READ_BYTES: usize = 64;
const EVERYBODY: Mac = [0xff; 6];
/// Hardware type Ethernet, protocol IPv4, lengths of both addresses.
const OF_ETHERNET: [u8; 6] = [0, 1, 8, 0, 6, 4];
const ASKS: [u8; 2] = [0, 1];

/// Neighbours, as one interface reaches them.
#[derive(Debug)]
pub struct Ether {
    socket: Async<OwnedFd>,
    mac: Mac,
}

impl Ether {
    /// Listens for ARP on this interface from now on.
    ///
    /// # Errors
    /// What the kernel says: not allowed, gone meanwhile.
    pub fn open(link: &LinkAddr) -> io::Result<Ether> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        // As the kernel wants it: in the network's byte order.
        let arp = NonZeroU32::new(ETHERTYPE_ARP.to_be().into()).map(Protocol::from_raw);
        let socket = socket_with(AddressFamily::PACKET, SocketType::RAW, flags, arp)?;
        // To the interface; the link address names no protocol, so the socket's stays.
        bind(socket.as_raw_fd(), link)?;
        let mac = link.addr().unwrap_or_default();
        Ok(Ether { socket: Async::new(socket)?, mac })
    }

    /// Asks who has the address, without having it.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn probe(&self, address: Ipv4Addr) -> io::Result<()> {
        self.send(&frame(self.mac, Ipv4Addr::UNSPECIFIED, address))
    }

    /// Says that the address is here.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn announce(&self, address: Ipv4Addr) -> io::Result<()> {
        self.send(&frame(self.mac, address, address))
    }

    /// Waits until another machine says that it has the address, and answers which.
    ///
    /// # Errors
    /// What the kernel says.
    pub async fn claimed(&self, address: Ipv4Addr) -> io::Result<Mac> {
        loop {
            let mut bytes = [0; READ_BYTES];
            let read = |socket: &OwnedFd| Ok(recv(socket, &mut bytes[..], RecvFlags::empty())?.0);
            let length = self.socket.read_with(read).await?;
            let other = said(&bytes[..length.min(READ_BYTES)]);
            if let Some((mac, _)) = other.filter(|(mac, has)| *has == address && *mac != self.mac) {
                return Ok(mac);
            }
        }
    }

    fn send(&self, frame: &[u8]) -> io::Result<()> {
        // A queue that is full loses it: it is sent more than once.
        send(&self.socket, frame, SendFlags::empty())?;
        Ok(())
    }
}

/// Asks everybody for `wanted`, as who has `own`.
fn frame(mac: Mac, own: Ipv4Addr, wanted: Ipv4Addr) -> [u8; FRAME_BYTES] {
    let parts: [&[u8]; 9] = [
        &EVERYBODY,
        &mac,
        &ETHERTYPE_ARP.to_be_bytes(),
        &OF_ETHERNET,
        &ASKS,
        &mac,
        &own.octets(),
        &[0; 6],
        &wanted.octets(),
    ];
    let mut frame = [0; FRAME_BYTES];
    frame.copy_from_slice(&parts.concat());
    frame
}

/// Who says, by asking or by answering, that it has which address.
fn said(frame: &[u8]) -> Option<(Mac, Ipv4Addr)> {
    let whole = frame.len() >= FRAME_BYTES && frame[12..14] == ETHERTYPE_ARP.to_be_bytes();
    if !whole || frame[14..20] != OF_ETHERNET {
        return None;
    }
    let mac: Mac = frame[22..28].try_into().ok()?;
    let address: [u8; 4] = frame[28..32].try_into().ok()?;
    Some((mac, Ipv4Addr::from(address)))
}

/// `02:00:5e:10:00:01`.
pub fn mac_words(mac: Mac) -> String {
    mac.map(|byte| format!("{byte:02x}")).join(":")
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: Mac = [2, 0, 0x5e, 0x10, 0, 1];
    const FLOATING: Ipv4Addr = Ipv4Addr::new(192, 168, 1, 50);

    #[test]
    fn a_probe_says_nothing_and_an_announcement_says_all() {
        let probe = frame(MAC, Ipv4Addr::UNSPECIFIED, FLOATING);
        let bytes = [
            0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0x5e, 0x10, 0, 1, 8, 6, // Ethernet
            0, 1, 8, 0, 6, 4, 0, 1, // asks
            2, 0, 0x5e, 0x10, 0, 1, 0, 0, 0, 0, // as nobody
            0, 0, 0, 0, 0, 0, 192, 168, 1, 50,
        ];
        assert_eq!(probe, bytes);
        assert_eq!(said(&probe), Some((MAC, Ipv4Addr::UNSPECIFIED)));
        assert_eq!(said(&frame(MAC, FLOATING, FLOATING)), Some((MAC, FLOATING)));
        assert_eq!(mac_words(MAC), "02:00:5e:10:00:01");
    }

    #[test]
    fn what_is_not_arp_over_ethernet_says_nothing() {
        let whole = frame(MAC, FLOATING, FLOATING);
        assert_eq!(said(&whole[..FRAME_BYTES - 1]), None);
        for place in [12, 15, 16, 18, 19] {
            let mut other = whole;
            other[place] ^= 0x40;
            assert_eq!(said(&other), None, "{place}");
        }
        assert_eq!(said(&[]), None);
    }
}
