//! What goes over a connection: requests that tell each other apart, and replies of which every byte is checked.
use std::io;

use crate::compare::echo::FILLER;

/// Bytes at the front of a message that say which one of which connection it is.
const LABEL: usize = 16;
/// A response head longer than this is not one of hyper's.
const HEAD_MAX: usize = 4096;

/// The language of requests and replies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wire {
    /// A message of `size` bytes, and the same bytes back.
    Echo { size: usize },
    /// A GET, and a response whose body has `size` bytes.
    Http { size: usize },
}

impl Wire {
    /// Appends request `number` of connection `index`.
    pub(super) fn write_request(self, index: u64, number: u64, to: &mut Vec<u8>) {
        match self {
            Self::Echo { size } => {
                to.extend_from_slice(&label(index, number));
                to.resize(to.len() + size - LABEL, FILLER);
            }
            Self::Http { .. } => {
                let request = format!("GET /{index}/{number} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n");
                to.extend_from_slice(request.as_bytes());
            }
        }
    }
}

/// Each connection and each request has its own bytes, so that a mixed-up reply is noticed.
fn label(index: u64, number: u64) -> [u8; LABEL] {
    (u128::from(index) << 64 | u128::from(number)).to_le_bytes()
}

/// Reads replies in pieces of any size.
#[derive(Debug)]
pub(super) struct Replies {
    wire: Wire,
    index: u64,
    /// Whole replies so far.
    number: u64,
    /// Bytes of the current echo, or of the current body.
    at: usize,
    /// Head of the current response; empty once its body has begun.
    head: Vec<u8>,
    is_in_body: bool,
}

impl Replies {
    pub(super) fn new(wire: Wire, index: u64) -> Self {
        Self { wire, index, number: 0, at: 0, head: Vec::new(), is_in_body: false }
    }

    /// Takes what has come; returns how many replies it completes. `sent` requests have been made.
    pub(super) fn take(&mut self, mut bytes: &[u8], sent: u64) -> io::Result<usize> {
        let before = self.number;
        while !bytes.is_empty() {
            if self.number == sent {
                return Err(io::Error::other("more bytes came back than were sent"));
            }
            bytes = match self.wire {
                Wire::Echo { size } => self.take_echo(bytes, size)?,
                Wire::Http { size } if self.is_in_body => self.take_body(bytes, size)?,
                Wire::Http { size } => self.take_head(bytes, size)?,
            };
        }
        Ok((self.number - before) as usize)
    }

    fn take_echo<'a>(&mut self, bytes: &'a [u8], size: usize) -> io::Result<&'a [u8]> {
        let (mine, rest) = bytes.split_at(bytes.len().min(size - self.at));
        let (front, back) = mine.split_at(mine.len().min(LABEL.saturating_sub(self.at)));
        let label = label(self.index, self.number + 1);
        let expected = label.get(self.at..self.at + front.len()).unwrap_or_default();
        if front != expected || !is_filler(back) {
            return Err(io::Error::other("other bytes came back than were sent"));
        }
        self.at += mine.len();
        if self.at == size {
            (self.at, self.number) = (0, self.number + 1);
        }
        Ok(rest)
    }

    fn take_head<'a>(&mut self, bytes: &'a [u8], size: usize) -> io::Result<&'a [u8]> {
        const END: &[u8] = b"\r\n\r\n";
        let before = self.head.len();
        self.head.extend_from_slice(bytes);
        // The end may have begun in the piece before.
        let from = before.saturating_sub(END.len() - 1);
        let Some(end) = self.head[from..].windows(END.len()).position(|window| window == END) else {
            return if self.head.len() > HEAD_MAX {
                Err(no_response("its head does not end"))
            } else {
                Ok(&[])
            };
        };
        let end = from + end + END.len();
        check_head(&self.head[..end], size)?;
        self.head.clear();
        self.is_in_body = size > 0;
        if size == 0 {
            self.number += 1;
        }
        Ok(&bytes[end - before..])
    }

    fn take_body<'a>(&mut self, bytes: &'a [u8], size: usize) -> io::Result<&'a [u8]> {
        let (mine, rest) = bytes.split_at(bytes.len().min(size - self.at));
        if !is_filler(mine) {
            return Err(no_response("its body has other bytes"));
        }
        self.at += mine.len();
        if self.at == size {
            (self.at, self.number, self.is_in_body) = (0, self.number + 1, false);
        }
        Ok(rest)
    }
}

