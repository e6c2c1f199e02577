//! By how much counters have grown.

use super::scrape::Host;
use crate::metrics::{Exposition, Sample};

/// By how much each counter of this name has grown; all of it where the process began anew.
pub(super) fn growth<'a>(
    name: &'a str,
    metrics: &'a Exposition,
    earlier: Option<&'a Host>,
) -> impl Iterator<Item = (&'a Sample, f64)> {
    metrics.named(name).map(move |sample| {
        let before = earlier
            .into_iter()
            .flat_map(|earlier| earlier.metrics.named(name))
            .find(|before| before.labels == sample.labels)
            .map_or(0.0, |before| before.value);
        let grown = sample.value - before;
        (sample, if grown < 0.0 { sample.value } else { grown })
    })
}
