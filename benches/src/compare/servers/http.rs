//! One HTTP service for all runtimes that can host hyper: HTTP/1.1 with keep-alive, a body of fixed size.
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::{Arc, Mutex, PoisonError};

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::compare::echo::{FILLER, Session, Terms};

/// What one connection is served with.
pub(super) struct Site {
    session: Mutex<Session>,
    body: Bytes,
}

impl Site {
    pub(super) fn new(session: Session, terms: &Terms) -> Self {
        Self { session: Mutex::new(session), body: Bytes::from(vec![FILLER; terms.message]) }
    }

    fn with_session(&self, act: impl FnOnce(&mut Session)) {
        act(&mut self.session.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Service<Request<Incoming>> for Site {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn call(&self, _: Request<Incoming>) -> Self::Future {
        self.with_session(|session| {
            session.received(self.body.len());
            session.returned(self.body.len());
        });
        ready(Ok(Response::new(Full::new(self.body.clone()))))
    }
}

/// Answers until the client closes the connection.
pub(super) async fn serve<S>(stream: S, site: Site)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let site = Arc::new(site);
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), Arc::clone(&site));
    if let Err(error) = connection.await {
        site.with_session(|session| session.failed(&std::io::Error::other(error)));
    }
}
