//! What an import did, for people or for programs.

use std::io;
use std::process::ExitCode;

use anyhow::Result;
use serde::Serialize;

use super::fault::Fault;
use super::plan::Plan;
use crate::output;
use crate::output::say;

/// How many faults people are shown; programs get all.
const SHOWN: usize = 50;

/// What came of an import.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    source: String,
    /// Lines that could be read.
    lines: u64,
    /// Rows that they come to.
    rows: usize,
    /// Lines that could not be imported.
    faults: Vec<Fault>,
    /// Whether anything was sent at all.
    sent: bool,
    pub(crate) created: Created,
    pub(crate) stored: Stored,
    /// What Billing made of the source so far; absent when nobody waited for it.
    pub(crate) rated: Option<Rated>,
}

/// Things that did not exist before.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Created {
    pub(crate) advertisers: usize,
    pub(crate) campaigns: usize,
    pub(crate) line_items: usize,
    pub(crate) publishers: usize,
    pub(crate) games: usize,
    pub(crate) ad_units: usize,
}

/// What became of the rows.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Stored {
    /// Rows that are new.
    pub(crate) inserted: i64,
    /// Rows that replaced earlier counts.
    pub(crate) corrected: i64,
    /// Rows that were stored already.
    pub(crate) unchanged: i64,
}

/// How far Billing is.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Rated {
    /// Rows of the imported span in Operations.
    pub(crate) delivered_rows: i64,
    /// Rows of the imported advertisers that are rated.
    pub(crate) rated_rows: i64,
    /// Rows that cannot be rated yet.
    pub(crate) parked_rows: i64,
    /// Whether all of it is rated.
    pub(crate) complete: bool,
}

impl Report {
    pub(crate) fn new(plan: &Plan, faults: Vec<Fault>) -> Self {
        Self {
            source: plan.source.clone(),
            lines: plan.lines,
            rows: plan.rows.len(),
            faults,
            sent: true,
            created: Created::default(),
            stored: Stored::default(),
            rated: None,
        }
    }

    pub(crate) fn has_faults(&self) -> bool {
        !self.faults.is_empty()
    }

    pub(crate) fn add_faults(&mut self, faults: impl IntoIterator<Item = Fault>) {
        self.faults.extend(faults);
        self.faults.sort_by_key(|fault| fault.line);
    }

    pub(crate) fn nothing_sent(&mut self) {
        self.sent = false;
    }

    /// Success, when everything of the file was taken, or left out on request.
    pub(crate) fn exit_code(&self) -> ExitCode {
        if self.sent {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        }
    }

    /// Prints the report: results on stdout, faults for people on stderr.
    pub(crate) fn print(&self, json: bool) -> Result<()> {
        if json {
            return output::print_json(self);
        }
        for fault in self.faults.iter().take(SHOWN) {
            eprintln!("{fault}");
        }
        if self.faults.len() > SHOWN {
            eprintln!("and {} more", self.faults.len() - SHOWN);
        }
        if !self.sent {
            let faults = self.faults.len();
            say!(
                "{faults} faults: no delivery was sent. --skip-bad-lines leaves those lines out."
            )?;
            return Ok(());
        }
        self.print_done()?;
        Ok(())
    }

    fn print_done(&self) -> io::Result<()> {
        say!("{} lines read, {} left out", self.lines, self.faults.len())?;
        let Created {
            advertisers,
            campaigns,
            line_items,
            publishers,
            games,
            ad_units,
        } = self.created;
        say!(
            "created    {advertisers} advertisers, {campaigns} campaigns, {line_items} line items, \
             {publishers} publishers, {games} games, {ad_units} ad units"
        )?;
        let Stored {
            inserted,
            corrected,
            unchanged,
        } = self.stored;
        say!("delivery   {inserted} rows new, {corrected} corrected, {unchanged} unchanged")?;
        match self.rated {
            None => say!("rating     not waited for")?,
            Some(rated) if rated.complete => say!("rating     all rated")?,
            Some(rated) => say!(
                "rating     still under way: {} of {} rows, {} parked",
                rated.rated_rows,
                rated.delivered_rows,
                rated.parked_rows
            )?,
        }
        Ok(())
    }
}
