//! Small broken contracts, and what the build says about each.

mod compile;
