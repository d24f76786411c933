//! Hashes that are kept in a file, `src/num/hashes.rs`, which a program on a microcontroller compares with too.

use std::path::{Path, PathBuf};

/// The file, for tests of the library and for those in `tests`, a package in a folder of it.
fn file() -> PathBuf {
    let mut files = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().map(|folder| folder.join("src/num/hashes.rs"));
    files.find(|file| file.exists()).expect("the file of hashes is there")
}

/// Fails unless `found` is the hash that the file has under `name`; with `TUPLENET_HASHES=write` writes it there instead.
pub fn pinned(name: &str, found: u32) {
    let text = std::fs::read_to_string(file()).expect("the file of hashes can be read");
    let before = std::format!("pub const {name}: u32 = ");
    let start = text.find(&before).unwrap_or_else(|| panic!("there is no hash `{name}`")) + before.len();
    let end = start + text[start..].find(';').expect("a constant ends");
    let found = std::format!("{found:#010x}");
    if std::env::var("TUPLENET_HASHES").is_ok_and(|value| value == "write") {
        std::fs::write(file(), std::format!("{}{found}{}", &text[..start], &text[end..]))
            .expect("the file can be written");
    } else {
        assert_eq!(text[start..end], found, "{name}: TUPLENET_HASHES=write writes a hash that is meant to change");
    }
}
