//! An echo server: what a client sends comes back. Ends on Ctrl-C.
//!
//! ```sh
//! cargo run --release --example echo -- 127.0.0.1:7000
//! nc 127.0.0.1 7000
//! ```

use std::io;
use std::time::Duration;

use shopfloor::net::{TcpListener, TcpStream};

#[shopfloor::main]
async fn main() -> io::Result<()> {
    let addr = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:7000".to_owned());
    let listener = TcpListener::bind(&addr).await?;
    eprintln!("echoing at {}", listener.local_addr()?);
    shopfloor::select! {
        outcome = serve(listener) => outcome,
        outcome = shopfloor::signal::ctrl_c() => outcome,
    }
}

async fn serve(listener: TcpListener) -> io::Result<()> {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                shopfloor::spawn(async move {
                    if let Err(error) = echo(stream).await {
                        eprintln!("{peer}: {error}");
                    }
                });
            }
            Err(error) => {
                // Out of file descriptors, for example. The listener is not lost; it needs a moment.
                eprintln!("accept: {error}");
                shopfloor::time::sleep(Duration::from_millis(10)).await;
            }
        }
    }
}

async fn echo(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let (mut read, mut write) = stream.split();
    shopfloor::io::copy(&mut read, &mut write).await?;
    Ok(())
}
