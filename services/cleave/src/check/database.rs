//! Whether each database can be reached and has the schema of this version.

use std::time::Duration;

use anyhow::{Context as _, Result};
use billing::Inspection;

use super::finding::Finding;
use super::subject::Subject;

/// What was seen of a service's database.
pub(super) async fn inspect(subject: &Subject, timeout: Duration) -> Result<Inspection> {
    // Reaching, asking and closing have a bound each; this is one around them all.
    let seen = tokio::time::timeout(timeout * 2, (subject.inspect)(timeout)).await;
    seen.with_context(|| format!("no answer within {timeout:?}"))?
}

/// The line on it.
pub(super) fn judge(subject: &Subject, seen: &Result<Inspection>) -> Finding {
    let name = subject.name;
    let place = without_secret(&subject.database);
    match seen {
        Err(error) => Finding::failure(
            format!("{name}: {place}: {error:#}"),
            "start the database, or mend database.url; a new one is made by the first start or by `migrate`",
        ),
        Ok(seen) if seen.pending.is_empty() => {
            Finding::ok(format!("{name}: {place} answers, its schema is up to date"))
        }
        Ok(seen) => {
            let pending = seen.pending.join(", ");
            let text = format!(
                "{name}: {place} lacks {} migrations: {pending}",
                seen.pending.len()
            );
            if subject.migrates {
                Finding::warning(text, format!("{name} applies them at its next start"))
            } else {
                Finding::failure(text, format!("run `{name} migrate` with the same settings"))
            }
        }
    }
}

/// A URL without user and password.
fn without_secret(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    let place = rest.split_once('?').map_or(rest, |(place, _)| place);
    let place = place.rsplit_once('@').map_or(place, |(_, place)| place);
    format!("{scheme}://{place}")
}

#[cfg(test)]
mod tests {
    use super::without_secret;

    #[test]
    fn passwords_are_not_shown() {
        for (url, shown) in [
            (
                "postgres://a:p@ss@host:5432/db?password=x",
                "postgres://host:5432/db",
            ),
            ("mysql://host/db", "mysql://host/db"),
            ("sqlite:///var/x.db", "sqlite:///var/x.db"),
            ("sqlite:x.db", "sqlite:x.db"),
        ] {
            assert_eq!(without_secret(url), shown);
        }
    }
}
