//! What results look like: tables for people, JSON for programs.

use std::io::{self, IsTerminal, Write};

use anyhow::Result;
use comfy_table::{CellAlignment, LineStyle, Table, TableStyle};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;

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
    fn amounts_show_every_micro_and_no_more() {
        let shown = [0, 5, 1_500_000, -1_234_567, 100_000_000].map(amount);
        assert_eq!(shown, ["0.00", "0.000005", "1.50", "-1.234567", "100.00"]);
    }
}
