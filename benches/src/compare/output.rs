//! Where the results go.
use std::path::{Path, PathBuf};

use super::plot;
use super::record::Report;

/// The directory for results: `compare` in cargo's target directory, wherever the program was started.
pub fn directory() -> PathBuf {
    let target = match std::env::var_os("CARGO_TARGET_DIR") {
        Some(target) if !target.is_empty() => PathBuf::from(target),
        _ => {
            let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."));
            // The program may have been copied away from the sources that built it.
            if workspace.join("Cargo.toml").exists() {
                workspace.join("target")
            } else {
                PathBuf::from("target")
            }
        }
    };
    target.join("compare")
}

/// Writes `compare.json`, `compare.md` and the plots to `directory`, and the JSON to `json` as well.
///
/// # Errors
/// If a file cannot be written; the error names it.
pub fn write(report: &Report, directory: &Path, json: Option<&Path>) -> Result<(), String> {
    std::fs::create_dir_all(directory).map_err(|error| format!("{}: {error}", directory.display()))?;
    let figures = serde_json::to_string_pretty(report).map_err(|error| error.to_string())?;
    let put = |path: &Path, text: &str| {
        std::fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
    };
    put(&directory.join("compare.json"), &figures)?;
    if let Some(path) = json {
        put(path, &figures)?;
    }
    let plots = plot::plots(report)?;
    for (file, svg) in &plots {
        put(&directory.join(file), svg)?;
    }
    let files: Vec<String> = plots.into_iter().map(|(file, _)| file).collect();
    put(&directory.join("compare.md"), &report.markdown(&files))
}
