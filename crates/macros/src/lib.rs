//! The attribute macros of shopfloor.
