//! Nothing: what any program takes.

#![no_std]
#![no_main]

firmware::program!(well);

fn well() -> bool {
    true
}
