//! Memory of processes, from `/proc`: what a process has alone, and its share of what it has with others.

use anyhow::{Context, Result};

/// Memory that process `pid` takes, in MiB.
///
/// # Errors
/// When there is no such process, or no `/proc`.
pub(crate) fn of(pid: u32) -> Result<f64> {
    let rollup = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))
        .with_context(|| format!("reading the memory of process {pid}"))?;
    let kib = pss(&rollup).with_context(|| format!("process {pid} tells no memory"))?;
    Ok(f64::from(kib) / 1024.0)
}

fn pss(rollup: &str) -> Option<u32> {
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn given_a_rollup_then_the_share_is_found_and_not_its_parts() {
        let rollup = "5560-7ffd ---p 00000000 00:00 0   [rollup]\n\
                      Rss:               53600 kB\n\
                      Pss:               51200 kB\n\
                      Pss_Anon:          40000 kB\n";
        assert_eq!(pss(rollup), Some(51_200));
    }

    #[test]
    fn given_this_process_then_it_grows_with_what_it_holds() {
        let used = || of(std::process::id()).expect("this process is in /proc");
        let before = used();
        // Written, so that the pages are there.
        let held = vec![1_u8; 64 << 20];
        assert!(used() > before + 32.0, "{before} MiB before");
        drop(held);
    }
}
