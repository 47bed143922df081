#![doc = include_str!("../README.md")]

mod binning;
mod codes;
mod column;
pub mod constraints;
mod dates;
mod densities;
mod encoder;
#[cfg(test)]
mod golden;
mod identifiers;
mod kmeans;
pub mod masking;
mod matrix;
mod missing;
mod mixture;
mod mixtures;
mod modes;
mod plan;
mod power;
mod quantiles;
mod ranks;
mod rejection;
mod scaling;

pub use binning::{BinInverse, BinRule, Bins, Lowest, equal_width_edges, quantile_edges};
pub use codes::{
    BinaryCode, GroupRare, HashedCode, LevelOrder, MissingLevel, OneHot, Ordinal, SmoothedOneHot,
    UnitCode,
};
pub use column::{Chain, ColumnTransform, FitColumn, FittedStep, NumberMap, Parts, Range, Step};
pub use dates::{DateNumber, DateParts, DateText, DateUnit};
pub use encoder::{
    Activation, CategorySlot, DecodedRows, Encoded, EncoderOptions, Span, TableEncoder,
};
pub use identifiers::fresh_identifiers;
pub use matrix::{Padding, SquareMatrix};
pub use missing::{Fill, MirrorFlag, MirrorFlags, Mirrored, NullIndicator, load_mirrored};
pub use mixture::VariationalMixture;
pub use mixtures::{EmMixture, ModePlaces, SoftModes};
pub use modes::ModeNormalizer;
pub use plan::{TablePlan, TablePreset, TableTransform};
pub use power::{Powers, YeoJohnson};
pub use ranks::RankNormal;
pub use scaling::{Log, MinMax, Robust, Standard};