fn check_head(head: &[u8], size: usize) -> io::Result<()> {
    let text = std::str::from_utf8(head).map_err(|_| no_response("its head is no text"))?;
    let mut lines = text.split("\r\n");
    let status = lines.next().unwrap_or_default();
    if !status.starts_with("HTTP/1.1 200 ") {
        return Err(no_response(status));
    }
    let length = lines.find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok()).flatten()
    });
    if length == Some(size) { Ok(()) } else { Err(no_response("its length is another one")) }
}

fn no_response(why: &str) -> io::Error {
    io::Error::other(format!("not the response that was expected: {why}"))
}

fn is_filler(bytes: &[u8]) -> bool {
    const FILL: [u8; 4096] = [FILLER; 4096];
    bytes.chunks(FILL.len()).all(|chunk| chunk == &FILL[..chunk.len()])
}

#[cfg(test)]
mod tests {
    use super::{Replies, Wire};

    const HTTP: Wire = Wire::Http { size: 3 };
    const RESPONSE: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\ndate: now\r\n\r\nZZZ";

    fn take_in_pieces(wire: Wire, bytes: &[u8], piece: usize, sent: u64) -> Result<usize, String> {
        let mut replies = Replies::new(wire, 7);
        let mut whole = 0;
        for piece in bytes.chunks(piece) {
            whole += replies.take(piece, sent).map_err(|error| error.to_string())?;
        }
        Ok(whole)
    }

    #[test]
    fn replies_are_counted_whatever_the_pieces() {
        for size in [16, 17, 64, 5000] {
            let wire = Wire::Echo { size };
            let mut echoes = Vec::new();
            for number in 1..=3 {
                wire.write_request(7, number, &mut echoes);
            }
            assert_eq!(echoes.len(), 3 * size);
            for piece in [1, 7, 64, 16_000] {
                assert_eq!(take_in_pieces(wire, &echoes, piece, 3), Ok(3), "{size} in pieces of {piece}");
            }
        }
        for piece in 1..120 {
            assert_eq!(take_in_pieces(HTTP, &RESPONSE.repeat(2), piece, 2), Ok(2), "pieces of {piece}");
        }
    }

    #[test]
    fn every_wrong_byte_of_an_echo_is_noticed() {
        let wire = Wire::Echo { size: 64 };
        let mut echo = Vec::new();
        wire.write_request(7, 1, &mut echo);
        for at in 0..64 {
            echo[at] ^= 1;
            for piece in [1, 64] {
                let error = take_in_pieces(wire, &echo, piece, 1).unwrap_err();
                assert!(error.contains("other bytes"), "byte {at}: {error}");
            }
            echo[at] ^= 1;
        }
    }

    #[test]
    fn replies_nobody_asked_for_are_noticed() {
        assert!(take_in_pieces(HTTP, &RESPONSE.repeat(2), 4096, 1).unwrap_err().contains("more bytes"));
        assert!(take_in_pieces(Wire::Echo { size: 16 }, b"x", 1, 0).unwrap_err().contains("more bytes"));
    }

    #[test]
    fn a_response_that_is_not_the_expected_one_is_an_error() {
        for (wrong, why) in [
            (&b"HTTP/1.1 500 Oh\r\ncontent-length: 3\r\n\r\nZZZ"[..], "500 Oh"),
            (b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nZZZZ", "length"),
            (b"HTTP/1.1 200 OK\r\n\r\n", "length"),
            (b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nZZz", "body"),
            (&[b'x'; 5000], "does not end"),
        ] {
            let error = take_in_pieces(HTTP, wrong, 1000, 1).unwrap_err();
            assert!(error.contains(why), "{why}: {error}");
        }
    }
}
