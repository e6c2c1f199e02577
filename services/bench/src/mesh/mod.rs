//! What a call through the mesh costs its caller, beside a bare HTTP/2 client and tonic's own channel.
//!
//! The servers are processes, and so is each kind of caller: its CPU is its own. The kinds take turns within a
//! round, so that whatever else the machine does disturbs them alike.

mod caller;
mod kind;
mod report;
mod secure;
mod turn;

pub(crate) use caller::call;
pub(crate) use kind::Kind;
pub(crate) use secure::Secure;
pub(crate) use turn::Turn;

use crate::process::{Process, free_addr};
use crate::setup::Turns;
use anyhow::Result;
use caller::Caller;
use report::Line;
use std::ffi::OsString;
use std::net::SocketAddr;

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
    /// Both sides prove who they are, over TLS.
    secure: bool,
}

const SETTINGS: [Setting; 7] = [
    plain(1, 1, 1),
    plain(1, 3, 1),
    plain(64, 1, 1),
    plain(64, 3, 1),
    plain(64, 3, 2),
    over_tls(64, 1, 1),
    over_tls(64, 3, 1),
];

const fn plain(in_flight: usize, endpoints: usize, threads: usize) -> Setting {
    Setting {
        in_flight,
        endpoints,
        threads,
        secure: false,
    }
}

const fn over_tls(in_flight: usize, endpoints: usize, threads: usize) -> Setting {
    Setting {
        secure: true,
        ..plain(in_flight, endpoints, threads)
    }
}

/// Runs the measure and prints a line for each setting.
///
/// # Errors
/// When a server or a caller does not start, or a call fails.
pub(crate) async fn measure(turns: &Turns, json: bool) -> Result<()> {
    let secure = Secure::make(turns.folder.path())?;
    let open = servers(turns, None).await?;
    let closed = servers(turns, Some(&secure)).await?;
    if !json {
        println!("{}", report::head());
    }
    for setting in SETTINGS {
        let (servers, secure) = match setting.secure {
            true => (&closed, Some(&secure)),
            false => (&open, None),
        };
        let servers = servers.iter().take(setting.endpoints);
        let addresses: Vec<_> = servers.map(|(addr, _)| addr.to_string()).collect();
        let line = rounds(turns, setting, &addresses, secure).await?;
        println!("{}", if json { line.json()? } else { line.text() });
    }
    Ok(())
}

/// As many servers as any setting has.
async fn servers(turns: &Turns, secure: Option<&Secure>) -> Result<Vec<(SocketAddr, Process)>> {
    let most = SETTINGS.iter().map(|setting| setting.endpoints).max();
    let mut servers = Vec::new();
    for _ in 0..most.unwrap_or(1) {
        let addr = free_addr()?;
        let log = turns
            .folder
            .path()
            .join(format!("memory-{}.log", addr.port()));
        let arguments: [OsString; 3] = [
            "answer-from-memory".into(),
            addr.to_string().into(),
            ACCOUNT.into(),
        ];
        let arguments = arguments
            .into_iter()
            .chain(secure.into_iter().flat_map(tls));
        let process = Process::start(&std::env::current_exe()?, arguments, addr, &log).await?;
        servers.push((addr, process));
    }
    Ok(servers)
}

/// What tells a process where its certificates are.
fn tls(secure: &Secure) -> [OsString; 2] {
    ["--tls".into(), secure.folder().into()]
}

/// The kinds take turns.
async fn rounds(
    turns: &Turns,
    setting: Setting,
    addresses: &[String],
    secure: Option<&Secure>,
) -> Result<Line> {
    let mut callers = Vec::new();
    for kind in Kind::ALL {
        callers.push(Caller::start(kind, setting, addresses, secure).await?);
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
