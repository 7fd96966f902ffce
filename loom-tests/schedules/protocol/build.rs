//! Turns `cfg(shuttle)` on for this package alone, so that no flag and no feature reaches another crate.

fn main() {
    println!("cargo::rustc-cfg=shuttle");
    println!("cargo::rerun-if-changed=build.rs");
}
