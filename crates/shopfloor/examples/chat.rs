//! A chat: what one client says, all others hear. Silent clients are sent away, slow ones miss lines and are
//! told so, and Ctrl-C says goodbye to everyone before the server ends.
//!
//! ```sh
//! cargo run --release --example chat -- 127.0.0.1:7001
//! nc 127.0.0.1 7001        # in several terminals
//! ```

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use shopfloor::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use shopfloor::net::{TcpListener, TcpStream};
use shopfloor::sync::broadcast::error::RecvError;
use shopfloor::sync::{broadcast, watch};
use shopfloor::task::JoinSet;
use shopfloor::time::{Instant, timeout, timeout_at};

/// Lines that a slow client may be behind.
const BACKLOG: usize = 256;
/// The longest line, in bytes.
const LINE_MAX: u64 = 4096;
/// A client that says nothing for so long is gone.
const SILENCE: Duration = Duration::from_secs(300);
/// How long a client may take to accept a line.
const PATIENCE: Duration = Duration::from_secs(10);

/// One line, and who said it.
#[derive(Clone, Debug)]
struct Line {
    from: SocketAddr,
    text: String,
}

#[shopfloor::main]
async fn main() -> io::Result<()> {
    let addr = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:7001".to_owned());
    let listener = TcpListener::bind(&addr).await?;
    eprintln!("chatting at {}", listener.local_addr()?);

    let (said, _) = broadcast::channel(BACKLOG);
    let (closing, is_closing) = watch::channel(false);
    let mut clients = JoinSet::new();
    let mut ctrl_c = std::pin::pin!(shopfloor::signal::ctrl_c());
    loop {
        shopfloor::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    let (said, is_closing) = (said.clone(), is_closing.clone());
                    clients.spawn(async move {
                        let outcome = chat(stream, peer, said, is_closing).await;
                        (peer, outcome)
                    });
                }
                Err(error) => {
                    // Out of file descriptors, for example. The listener is not lost; it needs a moment.
                    eprintln!("accept: {error}");
                    shopfloor::time::sleep(Duration::from_millis(10)).await;
                }
            },
            Some(ended) = clients.join_next() => report(ended),
            outcome = &mut ctrl_c => break outcome?,
        }
    }

    drop(listener);
    // Fails only if no client is left to hear it.
    closing.send_replace(true);
    while let Some(ended) = clients.join_next().await {
        report(ended);
    }
    Ok(())
}

fn report(ended: Result<(SocketAddr, io::Result<()>), shopfloor::task::JoinError>) {
    match ended {
        Ok((peer, Ok(()))) => eprintln!("{peer} left"),
        Ok((peer, Err(error))) => eprintln!("{peer}: {error}"),
        Err(error) => eprintln!("a client's task failed: {error}"),
    }
}

/// Serves one client until it leaves, falls silent, or the server closes.
async fn chat(
    stream: TcpStream,
    peer: SocketAddr,
    said: broadcast::Sender<Line>,
    mut is_closing: watch::Receiver<bool>,
) -> io::Result<()> {
    let mut heard = said.subscribe();
    let (read, mut write) = stream.into_split();
    let mut read = BufReader::new(read);
    // Kept across turns of the loop: a line may come in pieces.
    let mut line = Vec::new();
    let mut gone = Instant::now() + SILENCE;
    loop {
        let room = LINE_MAX - line.len() as u64;
        let mut next_piece = (&mut read).take(room);
        shopfloor::select! {
            piece = timeout_at(gone, next_piece.read_until(b'\n', &mut line)) => {
                let Ok(piece) = piece else { return say(&mut write, "* you were silent for too long\n").await };
                if piece? == 0 {
                    return Ok(());
                }
                gone = Instant::now() + SILENCE;
                if line.ends_with(b"\n") || line.len() as u64 == LINE_MAX {
                    let text = String::from_utf8_lossy(&line).trim_end().to_owned();
                    line.clear();
                    // Nobody may be listening; then nobody misses it.
                    let _: Result<usize, _> = said.send(Line { from: peer, text });
                }
            }
            next = heard.recv() => match next {
                Ok(Line { from, .. }) if from == peer => {}
                Ok(Line { from, text }) => say(&mut write, &format!("{from}: {text}\n")).await?,
                Err(RecvError::Lagged(missed)) => say(&mut write, &format!("* you missed {missed} lines\n")).await?,
                Err(RecvError::Closed) => return Ok(()),
            },
            () = closed(&mut is_closing) => return say(&mut write, "* the server closes\n").await,
        }
    }
}

/// Waits until the server closes.
async fn closed(is_closing: &mut watch::Receiver<bool>) {
    // An error says that the server's end of the channel is gone, which is the same.
    let _: Result<_, _> = is_closing.wait_for(|closing| *closing).await;
}

async fn say(write: &mut (impl AsyncWriteExt + Unpin), text: &str) -> io::Result<()> {
    match timeout(PATIENCE, write.write_all(text.as_bytes())).await {
        Ok(outcome) => outcome,
        Err(_elapsed) => Err(io::Error::new(io::ErrorKind::TimedOut, "the client does not read")),
    }
}
