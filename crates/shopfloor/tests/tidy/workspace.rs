//! Which crate may depend on which.

use std::collections::BTreeSet;

use crate::tree::Finding;

/// The arrows of the architecture: a package, and the packages of the workspace that it may depend on.
/// The protocol stands alone, scheduler and driver do not know each other, the facade joins them.
const ARROWS: [(&str, &[&str]); 12] = [
    ("shopfloor-protocol", &[]),
    ("shopfloor-macros", &[]),
    ("shopfloor-task", &["shopfloor-protocol"]),
    ("shopfloor-driver", &["shopfloor-protocol"]),
    ("shopfloor-scheduler", &["shopfloor-protocol", "shopfloor-task"]),
    (
        "shopfloor",
        &[
            "shopfloor-driver",
            "shopfloor-macros",
            "shopfloor-protocol",
            "shopfloor-scheduler",
            "shopfloor-task",
        ],
    ),
    ("loom-tests", &[]),
    // The crates compiled against shuttle depend on each other, under the names of the originals.
    ("schedules-protocol", &[]),
    ("schedules-task", &["schedules-protocol"]),
    ("schedules-scheduler", &["schedules-protocol", "schedules-task"]),
    ("schedules", &["schedules-protocol", "schedules-scheduler"]),
    ("sleep-model", &[]),
];

/// Packages from which nothing is built upon: they may depend on everything.
const OUTERMOST: [&str; 1] = ["shopfloor-benches"];

/// A dependency of a manifest, dev-dependencies left out: tests may use what they like.
#[derive(Debug, PartialEq, Eq)]
struct Dependency<'a> {
    /// Under which the package is used.
    name: &'a str,
    /// The package, which may be another than the name says.
    package: &'a str,
    line: usize,
}

/// Dependencies on packages of the workspace that the architecture does not have.
pub(crate) fn arrows(path: &str, manifest: &str) -> Vec<Finding> {
    let package = package_name(manifest).unwrap_or_default();
    if OUTERMOST.contains(&package) {
        return Vec::new();
    }
    let Some((_, allowed)) = ARROWS.iter().find(|(name, _)| *name == package) else {
        return vec![Finding::new(path, 1, format!("`{package}` has no arrows in the architecture"))];
    };
    dependencies(manifest)
        .into_iter()
        .filter(|it| is_of_this_workspace(it.package) && !allowed.contains(&it.package))
        .map(|it| Finding::new(path, it.line, format!("`{package}` must not depend on `{}`", it.package)))
        .collect()
}

/// A twin compiles the source of a crate, so it needs that crate's dependencies, and what watches it: `surplus`.
pub(crate) fn twin_dependencies(original: &str, path: &str, twin: &str, surplus: &[&str]) -> Vec<Finding> {
    let names = |manifest| dependencies(manifest).iter().map(|it| it.name).collect::<BTreeSet<_>>();
    let mut expected = names(original);
    expected.extend(surplus);
    let found = names(twin);
    found
        .symmetric_difference(&expected)
        .map(|name| Finding::new(path, 1, format!("`{name}` is in one manifest only")))
        .collect()
}

fn is_of_this_workspace(package: &str) -> bool {
    ARROWS.iter().any(|(name, _)| *name == package) || OUTERMOST.contains(&package)
}

fn package_name(manifest: &str) -> Option<&str> {
    let (_, package) = manifest.split_once("[package]")?;
    let line = package.lines().find(|line| line.starts_with("name"))?;
    line.split('"').nth(1)
}

/// The keys of every table `[dependencies]` and `[build-dependencies]`, for all platforms or one.
fn dependencies(manifest: &str) -> Vec<Dependency<'_>> {
    let mut found = Vec::new();
    let mut inside = false;
    for (index, line) in manifest.lines().enumerate() {
        if let Some(header) = line.trim().strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            let of_all = header
                .strip_prefix("target.")
                .map_or(header, |_| header.rsplit('.').next().unwrap_or(header));
            inside = matches!(of_all, "dependencies" | "build-dependencies");
            // The form `[dependencies.name]`.
            if let Some(name) = header.strip_prefix("dependencies.") {
                found.push(Dependency { name, package: name, line: index + 1 });
            }
            continue;
        }
        let key = line.split(['=', '.', ' ']).next().unwrap_or_default();
        let is_key =
            !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        if inside && is_key {
            let renamed = line.split_once("package = \"").and_then(|(_, rest)| rest.split('"').next());
            found.push(Dependency { name: key, package: renamed.unwrap_or(key), line: index + 1 });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const DRIVER: &str = r#"
[package]
name = "shopfloor-driver"

[dependencies]
# A comment.
polling.workspace = true
shopfloor-protocol = { path = "../protocol" }

[target.'cfg(target_os = "linux")'.dependencies]
shopfloor-scheduler.workspace = true

[dev-dependencies]
shopfloor.workspace = true
"#;

    #[test]
    fn an_arrow_that_the_architecture_lacks_is_found() {
        let found = arrows("driver/Cargo.toml", DRIVER);
        assert_eq!(found.iter().map(|it| it.line).collect::<Vec<_>>(), [11]);
        assert!(found[0].what.contains("`shopfloor-driver` must not depend on `shopfloor-scheduler`"));
    }

    #[test]
    fn a_crate_without_arrows_is_found() {
        assert_eq!(arrows("new/Cargo.toml", "[package]\nname = \"new\"\n").len(), 1);
        assert_eq!(
            arrows("b/Cargo.toml", "[package]\nname = \"shopfloor-benches\"\n[dependencies]\nshopfloor = 1"),
            []
        );
    }

    #[test]
    fn an_arrow_under_another_name_is_found_by_its_package() {
        let twin = "[package]\nname = \"schedules-protocol\"\n[dependencies]\n\
            tracing = { package = \"schedules-task\", path = \"../task\" }\n";
        assert!(arrows("twin/Cargo.toml", twin)[0].what.contains("must not depend on `schedules-task`"));
        assert_eq!(arrows("twin/Cargo.toml", &twin.replace("schedules-protocol", "schedules-scheduler")), []);
    }

    #[test]
    fn a_dependency_of_one_twin_only_is_found() {
        let protocol = "[dependencies]\nparking_lot.workspace = true\n";
        let check = |twin| twin_dependencies(protocol, "twin/Cargo.toml", twin, &["loom"]).len();
        assert_eq!(check("[dependencies]\nloom = \"1\"\nparking_lot = \"1\"\n"), 0);
        assert_eq!(check("[dependencies]\nloom = \"1\"\n"), 1);
        assert_eq!(check("[dependencies.loom]\n[dependencies]\nparking_lot = 1\nlibc = 1"), 1);
    }
}
