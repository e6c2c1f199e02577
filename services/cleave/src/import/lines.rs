//! The lines of the file, read as the map says.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result, bail};
use cleave_kernel::Timestamp;
use csv::{ByteRecord, ReaderBuilder, StringRecord};
use operations_client::pb::DeliveryCounts;

use super::decimal;
use super::fault::Fault;
use super::map::Map;
use super::plan::{Line, Names, Plan};
use super::template::Template;
use super::when::WhenReader;

/// The longest name that a thing may have.
const MOST_CHARS: usize = 200;

/// The plan that the file comes to, and the lines that cannot be part of it.
pub(crate) fn read(path: &Path, map: &Map) -> Result<(Plan, Vec<Fault>)> {
    read_from(File::open(path)?, map)
}

/// The same of the bytes of a file.
pub(super) fn read_from(file: impl Read, map: &Map) -> Result<(Plan, Vec<Fault>)> {
    let mut reader = ReaderBuilder::new().flexible(true).from_reader(file);
    let header = header(reader.byte_headers()?)?;
    let lines = LineReader::new(map, &header)?;
    let mut plan = Plan {
        source: map.source.clone(),
        ..Plan::default()
    };
    let mut faults = Vec::new();
    for record in reader.into_byte_records() {
        let record = record?;
        let number = record.position().map_or(0, csv::Position::line);
        match lines.read(number, record) {
            Ok(line) => {
                if let Err(reason) = plan.add(line, map.sum) {
                    faults.push(Fault::of_line(number, "", reason));
                }
            }
            Err(of_line) => faults.extend(of_line),
        }
    }
    Ok((plan, faults))
}

fn header(record: &ByteRecord) -> Result<StringRecord> {
    let header = StringRecord::from_byte_record(record.clone())
        .ok()
        .context("its header is not UTF-8")?;
    // Spreadsheets mark UTF-8 with a byte order mark, which is no part of the first name.
    let name = |cell: &str| cell.trim_start_matches('\u{feff}').to_owned();
    Ok(header.iter().map(name).collect())
}

/// Reads lines under one header.
struct LineReader<'a> {
    map: &'a Map,
    header: &'a StringRecord,
    when: WhenReader,
    start: Timestamp,
}

/// The cells of a line, by the name of their column, and what is wrong with them.
struct Cells<'a> {
    header: &'a StringRecord,
    record: &'a StringRecord,
    number: u64,
    faults: Vec<Fault>,
}

impl<'a> LineReader<'a> {
    fn new(map: &'a Map, header: &'a StringRecord) -> Result<Self> {
        let counts = &map.counts;
        let counted = [
            &counts.requests,
            &counts.impressions,
            &counts.viewable_impressions,
            &counts.clicks,
            &counts.installs,
            &counts.actions,
            &counts.invalid_impressions,
            &counts.invalid_clicks,
            &counts.media_cost,
        ];
        let mut missing: Vec<_> = counted
            .into_iter()
            .flatten()
            .map(String::as_str)
            .chain(map.template_columns())
            .chain([map.time.column.as_str()])
            .filter(|name| !header.iter().any(|cell| cell == *name))
            .collect();
        missing.sort_unstable();
        missing.dedup();
        if !missing.is_empty() {
            bail!(
                "the map names columns that it does not have: {}",
                missing.join(", ")
            );
        }
        let sound = |fault| anyhow::anyhow!("the map: {fault}");
        Ok(Self {
            map,
            header,
            when: map.time.reader().map_err(sound)?,
            start: map.start().map_err(sound)?,
        })
    }

    fn read(&self, number: u64, record: ByteRecord) -> Result<Line, Vec<Fault>> {
        let whole = |reason: String| vec![Fault::of_line(number, "", reason)];
        let (has, wants) = (record.len(), self.header.len());
        if has != wants {
            return Err(whole(format!(
                "has {has} cells where the header has {wants}"
            )));
        }
        let record =
            StringRecord::from_byte_record(record).map_err(|_| whole("is not UTF-8".to_owned()))?;
        let mut cells = Cells {
            header: self.header,
            record: &record,
            number,
            faults: Vec::new(),
        };
        let names = self.names(&mut cells);
        let hour = self.hour(&mut cells);
        let counts = self.counts(&mut cells);
        match hour {
            Some(hour) if cells.faults.is_empty() => Ok(Line {
                number,
                names,
                hour,
                counts,
            }),
            _ => Err(cells.faults),
        }
    }

    fn names(&self, cells: &mut Cells<'_>) -> Names {
        let map = self.map;
        Names {
            advertiser: cells.name("advertiser", &map.advertiser.name),
            campaign: cells.name("campaign", &map.campaign.name),
            line_item: cells.name("line item", &map.line_item.name),
            publisher: cells.name("publisher", &map.publisher.name),
            game: cells.name("game", &map.game.name),
            ad_unit: cells.name("ad unit", &map.ad_unit.name),
        }
    }

