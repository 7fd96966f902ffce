//! An M:N async runtime for servers.
//!
//! ```
//! use shopfloor::io::{AsyncReadExt, AsyncWriteExt};
//! use shopfloor::net::{TcpListener, TcpStream};
//!
//! #[shopfloor::main]
//! async fn main() -> std::io::Result<()> {
//!     let listener = TcpListener::bind("127.0.0.1:0").await?;
//!     let mut client = TcpStream::connect(listener.local_addr()?).await?;
//!     let serving = shopfloor::spawn(async move {
//!         let (mut stream, _) = listener.accept().await?;
//!         let (mut reader, mut writer) = stream.split();
//!         shopfloor::io::copy(&mut reader, &mut writer).await
//!     });
//!     client.write_all(b"hello").await?;
//!     client.shutdown().await?;
//!     let mut answer = String::new();
//!     client.read_to_string(&mut answer).await?;
//!     assert_eq!(answer, "hello");
//!     assert_eq!(serving.await??, 5);
//!     Ok(())
//! }
//! ```
//!
//! Names, signatures and documented meanings are tokio's. A program for tokio changes the name of the crate;
//! `docs/PORTING.md` of the repository lists what differs. Beyond tokio, a task can be
//! [suspended and resumed](task::JoinHandle::suspend), and a worker whose task does not return from its poll is
//! [replaced](runtime::Builder::stand_in_threads).
//!
//! What needs a runtime finds it by the thread that it is called on, and panics in one sentence where there is
//! none: inside [`block_on`](runtime::Runtime::block_on), in a task, in a blocking job, or under
//! [`enter`](runtime::Runtime::enter) there is one.

pub use shopfloor_macros::{main, test};

mod context;
pub mod io;
mod io_driver;
pub mod net;
pub mod runtime;
#[cfg(unix)]
pub mod signal;
pub mod sync;
pub mod task;
pub mod time;

pub use task::spawn;

// One by one, as in `io` and `sync`.
pub use tokio::{join, pin, select, try_join};
