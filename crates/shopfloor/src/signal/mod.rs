//! Signals of the operating system, as futures.

pub(crate) mod relay;
pub mod unix;

use std::io;

/// Waits for the next Ctrl-C (`SIGINT`).
///
/// From its first poll on, Ctrl-C no longer ends the process by itself, for as long as the process lives. A
/// Ctrl-C between two calls is not seen: to see each one keep a [`unix::Signal`].
///
/// ```no_run
/// # async fn serve() -> std::io::Result<()> {
/// shopfloor::signal::ctrl_c().await?;
/// // Stop accepting, finish what is under way.
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// If the signal cannot be registered, or the runtime shuts down meanwhile.
///
/// # Panics
/// Outside a runtime.
///
/// # Cancel safety
/// A signal that has not been returned is forgotten with the future.
pub async fn ctrl_c() -> io::Result<()> {
    unix::signal(unix::SignalKind::interrupt())?.next().await
}
