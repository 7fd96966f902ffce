//! From what a user calls an address to socket addresses.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::{option, vec};

use crate::context;

/// Resolves `host`, such as `"localhost:80"` or `("localhost", 80)`.
///
/// A name that is not a literal address is looked up by the system (`getaddrinfo`) on the blocking pool.
///
/// # Errors
/// If the name is unknown or malformed, or the system cannot look it up.
///
/// # Panics
/// Outside a runtime, when a name has to be looked up.
///
/// # Cancel safety
/// Nothing is lost; a lookup that is under way goes on in the blocking pool and its answer is dropped.
pub async fn lookup_host<A: ToSocketAddrs>(host: A) -> io::Result<impl Iterator<Item = SocketAddr>> {
    resolve(host).await
}

/// What can be resolved to socket addresses without blocking the worker.
///
/// Implemented for the same types as in the standard library; sealed.
pub trait ToSocketAddrs: sealed::Resolve {}

impl<A: sealed::Resolve + ?Sized> ToSocketAddrs for A {}

/// The addresses behind `addr`, looked up on the blocking pool if need be.
pub(crate) async fn resolve<A: ToSocketAddrs>(addr: A) -> io::Result<Addrs> {
    let question = addr.resolve();
    // The borrow of a caller's name must not be kept across the wait.
    drop(addr);
    match question {
        sealed::Question::Answered(addrs) => Ok(addrs),
        sealed::Question::Malformed(reason) => Err(io::Error::new(io::ErrorKind::InvalidInput, reason)),
        sealed::Question::Name(host, port) => look_up(host, port).await,
    }
}

async fn look_up(host: String, port: u16) -> io::Result<Addrs> {
    let addrs = context::run_blocking(move || {
        std::net::ToSocketAddrs::to_socket_addrs(&(host.as_str(), port)).map(Iterator::collect)
    });
    Ok(Addrs::Many(Vec::into_iter(addrs.await??)))
}

/// The first success of `attempt` over all addresses, or the last failure.
pub(crate) async fn first_success<R, F>(
    addrs: Addrs,
    mut attempt: impl FnMut(SocketAddr) -> F,
) -> io::Result<R>
where
    F: Future<Output = io::Result<R>>,
{
    let mut failure = None;
    for addr in addrs {
        match attempt(addr).await {
            Ok(socket) => return Ok(socket),
            Err(error) => failure = Some(error),
        }
    }
    Err(failure.unwrap_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "no address to use")))
}

/// Addresses found.
#[allow(unnameable_types, reason = "named only by a sealed trait")]
#[derive(Debug)]
pub enum Addrs {
    One(option::IntoIter<SocketAddr>),
    Many(vec::IntoIter<SocketAddr>),
}

impl Iterator for Addrs {
    type Item = SocketAddr;

    fn next(&mut self) -> Option<SocketAddr> {
        match self {
            Self::One(addr) => addr.next(),
            Self::Many(addrs) => addrs.next(),
        }
    }
}

mod sealed {
    use super::Addrs;

    /// What there is to do for an address.
    #[allow(unnameable_types, reason = "sealed")]
    #[derive(Debug)]
    pub enum Question {
        Answered(Addrs),
        Name(String, u16),
        Malformed(&'static str),
    }

    #[allow(unnameable_types, reason = "sealed")]
    pub trait Resolve {
        fn resolve(&self) -> Question;
    }
}

use sealed::{Question, Resolve};

fn one(addr: impl Into<SocketAddr>) -> Question {
    Question::Answered(Addrs::One(Some(addr.into()).into_iter()))
}

fn name(host: &str, port: u16) -> Question {
    match host.parse::<IpAddr>() {
        Ok(ip) => one((ip, port)),
        Err(_not_a_literal) => Question::Name(host.to_owned(), port),
    }
}

macro_rules! literal_addresses {
    ($($literal:ty),*) => {$(
        impl Resolve for $literal {
            fn resolve(&self) -> Question {
                one(*self)
            }
        }
    )*};
}

literal_addresses!(SocketAddr, SocketAddrV4, SocketAddrV6, (IpAddr, u16), (Ipv4Addr, u16), (Ipv6Addr, u16));

impl Resolve for str {
    fn resolve(&self) -> Question {
        if let Ok(addr) = self.parse::<SocketAddr>() {
            return one(addr);
        }
        let Some((host, port)) = self.rsplit_once(':') else {
            return Question::Malformed("expected host:port");
        };
        match port.parse() {
            Ok(port) => name(host, port),
            Err(_not_a_number) => Question::Malformed("invalid port"),
        }
    }
}

impl Resolve for String {
    fn resolve(&self) -> Question {
        self.as_str().resolve()
    }
}

impl Resolve for (&str, u16) {
    fn resolve(&self) -> Question {
        name(self.0, self.1)
    }
}

impl Resolve for (String, u16) {
    fn resolve(&self) -> Question {
        name(&self.0, self.1)
    }
}

impl Resolve for [SocketAddr] {
    fn resolve(&self) -> Question {
        Question::Answered(Addrs::Many(Vec::from(self).into_iter()))
    }
}

impl<A: Resolve + ?Sized> Resolve for &A {
    fn resolve(&self) -> Question {
        (**self).resolve()
    }
}
