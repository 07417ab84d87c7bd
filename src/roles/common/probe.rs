//! Probes of running processes over the network: whether the members have formed a cluster and the web pages answer.

use async_net::TcpStream;
use ribbit_net::keys::Keys;
use ribbit_net::survey::{Survey, survey};
use smol::Timer;
use smol::future::or;
use smol::io::{AsyncReadExt, AsyncWriteExt};
use std::io;
use std::time::Duration;

/// Pause between two probes.
const PAUSE: Duration = Duration::from_millis(50);
/// Timeout of the web role's answer.
const ANSWER_MAX: Duration = Duration::from_millis(500);
/// First bytes of a successful answer.
const GOOD: &[u8] = b"HTTP/1.1 200";
/// Maximum number of voters of a cluster.
const VOTERS_MAX: u32 = 5;

/// Returns the number of voters of a cluster with this many members: the largest odd number, at most five.
pub(crate) fn voters_of(members: u32) -> usize {
    let odd = if members.is_multiple_of(2) { members.saturating_sub(1) } else { members };
    odd.min(VOTERS_MAX) as usize
}

/// Completes once there is a leader and `voters` voters are alive. A cluster that was larger before may have more voters;
/// those that do not run do not count.
pub(crate) async fn formed(seeds: Vec<String>, keys: Keys, voters: usize) {
    while !is_formed(&survey(&seeds, &keys).await, voters) {
        Timer::after(PAUSE).await;
    }
}

fn is_formed(survey: &Survey, voters: usize) -> bool {
    survey.leader.is_some() && alive_voters(survey) >= voters
}

/// Returns the number of voters that are alive.
pub(crate) fn alive_voters(survey: &Survey) -> usize {
    survey.members.iter().filter(|member| member.alive && member.voter).count()
}

/// Completes once the web role answers.
pub(crate) async fn serves(address: String) {
    while !is_live(&address).await {
        Timer::after(PAUSE).await;
    }
}

/// Returns whether the web role answers at this address.
pub(crate) async fn is_live(address: &str) -> bool {
    let too_late = async {
        Timer::after(ANSWER_MAX).await;
        Err(io::ErrorKind::TimedOut.into())
    };
    let head = or(get(address, "/livez", GOOD.len() as u64), too_late).await;
    head.is_ok_and(|head| head == GOOD)
}

/// Sends a GET request and returns the first `bytes_max` bytes of the answer, including its head. There is no timeout.
///
/// # Errors
/// An I/O error of the connection.
pub(crate) async fn get(address: &str, path: &str, bytes_max: u64) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(bytes_max).read_to_end(&mut answer).await?;
    Ok(answer)
}

/// Returns the address at which a process on this machine reaches a listener: loopback in place of a wildcard address.
pub(crate) fn reached_at(listen: &str) -> String {
    match listen.rsplit_once(':') {
        Some(("0.0.0.0", port)) => format!("127.0.0.1:{port}"),
        Some(("[::]", port)) => format!("[::1]:{port}"),
        _ => listen.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn voters_are_odd_and_at_most_five() {
        let voters: Vec<usize> = (1..=7).map(voters_of).collect();
        assert_eq!(voters, [1, 1, 3, 3, 5, 5, 5]);
    }

    #[test]
    fn a_wildcard_address_is_reached_on_loopback() {
        assert_eq!(reached_at("0.0.0.0:80"), "127.0.0.1:80");
        assert_eq!(reached_at("[::]:80"), "[::1]:80");
        assert_eq!(reached_at("10.0.0.0:80"), "10.0.0.0:80");
    }

    #[test]
    fn only_an_answer_of_200_is_live() {
        smol::block_on(async {
            for (answer, live) in
                [("HTTP/1.1 200 OK\r\n\r\nok", true), ("HTTP/1.1 503 no\r\n\r\n", false), ("", false)]
            {
                let listener = async_net::TcpListener::bind("127.0.0.1:0").await.unwrap();
                let address = listener.local_addr().unwrap().to_string();
                let server = smol::spawn(async move {
                    let (mut stream, _) = listener.accept().await.unwrap();
                    let mut asked = [0; 256];
                    let _ = stream.read(&mut asked).await;
                    let _ = stream.write_all(answer.as_bytes()).await;
                });
                assert_eq!(is_live(&address).await, live, "{answer:?}");
                server.await;
            }
        });
    }
}
