//! Named datasets: catalogue, finding and fetching, reading, schemas, splits, simulators.
//!
//! [`CATALOGUE`] lists the named tables; [`select`] chooses some, and [folders](Folder) of the user's
//! own; [`Chosen::load`] finds, fetches, reads and splits one. [`read_table`] and [`write_table`]
//! serve the user's own files. Only this crate and the command line touch files.
//!
//! ```
//! use datasets::{Places, select};
//! use meg_core::{Seed, Silent};
//!
//! # fn main() -> meg_core::Result<()> {
//! let places = Places { download: false, ..Places::from_environment(None) };
//! for table in select(&["ring".into(), "clin*".into()])?.tables {
//!     let dataset = table.load(&places, Seed(1), &mut Silent)?;
//!     assert_eq!(dataset.train.rows(), dataset.holdout.rows());
//! }
//! # Ok(())
//! # }
//! ```

mod catalogue;
mod chosen;
mod dataset;
mod fetch;
mod folder;
mod names;
mod places;
mod read;
mod select;
mod simulated;
mod split;
mod store;
mod write;

pub use catalogue::{
    Address, CATALOGUE, Ending, Entry, Format, Label, Packing, Source, SourceFile, Split,
};
pub use chosen::Chosen;
pub use dataset::{Dataset, table_hash};
pub use folder::{FOLDER_SPLIT, Folder};
pub use places::Places;
pub use read::{
    ReadOptions, SchemaOf, Separator, column_names, infer_schema, infer_schema_with, read_table,
    read_table_with, read_texts, remarks,
};
pub use select::{Selection, select};
pub use simulated::{Mixture, Network, Node, clinic, clinic_log_probability, clinic_risk, mixture};
pub use split::{EqualRows, Parts, stratified};
pub use store::write_file;
pub use write::{write_csv, write_parquet, write_table};
