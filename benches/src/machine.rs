//! What the figures were measured on.
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// The machine, the compiler and the moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// Processor model.
    pub cpu: String,
    /// Cores this process may use.
    pub cores: usize,
    /// Memory, MiB.
    pub memory_mib: u64,
    /// Kernel name and release.
    pub kernel: String,
    /// Whether the kernel runs on a hypervisor, whose wake-ups between cores are dear.
    pub virtualised: bool,
    /// Compiler that built this program.
    pub rustc: String,
    /// Cargo's profile, `release` or `debug`.
    pub profile: String,
    /// Versions of the rivals in the lock file, and of Go if there is one.
    pub rivals: String,
    /// UTC date and time of the run.
    pub date: String,
}

impl Machine {
    /// Looks at the machine this program runs on. What cannot be found out is called unknown.
    pub fn look() -> Self {
        let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let uname = rustix::system::uname();
        Self {
            cpu: cpu_field(&cpuinfo, "model name").unwrap_or("unknown").to_owned(),
            cores: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            memory_mib: crate::os::proc_number("/proc/meminfo", "MemTotal").unwrap_or(0) / 1024,
            kernel: format!("{} {}", uname.sysname().to_string_lossy(), uname.release().to_string_lossy()),
            virtualised: cpu_field(&cpuinfo, "flags").is_some_and(|flags| flags.contains("hypervisor")),
            rustc: env!("COMPARE_RUSTC").to_owned(),
            profile: env!("COMPARE_PROFILE").to_owned(),
            rivals: std::iter::once(env!("COMPARE_RIVALS").to_owned())
                .chain(go())
                .collect::<Vec<_>>()
                .join(", "),
            date: utc(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()),
        }
    }

    /// The description, one line per subject.
    pub fn lines(&self) -> [String; 3] {
        let guest = if self.virtualised { ", virtual machine" } else { "" };
        [
            format!("{}, {} cores, {} MiB{guest}, {}", self.cpu, self.cores, self.memory_mib, self.kernel),
            format!("{}, {} profile; {}", self.rustc, self.profile, self.rivals),
            self.date.clone(),
        ]
    }
}

/// The version of the Go that builds its server.
fn go() -> Option<String> {
    let version = std::process::Command::new("go").arg("version").output().ok()?;
    let version = String::from_utf8(version.stdout).ok()?;
    version.split_whitespace().find(|word| word.starts_with("go1")).map(str::to_owned)
}

fn cpu_field<'a>(cpuinfo: &'a str, key: &str) -> Option<&'a str> {
    let line = cpuinfo.lines().find(|line| line.split(':').next().is_some_and(|name| name.trim() == key))?;
    Some(line.split_once(':')?.1.trim())
}

/// `2026-11-23 09:04:05 UTC` for a time since 1970.
fn utc(since_epoch: Duration) -> String {
    let seconds = since_epoch.as_secs();
    let (mut days, time) = (seconds / 86_400, seconds % 86_400);
    let is_leap =
        |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let mut year = 1970;
    loop {
        let length = if is_leap(year) { 366 } else { 365 };
        if days < length {
            break;
        }
        days -= length;
        year += 1;
    }
    let february = if is_leap(year) { 29 } else { 28 };
    let mut month = 1;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    let day = days + 1;
    let (hours, minutes, seconds) = (time / 3600, time / 60 % 60, time % 60);
    format!("{year}-{month:02}-{day:02} {hours:02}:{minutes:02}:{seconds:02} UTC")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Machine, cpu_field, utc};

    #[test]
    fn dates_follow_the_calendar() {
        let at = |seconds| utc(Duration::from_secs(seconds));
        assert_eq!(at(0), "1970-01-01 00:00:00 UTC");
        assert_eq!(at(951_782_399), "2000-02-28 23:59:59 UTC");
        assert_eq!(at(951_782_400), "2000-02-29 00:00:00 UTC");
        assert_eq!(at(1_767_225_599), "2025-12-31 23:59:59 UTC");
        assert_eq!(at(1_795_424_645), "2026-11-23 09:04:05 UTC");
    }

    #[test]
    fn cpu_model_is_read_by_its_whole_name() {
        let cpuinfo = "processor\t: 0\nmodel\t\t: 17\nmodel name\t: Fast: CPU\n";
        assert_eq!(cpu_field(cpuinfo, "model name"), Some("Fast: CPU"));
        assert_eq!(cpu_field(cpuinfo, "model"), Some("17"));
        assert_eq!(cpu_field(cpuinfo, "flags"), None);
    }

    #[test]
    fn description_names_compiler_and_rivals() {
        let machine = Machine::look();
        assert!(machine.rustc.starts_with("rustc "), "{}", machine.rustc);
        assert!(machine.rivals.contains("tokio 1."), "{}", machine.rivals);
        assert!(machine.cores >= 1);
    }
}
