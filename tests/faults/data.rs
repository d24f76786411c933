//! Statistics, CSV, order, parts, metrics.
