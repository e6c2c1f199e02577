//! The process itself, under the names that all clients of Prometheus use. Read when somebody asks.

use metrics::{Unit, describe_counter, describe_gauge};

/// Tells the recorder what the metrics mean.
pub(super) fn describe() {
    describe_counter!(
        "process_cpu_seconds_total",
        Unit::Seconds,
        "Time on processors, the kernel's for this process included"
    );
    describe_gauge!(
        "process_resident_memory_bytes",
        Unit::Bytes,
        "Memory in use"
    );
    describe_gauge!("process_open_fds", "Files and sockets open now");
    describe_gauge!("process_max_fds", "Most files and sockets that may be open");
    describe_gauge!("process_threads", "Threads now");
    describe_gauge!(
        "process_start_time_seconds",
        Unit::Seconds,
        "When the process started, since the epoch"
    );
}

/// Reads what the system knows; where it knows nothing, there are no such series.
#[cfg(target_os = "linux")]
pub(super) fn collect() {
    // Nobody can mend it and the next reading may succeed: then the series stay as they are.
    let _ = read();
}

#[cfg(not(target_os = "linux"))]
pub(super) const fn collect() {}

#[cfg(target_os = "linux")]
fn read() -> procfs::ProcResult<()> {
    use metrics::{counter, gauge};
    use procfs::process::{LimitValue, Process};

    let process = Process::myself()?;
    let stat = process.stat()?;
    let ticks = procfs::ticks_per_second().max(1);
    counter!("process_cpu_seconds_total").absolute((stat.utime + stat.stime) / ticks);
    gauge!("process_resident_memory_bytes").set(rounded(stat.rss * procfs::page_size()));
    gauge!("process_threads").set(rounded(stat.num_threads.unsigned_abs()));
    gauge!("process_open_fds").set(rounded(u64::try_from(process.fd_count()?).unwrap_or(0)));
    if let LimitValue::Value(most) = process.limits()?.max_open_files.soft_limit {
        gauge!("process_max_fds").set(rounded(most));
    }
    let started = procfs::boot_time_secs()? + stat.starttime / ticks;
    gauge!("process_start_time_seconds").set(rounded(started));
    Ok(())
}

/// Gauges are floating-point numbers; what they show needs no exactness beyond 2^53.
#[cfg(target_os = "linux")]
#[expect(
    clippy::as_conversions,
    reason = "the standard library has no conversion that rounds"
)]
const fn rounded(number: u64) -> f64 {
    number as f64
}
