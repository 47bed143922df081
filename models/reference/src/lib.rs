//! Reference yardsticks: copy, independent, uniform.
