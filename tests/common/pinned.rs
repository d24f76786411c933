//! Hashes that are kept in a file, `examples/firmware/src/hashes.rs`, which a program on a microcontroller compares with too.

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/firmware/src/hashes.rs");

/// Fails unless `found` is the hash that the file has under `name`; with `TUPLENET_HASHES=write` writes it there instead.
pub fn pinned(name: &str, found: u32) {
    let text = std::fs::read_to_string(FILE).expect("the file of hashes can be read");
    let before = std::format!("pub const {name}: u32 = ");
    let start = text.find(&before).unwrap_or_else(|| panic!("there is no hash `{name}`")) + before.len();
    let end = start + text[start..].find(';').expect("a constant ends");
    let found = std::format!("{found:#010x}");
    if std::env::var("TUPLENET_HASHES").is_ok_and(|value| value == "write") {
        std::fs::write(FILE, std::format!("{}{found}{}", &text[..start], &text[end..]))
            .expect("the file can be written");
    } else {
        assert_eq!(text[start..end], found, "{name}: TUPLENET_HASHES=write writes a hash that is meant to change");
    }
}
