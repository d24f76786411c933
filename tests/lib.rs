//! Nothing: the tests are the targets of this package. But only to a package with a library does trybuild, which compiles the
//! programs in `compile_errors` and `compile_errors_io`, pass on which features are on.
