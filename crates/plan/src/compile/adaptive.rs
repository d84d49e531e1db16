//! The limit that follows the latency: `adaptive_concurrency`.

use config::{AdaptiveMode as Written, BackendGroup, Problems};
use upstream::{AdaptiveLimit, AdaptiveMode, AdaptiveTerms, Living};

/// None where there is none, or it is off.
pub(super) fn limit(
    group: &BackendGroup,
    living: &Living,
    problems: &mut Problems,
) -> Option<AdaptiveLimit> {
    let written = group.adaptive_concurrency.as_ref()?;
    let (min, max) = (&written.min_limit, &written.max_limit);
    if **min > **max {
        let place = if min.is_written() { min } else { max };
        let said = format!("`min_limit` ({}) is above `max_limit` ({})", **min, **max);
        let problem = problems.error(place.span, said);
        problem.help("the limit is always between the two");
    }
    let mode = match written.mode {
        Written::Off => return None,
        Written::Shadow => AdaptiveMode::Shadow,
        Written::On => AdaptiveMode::On,
    };
    let terms = AdaptiveTerms {
        min_limit: **min as usize,
        max_limit: **max as usize,
        tolerance_percent: written.latency_percent,
    };
    let limit = living.adaptive(&group.id.value, terms);
    Some(AdaptiveLimit { mode, limit })
}
