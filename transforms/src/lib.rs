//! Reversible column transforms and the table encoder.
