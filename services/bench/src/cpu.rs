//! CPU time of processes, from `/proc`: the figure that a busy machine disturbs least.

use std::time::Duration;

use anyhow::{Context, Result};

/// Ticks per second in `/proc/PID/stat`: `USER_HZ`, which Linux has fixed at 100 for user space on every architecture.
const TICKS_PER_SECOND: u32 = 100;
/// Where user time stands after the command's name, counted from zero.
const UTIME: usize = 11;

/// User and system time that process `pid` has used, with all of its threads.
///
/// # Errors
/// When there is no such process, or no `/proc`.
pub(crate) fn used_by(pid: u32) -> Result<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .with_context(|| format!("reading the CPU time of process {pid}"))?;
    ticks(&stat)
        .map(duration)
        .with_context(|| format!("process {pid} has an odd stat line"))
}

/// The same of this process, to the nanosecond, of the threads that it has now.
///
/// # Errors
/// When there is no `/proc`.
pub(crate) fn used_here() -> Result<Duration> {
    let mut nanos = 0;
    for thread in std::fs::read_dir("/proc/self/task").context("listing threads")? {
        let stat = std::fs::read_to_string(thread?.path().join("schedstat"))?;
        let running = stat.split_whitespace().next();
        nanos += running.context("an odd schedstat line")?.parse::<u64>()?;
    }
    Ok(Duration::from_nanos(nanos))
}

/// The fields after the command's name, which stands in parentheses and may hold anything.
fn fields(stat: &str) -> Option<Vec<&str>> {
    let (_, rest) = stat.rsplit_once(')')?;
    Some(rest.split_whitespace().collect())
}

fn ticks(stat: &str) -> Option<u64> {
    let fields = fields(stat)?;
    let user: u64 = fields.get(UTIME)?.parse().ok()?;
    let system: u64 = fields.get(UTIME + 1)?.parse().ok()?;
    Some(user + system)
}

fn duration(ticks: u64) -> Duration {
    Duration::from_millis(ticks * 1000 / u64::from(TICKS_PER_SECOND))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn given_a_command_name_with_spaces_and_parentheses_then_the_times_are_found() {
        let stat = "42 (odd) name) S 7 42 42 0 -1 4194560 100 0 0 0 150 50 0 0 20 0 4 0 100 0 0";
        assert_eq!(ticks(stat), Some(200));
        assert_eq!(duration(200), Duration::from_secs(2));
    }

    #[test]
    fn given_this_process_then_its_time_grows_with_work() {
        let used = || used_by(std::process::id()).expect("this process is in /proc");
        let (before, began) = (used(), std::time::Instant::now());
        while used() == before {
            assert!(
                began.elapsed() < Duration::from_secs(30),
                "no time was used in 30 s of work"
            );
        }
        assert!(used() > before);
    }
}
