//! Who is at the other end of a Unix stream.
#![cfg(target_os = "linux")]

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd};

/// User, group and process of a peer, as the kernel noted them when the connection was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UCred {
    uid: u32,
    gid: u32,
    pid: Option<i32>,
}

impl UCred {
    pub(super) fn of_peer(stream: impl AsFd) -> io::Result<Self> {
        let mut peer = MaybeUninit::<libc::ucred>::uninit();
        let mut len = size_of::<libc::ucred>() as libc::socklen_t;
        // SAFETY: the descriptor is open, since it is borrowed; `peer` has room for `len` bytes, and both are ours.
        let status = unsafe {
            libc::getsockopt(
                stream.as_fd().as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_PEERCRED,
                peer.as_mut_ptr().cast(),
                &raw mut len,
            )
        };
        if status != 0 {
            return Err(io::Error::last_os_error());
        }
        if len as usize != size_of::<libc::ucred>() {
            return Err(io::ErrorKind::InvalidData.into());
        }
        // SAFETY: the kernel has written all of it, and three integers have no invalid values.
        let peer = unsafe { peer.assume_init() };
        // A process outside of our namespace is zero, so this cannot be read as a process id that is never zero.
        Ok(Self { uid: peer.uid, gid: peer.gid, pid: Some(peer.pid).filter(|&pid| pid > 0) })
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
