//! `cleave tap`: calls of a service as they end, with their messages.

mod line;
mod stream;

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Args;
use serde_json::Value;

use crate::cli::OutputArgs;
use crate::output::say;

/// What to watch.
#[derive(Debug, Args)]
pub(crate) struct TapArgs {
    /// The admin port of the service, such as 127.0.0.1:50061.
    #[arg(long, value_name = "ADDR")]
    admin: SocketAddr,
    /// Only this method: its path or the end of it, such as GetAccount.
    #[arg(long)]
    method: Option<String>,
    /// Only calls by this workload.
    #[arg(long)]
    caller: Option<String>,
    /// Only calls that ended so: codes by name, with commas between.
    #[arg(long)]
    code: Option<String>,
    /// Only calls that took so many milliseconds or more.
    #[arg(long, value_name = "MS")]
    min_ms: Option<u64>,
    /// Stop after so many calls.
    #[arg(long)]
    limit: Option<u64>,
    #[command(flatten)]
    output: OutputArgs,
}

impl TapArgs {
    /// The page of the admin port that shows what is asked for.
    fn path(&self) -> String {
        let number = |value: Option<u64>| value.map(|value| value.to_string());
        let asked = [
            ("method", self.method.clone()),
            ("caller", self.caller.clone()),
            ("code", self.code.clone()),
            ("min_ms", number(self.min_ms)),
            ("limit", number(self.limit)),
        ];
        let query: Vec<String> = asked
            .into_iter()
            .filter_map(|(key, value)| value.map(|value| format!("{key}={}", escape(&value))))
            .collect();
        format!("/tap?{}", query.join("&"))
    }
}

/// Text as part of a query.
fn escape(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' | b',' => {
                char::from(byte).to_string()
            }
            other => format!("%{other:02X}"),
        })
        .collect()
}

/// Prints calls until there were enough, the service ends, or Ctrl-C.
pub(crate) async fn tap(args: TapArgs) -> Result<ExitCode> {
    let mut lines = stream::open(args.admin, &args.path())
        .await
        .with_context(|| format!("the admin port at {}", args.admin))?;
    loop {
        let line = tokio::select! {
            line = lines.next() => line?,
            interrupted = tokio::signal::ctrl_c() => {
                interrupted.context("waiting for Ctrl-C")?;
                None
            }
        };
        let Some(line) = line else {
            return Ok(ExitCode::SUCCESS);
        };
        if args.output.is_json() {
            say!("{line}")?;
        } else {
            let call: Value = serde_json::from_str(&line).context("the tap's answer")?;
            write!(io::stdout(), "{}", line::show(&call))?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::escape;

    #[test]
    fn given_text_when_it_goes_into_a_query_then_only_plain_characters_stay() {
        assert_eq!(escape("a.B/C&d=é"), "a.B/C%26d%3D%C3%A9");
    }
}
