//! The guide: what is not about one type or function alone.

#[doc = include_str!("speed.md")]
#[doc = include_str!("speed.svg")]
#[doc = include_str!("speed_costs.md")]
pub mod speed {}
