//! Turns `cfg(loom)` on for this package alone, so that no flag and no feature reaches another crate.

fn main() {
    println!("cargo::rustc-cfg=loom");
    println!("cargo::rerun-if-changed=build.rs");
}
