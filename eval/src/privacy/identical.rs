use super::{Indicator, kind, share};

/// `identical_match_share`: the share of synthetic rows that equal a training row in every compared
/// cell, in 0..=1. Tables of few categories have honest matches, so it is read against the share of
/// the holdout rows, its reference.
pub(super) const IDENTICAL: Indicator = Indicator {
    kind: kind("identical_match_share", 0.0, 1.0),
    value: |distances| Ok(share(&distances.synthetic.first, |distance| distance == 0.0)),
    reference: |distances| {
        Some(share(&distances.holdout_sample()?.first, |distance| distance == 0.0))
    },
};
