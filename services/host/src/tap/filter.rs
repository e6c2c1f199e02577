//! Which calls a viewer wants to see.

use super::recording::Recorded;
use cleave_mesh::metrics::code_name;
use serde::Deserialize;
use std::time::Duration;
use tonic::Code;

/// What a viewer asks for, as the query of its request.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Query {
    /// A method: its path, or the end of it.
    method: Option<String>,
    /// The workload that calls.
    caller: Option<String>,
    /// Status codes by name, with commas between.
    code: Option<String>,
    /// Only calls that took so long at least.
    min_ms: Option<u64>,
    /// Calls to see, then the stream ends.
    pub(super) limit: Option<u64>,
}

/// The query says what cannot be.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is no status code; give names such as OK,UNAVAILABLE")]
pub(super) struct UnknownCode(String);

/// Which calls a viewer wants to see.
#[derive(Debug)]
pub(super) struct Filter {
    method: Option<String>,
    caller: Option<String>,
    /// None for all.
    codes: Vec<Code>,
    at_least: Duration,
}

impl TryFrom<Query> for Filter {
    type Error = UnknownCode;

    fn try_from(query: Query) -> Result<Self, UnknownCode> {
        let names = query.code.as_deref().unwrap_or_default();
        let names = names.split(',').map(str::trim).filter(|n| !n.is_empty());
        Ok(Self {
            method: query.method.filter(|method| !method.is_empty()),
            caller: query.caller.filter(|caller| !caller.is_empty()),
            codes: names.map(code_of).collect::<Result<_, _>>()?,
            at_least: Duration::from_millis(query.min_ms.unwrap_or(0)),
        })
    }
}

impl Filter {
    /// What is known when a call begins.
    pub(super) fn may_pass(&self, path: &str, caller: Option<&str>) -> bool {
        let method = self.method.as_deref();
        let asked = self.caller.as_deref();
        method.is_none_or(|method| names(path, method)) && asked.is_none_or(|a| caller == Some(a))
    }

    /// What is known when it ends.
    pub(super) fn passes(&self, call: &Recorded) -> bool {
        call.duration >= self.at_least && (self.codes.is_empty() || self.codes.contains(&call.code))
    }
}

/// Whether `method` is the path or its end, from the beginning of a word.
fn names(path: &str, method: &str) -> bool {
    path.strip_suffix(method)
        .is_some_and(|before| before.is_empty() || before.ends_with(['/', '.']))
}

fn code_of(name: &str) -> Result<Code, UnknownCode> {
    (0..=16)
        .map(Code::from_i32)
        .find(|code| code_name(*code).eq_ignore_ascii_case(name))
        .ok_or_else(|| UnknownCode(name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn given_a_path_when_its_end_is_asked_for_then_only_whole_words_name_it() {
        let path = "/cleave.billing.v1.AccountService/GetAccount";
        for method in [
            path,
            "GetAccount",
            "AccountService/GetAccount",
            "billing.v1.AccountService/GetAccount",
        ] {
            assert!(names(path, method), "{method}");
        }
        for method in ["Account", "tAccount", "GetAccount2", "/GetAccount"] {
            assert!(!names(path, method), "{method}");
        }
    }

    #[test]
    fn given_codes_when_one_is_unknown_then_it_is_named() {
        let query = |code: &str| Query {
            code: Some(code.to_owned()),
            ..Query::default()
        };
        let filter = Filter::try_from(query("ok, UNAVAILABLE")).expect("two codes");
        assert_eq!(filter.codes, [Code::Ok, Code::Unavailable]);
        let fault = Filter::try_from(query("OK,FINE")).expect_err("no code");
        assert!(fault.to_string().contains("FINE"));
    }
}