    fn hour(&self, cells: &mut Cells<'_>) -> Option<Timestamp> {
        let column = self.map.time.column.as_str();
        let reason = match self.when.read(cells.get(column)) {
            Ok(hour) if hour < self.start => "lies before the campaign.start of the map".to_owned(),
            Ok(hour) => return Some(hour),
            Err(reason) => reason,
        };
        cells.fault(column, reason);
        None
    }

    fn counts(&self, cells: &mut Cells<'_>) -> DeliveryCounts {
        let columns = &self.map.counts;
        DeliveryCounts {
            requests: cells.count(columns.requests.as_ref()),
            impressions: cells.count(columns.impressions.as_ref()),
            viewable_impressions: cells.count(columns.viewable_impressions.as_ref()),
            clicks: cells.count(columns.clicks.as_ref()),
            installs: cells.count(columns.installs.as_ref()),
            actions: cells.count(columns.actions.as_ref()),
            invalid_impressions: cells.count(columns.invalid_impressions.as_ref()),
            invalid_clicks: cells.count(columns.invalid_clicks.as_ref()),
            media_cost_micros: cells.amount(columns.media_cost.as_ref()),
        }
    }
}

impl<'a> Cells<'a> {
    fn get(&self, column: &str) -> &'a str {
        let place = self.header.iter().position(|name| name == column);
        place.and_then(|place| self.record.get(place)).unwrap_or("")
    }

    fn fault(&mut self, column: &str, reason: impl Into<String>) {
        self.faults
            .push(Fault::of_line(self.number, column, reason));
    }

    fn name(&mut self, of: &str, template: &Template) -> String {
        let name = template.fill(|column| self.get(column));
        if name.trim().is_empty() || name.chars().count() > MOST_CHARS {
            let column = template.columns().next().unwrap_or_default().to_owned();
            self.fault(
                &column,
                format!("makes no name for the {of}: 1 to {MOST_CHARS} characters"),
            );
        }
        name
    }

    fn count(&mut self, column: Option<&String>) -> i64 {
        let Some(column) = column else { return 0 };
        let cell = self.get(column);
        let plain = !cell.is_empty() && cell.bytes().all(|byte| byte.is_ascii_digit());
        match cell.parse() {
            Ok(count) if plain => count,
            _ => {
                self.fault(
                    column,
                    format!("{cell:?} is not a whole number of zero or more"),
                );
                0
            }
        }
    }

    fn amount(&mut self, column: Option<&String>) -> i64 {
        let Some(column) = column else { return 0 };
        let cell = self.get(column);
        match decimal::micros(cell) {
            Ok(micros) => micros,
            Err(error) => {
                self.fault(column, format!("{cell:?} {error}"));
                0
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::map::tests::MAP;
    use super::*;

    fn read_text(text: &[u8]) -> (Plan, Vec<Fault>) {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("report.csv");
        std::fs::write(&path, text).expect("it is written");
        read(&path, &Map::parse(MAP).expect("a sound map")).expect("it is read")
    }

    #[test]
    fn every_fault_is_told_with_its_line_and_column() {
        let text = b"day,campaign,ad,imps,clicks,cost\n\
            2023-08-31,1,a,10,1,0.5\n\
            2023-13-31,1,b,-1,x,1\n\
            2023-08-31,1,c,10,1\n\
            2023-08-31,1,\xff,10,1,1\n\
            2023-07-30,1,d,10,1,1,\n\
            2023-07-30,1,e,10,1,abc\n";
        let (plan, faults) = read_text(text);
        assert_eq!(plan.lines, 1);
        let told: Vec<_> = faults.iter().map(|f| (f.line, f.column.as_str())).collect();
        assert_eq!(
            told,
            [
                (3, "day"),
                (3, "imps"),
                (3, "clicks"),
                (4, ""),
                (5, ""),
                (6, ""),
                (7, "day"),
                (7, "cost")
            ]
        );
    }

    #[test]
    fn a_key_that_comes_twice_is_told() {
        let text = b"day,campaign,ad,imps,clicks,cost\n\
            2023-08-31,1,a,10,1,0.5\n\
            2023-08-31,2,a,10,1,0.5\n\
            2023-08-31,1,a,11,1,0.5\n";
        let (plan, faults) = read_text(text);
        assert_eq!(
            (plan.lines, plan.rows.len(), plan.line_items.len()),
            (2, 2, 2)
        );
        assert_eq!(faults.len(), 1);
        assert!(faults[0].reason.contains("line 2"), "{}", faults[0]);
    }
}
