//! What results look like: tables for people, JSON for programs.

use std::io::{self, IsTerminal, Write};

use anyhow::Result;
use comfy_table::{CellAlignment, LineStyle, Table, TableStyle};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;

/// Prints a line, like `println!`, but a reader that went away is an error and no panic.
macro_rules! say {
    ($($text:tt)*) => {
        std::io::Write::write_fmt(&mut std::io::stdout(), format_args!("{}\n", format_args!($($text)*)))
    };
}
pub(crate) use say;

/// Prints one JSON document.
pub(crate) fn print_json(value: &impl Serialize) -> Result<()> {
    let mut out = io::stdout().lock();
    serde_json::to_writer_pretty(&mut out, value)?;
    writeln!(out)?;
    Ok(())
}

/// An empty table; columns from `numbers_from` on hold numbers.
pub(crate) fn table(header: &[&str], numbers_from: usize) -> Table {
    let mut table = Table::new();
    let line = LineStyle::none().fill('─').junction('─');
    table.load_style(TableStyle::new().header_separator(line).bottom_border(line));
    table.set_header(header);
    for column in table.column_iter_mut().skip(numbers_from) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// An amount in micros, as people write it: at least two decimals, and no more than there are.
pub(crate) fn amount(micros: i64) -> String {
    let sign = if micros < 0 { "-" } else { "" };
    let micros = micros.unsigned_abs();
    let (units, rest) = (micros / 1_000_000, micros % 1_000_000);
    let decimals = format!("{rest:06}");
    let shown = decimals.trim_end_matches('0').len().max(2);
    format!("{sign}{units}.{}", &decimals[..shown])
}

/// A second since the epoch, as people write it.
pub(crate) fn instant(second: i64) -> String {
    jiff::Timestamp::from_second(second).map_or_else(
        |_| "never".to_owned(),
        |instant| instant.strftime("%Y-%m-%d %H:%M UTC").to_string(),
    )
}

/// A number of seconds in the largest unit that says enough.
pub(crate) fn span(seconds: i64) -> String {
    let sign = if seconds < 0 { "-" } else { "" };
    let seconds = seconds.unsigned_abs();
    let (number, unit) = match seconds {
        0..=119 => (seconds, "s"),
        120..=7_199 => (seconds / 60, "min"),
        7_200..=172_799 => (seconds / 3_600, "h"),
        _ => (seconds / 86_400, "d"),
    };
    format!("{sign}{number} {unit}")
}

/// A time in seconds, with the digits and the unit that say enough.
pub(crate) fn latency(seconds: f64) -> String {
    let (number, unit) = match seconds {
        s if s < 0.001 => (s * 1e6, "µs"),
        s if s < 1.0 => (s * 1e3, "ms"),
        s => (s, "s"),
    };
    let decimals = usize::from(number < 10.0 && unit != "µs");
    format!("{number:.decimals$} {unit}")
}

/// A progress bar on a terminal; nothing elsewhere.
pub(crate) fn progress(what: &'static str, total: u64) -> ProgressBar {
    let target = if io::stderr().is_terminal() {
        ProgressDrawTarget::stderr()
    } else {
        ProgressDrawTarget::hidden()
    };
    let style = ProgressStyle::with_template("{msg:22} {bar:40} {human_pos}/{human_len} {eta}")
        .expect("the template is a constant");
    ProgressBar::with_draw_target(Some(total), target)
        .with_style(style)
        .with_message(what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latencies_keep_two_digits() {
        let shown = [0.0, 0.000_25, 0.001_26, 0.0312, 4.0, 61.0].map(latency);
        assert_eq!(
            shown,
            ["0 µs", "250 µs", "1.3 ms", "31 ms", "4.0 s", "61 s"]
        );
    }

    #[test]
    fn spans_say_enough_and_no_more() {
        let shown = [0, 119, 120, 7_200, 172_799, 172_800, -60].map(span);
        assert_eq!(
            shown,
            ["0 s", "119 s", "2 min", "2 h", "47 h", "2 d", "-60 s"]
        );
    }

    #[test]
    fn amounts_show_every_micro_and_no_more() {
        let shown = [0, 5, 1_500_000, -1_234_567, 100_000_000].map(amount);
        assert_eq!(shown, ["0.00", "0.000005", "1.50", "-1.234567", "100.00"]);
    }
}
