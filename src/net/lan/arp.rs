//! ARP probes and announcements of an address, as in RFC 5227.
//!
//! ```text
//!   Ethernet  destination 6 | source 6 | 0x0806
//!   ARP       1, 0x0800, 6, 4 | 1 request, 2 reply | sender: MAC 6, IPv4 4 | target: MAC 6, IPv4 4
//!
//!   probe         request for the address from sender 0.0.0.0: its owner replies, and no neighbour updates its cache
//!   announcement  request for the address from its owner: every neighbour that has it cached updates its cache
//! ```
//!
//! Frames are encoded and decoded by pure functions. Received frames are not trusted: they are validated, and only compared.

use nix::sys::socket::{LinkAddr, bind};
use rustix::net::{
    AddressFamily, Protocol, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socket_with,
};
use smol::Async;
use std::io;
use std::net::Ipv4Addr;
use std::num::NonZeroU32;
use std::os::fd::{AsRawFd, OwnedFd};

/// Ethernet address.
pub type Mac = [u8; 6];

const ETHERTYPE_ARP: u16 = 0x0806;
/// Size of a frame, in bytes: the headers of Ethernet and ARP.
const FRAME_BYTES: usize = 14 + 28;
/// Size of the receive buffer, in bytes. Longer frames are truncated, which cuts padding only.
const READ_BYTES: usize = 64;
const BROADCAST: Mac = [0xff; 6];
/// Hardware type Ethernet, protocol IPv4, and the lengths of their addresses.
const OF_ETHERNET: [u8; 6] = [0, 1, 8, 0, 6, 4];
/// Operation of an ARP request.
const REQUEST: [u8; 2] = [0, 1];

/// ARP socket of one interface.
#[derive(Debug)]
pub struct Ether {
    socket: Async<OwnedFd>,
    mac: Mac,
}

impl Ether {
    /// Opens a socket that receives ARP frames on this interface.
    ///
    /// # Errors
    /// The error of the kernel, for example `PermissionDenied` without CAP_NET_RAW, or ENODEV for a missing interface.
    pub fn open(link: &LinkAddr) -> io::Result<Ether> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        // The kernel expects the protocol in network byte order.
        let arp = NonZeroU32::new(ETHERTYPE_ARP.to_be().into()).map(Protocol::from_raw);
        let socket = socket_with(AddressFamily::PACKET, SocketType::RAW, flags, arp)?;
        // Binds to the interface. The link address has no protocol, so the protocol of the socket stays.
        bind(socket.as_raw_fd(), link)?;
        let mac = link.addr().unwrap_or_default();
        Ok(Ether { socket: Async::new(socket)?, mac })
    }

    /// Sends a probe for the address.
    ///
    /// # Errors
    /// The error of the kernel.
    pub fn probe(&self, address: Ipv4Addr) -> io::Result<()> {
        self.send(&frame(self.mac, Ipv4Addr::UNSPECIFIED, address))
    }

    /// Announces that this interface has the address.
    ///
    /// # Errors
    /// The error of the kernel.
    pub fn announce(&self, address: Ipv4Addr) -> io::Result<()> {
        self.send(&frame(self.mac, address, address))
    }

    /// Waits until another machine claims the address, and returns the MAC address of that machine.
    ///
    /// # Errors
    /// The error of the kernel.
    pub async fn claimed(&self, address: Ipv4Addr) -> io::Result<Mac> {
        loop {
            let mut bytes = [0; READ_BYTES];
            let read = |socket: &OwnedFd| Ok(recv(socket, &mut bytes[..], RecvFlags::empty())?.0);
            let length = self.socket.read_with(read).await?;
            let other = decode_sender(&bytes[..length.min(READ_BYTES)]);
            if let Some((mac, _)) = other.filter(|(mac, has)| *has == address && *mac != self.mac) {
                return Ok(mac);
            }
        }
    }

    fn send(&self, frame: &[u8]) -> io::Result<()> {
        // A full queue drops the frame. The caller sends each frame more than once.
        send(&self.socket, frame, SendFlags::empty())?;
        Ok(())
    }
}

/// Encodes a broadcast request for `wanted` from a sender with the address `own`.
fn frame(mac: Mac, own: Ipv4Addr, wanted: Ipv4Addr) -> [u8; FRAME_BYTES] {
    let parts: [&[u8]; 9] = [
        &BROADCAST,
        &mac,
        &ETHERTYPE_ARP.to_be_bytes(),
        &OF_ETHERNET,
        &REQUEST,
        &mac,
        &own.octets(),
        &[0; 6],
        &wanted.octets(),
    ];
    let mut frame = [0; FRAME_BYTES];
    frame.copy_from_slice(&parts.concat());
    frame
}

/// Decodes a request or a reply, and returns the MAC address and the IPv4 address of its sender.
fn decode_sender(frame: &[u8]) -> Option<(Mac, Ipv4Addr)> {
    let whole = frame.len() >= FRAME_BYTES && frame[12..14] == ETHERTYPE_ARP.to_be_bytes();
    if !whole || frame[14..20] != OF_ETHERNET {
        return None;
    }
    let mac: Mac = frame[22..28].try_into().ok()?;
    let address: [u8; 4] = frame[28..32].try_into().ok()?;
    Some((mac, Ipv4Addr::from(address)))
}

/// Formats a MAC address, for example `02:00:5e:10:00:01`.
pub fn format_mac(mac: Mac) -> String {
    mac.map(|byte| format!("{byte:02x}")).join(":")
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: Mac = [2, 0, 0x5e, 0x10, 0, 1];
    const FLOATING: Ipv4Addr = Ipv4Addr::new(192, 168, 1, 50);

    #[test]
    fn a_probe_claims_no_address_and_an_announcement_claims_its_own() {
        let probe = frame(MAC, Ipv4Addr::UNSPECIFIED, FLOATING);
        let bytes = [
            0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0x5e, 0x10, 0, 1, 8, 6, // Ethernet
            0, 1, 8, 0, 6, 4, 0, 1, // request
            2, 0, 0x5e, 0x10, 0, 1, 0, 0, 0, 0, // sender without an address
            0, 0, 0, 0, 0, 0, 192, 168, 1, 50,
        ];
        assert_eq!(probe, bytes);
        assert_eq!(decode_sender(&probe), Some((MAC, Ipv4Addr::UNSPECIFIED)));
        assert_eq!(decode_sender(&frame(MAC, FLOATING, FLOATING)), Some((MAC, FLOATING)));
        assert_eq!(format_mac(MAC), "02:00:5e:10:00:01");
    }

    #[test]
    fn frames_other_than_arp_over_ethernet_are_ignored() {
        let whole = frame(MAC, FLOATING, FLOATING);
        assert_eq!(decode_sender(&whole[..FRAME_BYTES - 1]), None);
        for place in [12, 15, 16, 18, 19] {
            let mut other = whole;
            other[place] ^= 0x40;
            assert_eq!(decode_sender(&other), None, "{place}");
        }
        assert_eq!(decode_sender(&[]), None);
    }
}
