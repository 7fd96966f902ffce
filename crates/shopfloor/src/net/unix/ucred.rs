//! Who is at the other end of a Unix stream.
#![cfg(target_os = "linux")]

use std::io;
use std::os::fd::AsFd;

use rustix::net::sockopt::socket_peercred;

/// User, group and process of a peer, as the kernel noted them when the connection was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UCred {
    uid: u32,
    gid: u32,
    pid: Option<i32>,
}

impl UCred {
    pub(super) fn of_peer(stream: impl AsFd) -> io::Result<Self> {
        let peer = socket_peercred(stream)?;
        Ok(Self {
            uid: peer.uid.as_raw(),
            gid: peer.gid.as_raw(),
            // Zero is a process outside our namespace.
            pid: Some(peer.pid.as_raw_nonzero().get()).filter(|&pid| pid > 0),
        })
    }

    /// The user.
    pub fn uid(&self) -> u32 {
        self.uid
    }

    /// The group.
    pub fn gid(&self) -> u32 {
        self.gid
    }

    /// The process; `None` if it is not visible from here.
    pub fn pid(&self) -> Option<i32> {
        self.pid
    }
}
