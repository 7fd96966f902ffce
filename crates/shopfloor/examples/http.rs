//! An HTTP server on hyper: HTTP/1 with keep-alive and HTTP/2, and a graceful end on Ctrl-C.
//!
//! ```sh
//! cargo run --release --example http -- 127.0.0.1:8080
//! curl -v http://127.0.0.1:8080/anything
//! ```
//!
//! hyper asks a runtime for two things: an executor for its background tasks and a timer. Both are a few
//! lines; sockets fit as they are.

use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use shopfloor::net::TcpListener;

/// How long requests that are under way at Ctrl-C may take.
const GRACE: Duration = Duration::from_secs(10);
/// How long a client may take to send the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// Spawns hyper's background tasks.
#[derive(Clone, Copy, Debug)]
struct Spawner;

impl<F> hyper::rt::Executor<F> for Spawner
where
    F: Future<Output: Send> + Send + 'static,
{
    fn execute(&self, future: F) {
        drop(shopfloor::spawn(future));
    }
}

/// Tells hyper the time.
#[derive(Clone, Copy, Debug)]
struct Clock;

impl hyper::rt::Timer for Clock {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn hyper::rt::Sleep>> {
        Box::pin(Nap(shopfloor::time::sleep(duration)))
    }

    fn sleep_until(&self, deadline: std::time::Instant) -> Pin<Box<dyn hyper::rt::Sleep>> {
        self.sleep(deadline.saturating_duration_since(std::time::Instant::now()))
    }
}

struct Nap(shopfloor::time::Sleep);

impl Future for Nap {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.0).poll(cx)
    }
}

impl hyper::rt::Sleep for Nap {}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let text = format!("You asked for {}.\n", request.uri().path());
    Ok(Response::new(Full::from(text)))
}

#[shopfloor::main]
async fn main() -> io::Result<()> {
    let addr = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8080".to_owned());
    let listener = TcpListener::bind(&addr).await?;
    eprintln!("serving http://{}", listener.local_addr()?);

    let mut server = auto::Builder::new(Spawner);
    server.http1().timer(Clock).header_read_timeout(HEAD_TIMEOUT);
    server.http2().timer(Clock);
    let connections = GracefulShutdown::new();
    let mut ctrl_c = std::pin::pin!(shopfloor::signal::ctrl_c());
    loop {
        let accepted = shopfloor::select! {
            accepted = listener.accept() => accepted,
            outcome = &mut ctrl_c => break outcome?,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of file descriptors, for example. The listener is not lost; it needs a moment.
                eprintln!("accept: {error}");
                shopfloor::time::sleep(Duration::from_millis(10)).await;
                continue;
            }
        };
        stream.set_nodelay(true)?;
        let connection = server.serve_connection(TokioIo::new(stream), service_fn(answer)).into_owned();
        let connection = connections.watch(connection);
        shopfloor::spawn(async move {
            if let Err(error) = connection.await {
                eprintln!("{peer}: {error}");
            }
        });
    }

    drop(listener);
    eprintln!("finishing what is under way");
    if shopfloor::time::timeout(GRACE, connections.shutdown()).await.is_err() {
        eprintln!("some requests took too long");
    }
    Ok(())
}
