//! The guide: pages about more than one type or function.

#[doc = include_str!("speed.md")]
#[doc = include_str!("speed.svg")]
#[doc = include_str!("speed_costs.md")]
pub mod speed {}
