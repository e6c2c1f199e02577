//! Which series and labels a query names: as much of PromQL as that takes.

/// What a query names.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Names {
    /// Its selectors.
    pub(crate) selectors: Vec<Selector>,
    /// The labels that it groups or matches by.
    pub(crate) labels: Vec<String>,
    /// Whether it leaves out what does not compare.
    pub(crate) compares: bool,
}

/// One selector.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Selector {
    pub(crate) metric: String,
    /// Label, operator, value.
    pub(crate) matchers: Vec<(String, String, String)>,
}

/// Words after which labels follow in parentheses.
const GROUPING: [&str; 6] = [
    "by",
    "on",
    "without",
    "ignoring",
    "group_left",
    "group_right",
];
/// Words that stand between, and aggregations, whose parentheses may come after the grouping.
const WORDS: [&str; 13] = [
    "and", "or", "unless", "bool", "offset", "sum", "min", "max", "avg", "count", "topk",
    "bottomk", "inf",
];

/// Reads a query.
pub(crate) fn names(query: &str) -> Names {
    let mut reader = Reader { rest: query };
    let mut names = Names::default();
    while let Some(c) = reader.rest.chars().next() {
        if is_start(c) {
            reader.word_into(&mut names);
        } else if c.is_ascii_digit() {
            reader.take(|c| c.is_ascii_alphanumeric() || c == '.');
        } else if c == '[' {
            reader.until(']');
        } else if c == '"' {
            reader.string();
        } else {
            names.compares |= matches!(c, '<' | '>' | '=' | '!');
            reader.skip(c);
        }
    }
    names
}

fn is_start(c: char) -> bool {
    c.is_ascii_alphabetic() || c == '_' || c == ':'
}

struct Reader<'a> {
    rest: &'a str,
}

impl<'a> Reader<'a> {
    fn skip(&mut self, c: char) {
        self.rest = &self.rest[c.len_utf8()..];
    }

    fn take(&mut self, wanted: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|c| !wanted(c)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken
    }

    fn word(&mut self) -> &'a str {
        self.take(|c| is_start(c) || c.is_ascii_digit())
    }

    fn spaces(&mut self) {
        self.take(char::is_whitespace);
    }

    /// What comes before `end`, which is taken too.
    fn until(&mut self, end: char) -> &'a str {
        let (taken, rest) = self.rest.split_once(end).unwrap_or((self.rest, ""));
        self.rest = rest;
        taken
    }

    /// A string in quotes. None of ours has a quote inside.
    fn string(&mut self) -> &'a str {
        self.skip('"');
        self.until('"')
    }

    fn word_into(&mut self, names: &mut Names) {
        let word = self.word();
        self.spaces();
        let grouping = GROUPING.contains(&word);
        if self.rest.starts_with('(') {
            if grouping {
                self.skip('(');
                let labels = self.until(')').split(',');
                names
                    .labels
                    .extend(labels.map(|label| label.trim().to_owned()));
            }
            return;
        }
        if grouping || WORDS.contains(&word) {
            return;
        }
        names.selectors.push(Selector {
            metric: word.to_owned(),
            matchers: self.matchers(),
        });
    }

    fn matchers(&mut self) -> Vec<(String, String, String)> {
        let mut matchers = Vec::new();
        if !self.rest.starts_with('{') {
            return matchers;
        }
        self.skip('{');
        loop {
            self.take(|c| c.is_whitespace() || c == ',');
            let label = self.word();
            if label.is_empty() {
                self.until('}');
                return matchers;
            }
            self.spaces();
            let operator = self.take(|c| matches!(c, '=' | '!' | '~'));
            self.spaces();
            let value = self.string();
            matchers.push((label.to_owned(), operator.to_owned(), value.to_owned()));
        }
    }
}

#[test]
fn a_query_is_read() {
    let query = "sum by (job, le) (rate(a_bucket{x=\"1\",y!~\"}(\"}[5m])) / on (job) b:c > 1e6 * max(d) offset 5m";
    let names = names(query);
    let of = |metric: &str, matchers: &[(&str, &str, &str)]| Selector {
        metric: metric.to_owned(),
        matchers: matchers
            .iter()
            .map(|(a, b, c)| ((*a).to_owned(), (*b).to_owned(), (*c).to_owned()))
            .collect(),
    };
    let expected = [
        of("a_bucket", &[("x", "=", "1"), ("y", "!~", "}(")]),
        of("b:c", &[]),
        of("d", &[]),
    ];
    assert_eq!(names.selectors, expected);
    assert_eq!(names.labels, ["job", "le", "job"]);
    assert!(names.compares);
}
