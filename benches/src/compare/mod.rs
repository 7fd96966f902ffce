//! `compare`: servers on loopback, and tasks against OS threads.

pub mod case;
pub mod echo;
pub mod load;
pub mod measure;
pub mod options;
pub mod output;
pub mod plot;
pub mod record;
pub mod render;
pub mod run;
pub mod serve;
pub mod servers;
pub mod session;
mod suite;
pub mod tasks;
pub mod work;
