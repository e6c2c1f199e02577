//! What a call through the mesh costs its caller, beside a bare HTTP/2 client and tonic's own channel.
//!
//! The servers are processes, and so is each kind of caller: its CPU is its own. The kinds take turns within a
//! round, so that whatever else the machine does disturbs them alike.

mod caller;
mod kind;
mod report;
mod turn;

pub(crate) use caller::call;
pub(crate) use kind::Kind;
pub(crate) use turn::Turn;

use crate::process::{Process, free_addr};
use crate::setup::Turns;
use anyhow::Result;
use caller::Caller;
use report::Line;

/// What the measure is called.
pub(crate) const NAME: &str = "mesh";
/// The account that is read again and again.
const ACCOUNT: &str = "adv_01h455vb4pex5vsknk084sn02q";

/// How calls are made.
#[derive(Debug, Clone, Copy)]
struct Setting {
    /// Calls under way at any moment.
    in_flight: usize,
    /// Servers among which the mesh chooses. The others, which choose nothing, have one connection to each.
    endpoints: usize,
    /// Threads of the caller.
    threads: usize,
}

const SETTINGS: [Setting; 5] = [
    Setting {
        in_flight: 1,
        endpoints: 1,
        threads: 1,
    },
    Setting {
        in_flight: 1,
        endpoints: 3,
        threads: 1,
    },
    Setting {
        in_flight: 64,
        endpoints: 1,
        threads: 1,
    },
    Setting {
        in_flight: 64,
        endpoints: 3,
        threads: 1,
    },
    Setting {
        in_flight: 64,
        endpoints: 3,
        threads: 2,
    },
];

/// Runs the measure and prints a line for each setting.
///
/// # Errors
/// When a server or a caller does not start, or a call fails.
pub(crate) async fn measure(turns: &Turns, json: bool) -> Result<()> {
    let mut servers = Vec::new();
    let most = SETTINGS.iter().map(|setting| setting.endpoints).max();
    for index in 0..most.unwrap_or(1) {
        let addr = free_addr()?;
        let log = turns.folder.path().join(format!("memory-{index}.log"));
        let arguments = [
            "answer-from-memory".to_owned(),
            addr.to_string(),
            ACCOUNT.to_owned(),
        ];
        let process = Process::start(&std::env::current_exe()?, arguments, addr, &log).await?;
        servers.push((addr, process));
    }
    let addresses: Vec<_> = servers.iter().map(|(addr, _)| addr.to_string()).collect();
    if !json {
        println!("{}", report::head());
    }
    for setting in SETTINGS {
        let line = rounds(turns, setting, &addresses[..setting.endpoints]).await?;
        println!("{}", if json { line.json()? } else { line.text() });
    }
    Ok(())
}

/// The kinds take turns.
async fn rounds(turns: &Turns, setting: Setting, addresses: &[String]) -> Result<Line> {
    let mut callers = Vec::new();
    for kind in Kind::ALL {
        callers.push(Caller::start(kind, setting, addresses).await?);
    }
    let mut line = Line::new(setting);
    // The first round warms everything up.
    for round in 0..=turns.rounds {
        for caller in &mut callers {
            let turn = caller.turn(turns.span).await?;
            if round > 0 {
                line.add(caller.kind(), turn);
            }
        }
    }
    Ok(line)
}
