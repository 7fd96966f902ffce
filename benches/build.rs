//! Writes down what was compared: the compiler and the versions of the rivals, read from the lock file.
use std::path::Path;
use std::process::Command;
use std::{env, fs};

const RIVALS: [&str; 8] = ["tokio", "mio", "smol", "async-executor", "async-io", "rayon", "monoio", "hyper"];

fn main() {
    let lock = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.lock");
    println!("cargo::rerun-if-changed={}", lock.display());
    println!("cargo::rerun-if-changed=build.rs");
    let versions = fs::read_to_string(&lock).map_or_else(|_| String::from("unknown"), |text| versions(&text));
    println!("cargo::rustc-env=COMPARE_RIVALS={versions}");
    println!("cargo::rustc-env=COMPARE_RUSTC={}", rustc());
    println!("cargo::rustc-env=COMPARE_PROFILE={}", env::var("PROFILE").unwrap_or_default());
}

fn versions(lock: &str) -> String {
    let mut found = Vec::new();
    for package in lock.split("[[package]]") {
        let field = |name: &str| {
            let line = package.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(" = \""));
            line.and_then(|rest| rest.strip_suffix('"'))
        };
        if let (Some(name), Some(version)) = (field("name"), field("version"))
            && RIVALS.contains(&name)
        {
            found.push(format!("{name} {version}"));
        }
    }
    found.join(", ")
}

fn rustc() -> String {
    let rustc = env::var("RUSTC").unwrap_or_else(|_| String::from("rustc"));
    match Command::new(rustc).arg("--version").output() {
        Ok(output) => String::from_utf8_lossy(&output.stdout).trim().to_owned(),
        Err(_) => String::from("unknown"),
    }
}
