//! A program without a network, for comparison.

#![no_std]
#![no_main]

firmware::program!(well);

fn well() -> bool {
    true
}
