//! What the operating system says about this process.

use std::fs;

/// Ticks in which Linux counts CPU time for programs: 100 a second on every
/// architecture it still runs on, whatever the kernel's own tick.
const TICKS_PER_SECOND: f64 = 100.0;

/// Figures about the process, as Prometheus' own client libraries give them.
/// What the system does not tell is left out.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct ProcessFigures {
    /// User and system time.
    pub cpu_seconds: Option<f64>,
    pub resident_bytes: Option<u64>,
    pub open_fds: Option<u64>,
    /// The soft limit; nothing when there is none.
    pub max_fds: Option<u64>,
    /// Seconds since the Unix epoch.
    pub start_unix_seconds: Option<f64>,
}

impl ProcessFigures {
    /// Reads them from `/proc`, a handful of small files: not for a worker.
    pub fn read() -> Self {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        let stat = read("/proc/self/stat");
        Self {
            cpu_seconds: cpu_seconds(&stat),
            resident_bytes: resident_bytes(&read("/proc/self/status")),
            open_fds: open_fds(),
            max_fds: max_fds(&read("/proc/self/limits")),
            start_unix_seconds: start_unix_seconds(&stat, &read("/proc/stat")),
        }
    }
}

/// A field of `/proc/self/stat`, counted from 1 as proc_pid_stat(5) does. The
/// second is the program's name, which may hold anything, so fields are
/// counted from its closing parenthesis.
fn stat_field(stat: &str, number: usize) -> Option<f64> {
    let (_, rest) = stat.rsplit_once(')')?;
    let field = rest.split_ascii_whitespace().nth(number.checked_sub(3)?)?;
    field.parse().ok()
}

fn cpu_seconds(stat: &str) -> Option<f64> {
    let (user, system) = (stat_field(stat, 14)?, stat_field(stat, 15)?);
    Some((user + system) / TICKS_PER_SECOND)
}

fn start_unix_seconds(stat: &str, system_stat: &str) -> Option<f64> {
    let boot = system_stat.lines().find_map(|l| l.strip_prefix("btime "))?;
    let boot: f64 = boot.trim().parse().ok()?;
    Some(boot + stat_field(stat, 22)? / TICKS_PER_SECOND)
}

fn resident_bytes(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

/// Counts the descriptors, less the one that listing them takes.
fn open_fds() -> Option<u64> {
    let listed = fs::read_dir("/proc/self/fd").ok()?.count() as u64;
    listed.checked_sub(1)
}

fn max_fds(limits: &str) -> Option<u64> {
    let line = limits
        .lines()
        .find_map(|l| l.strip_prefix("Max open files"))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAT: &str = "42 (a ) 7 (b) S 1 42 42 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 3 0 4200 \
                        9000000 500 18446744073709551615 1 1 0 0 0 0 0 4096 0 0 0 0 17 1 0 0 0 0 0";

    #[test]
    fn files_are_read_by_their_manual() {
        assert_eq!(cpu_seconds(STAT), Some(3.0));
        let system = "cpu  1 2 3\nintr 5\nbtime 1795222923\nprocesses 9\n";
        assert_eq!(start_unix_seconds(STAT, system), Some(1_795_222_965.0));
        let status = "Name:\tforebay\nVmHWM:\t  9000 kB\nVmRSS:\t    8192 kB\nThreads:\t3\n";
        assert_eq!(resident_bytes(status), Some(8_388_608));
        let limits = "Limit                     Soft Limit           Hard Limit           Units\n\
                      Max open files            1024                 1048576              files\n";
        assert_eq!(max_fds(limits), Some(1024));
        assert_eq!(max_fds("Max open files  unlimited unlimited files\n"), None);
    }

    #[test]
    fn what_is_missing_or_broken_is_left_out() {
        for text in [
            "",
            "42",
            "42 (x)",
            "42 (x) S 1",
            "VmRSS: many kB",
            "btime soon",
        ] {
            assert_eq!(cpu_seconds(text), None);
            assert_eq!(start_unix_seconds(text, text), None);
            assert_eq!(resident_bytes(text), None);
            assert_eq!(max_fds(text), None);
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_has_figures() {
        let figures = ProcessFigures::read();
        assert!(figures.cpu_seconds.is_some());
        assert!(figures.resident_bytes.unwrap() > 100_000);
        assert!(figures.open_fds.unwrap() >= 3);
        // Sometime between 2001 and 2286.
        assert!((1e9..1e10).contains(&figures.start_unix_seconds.unwrap()));
    }
}
