//! [`Text`]: a short text in a buffer of fixed size, which constants can compute too.

use core::fmt;

/// Up to `CAPACITY` bytes of text.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Text<const CAPACITY: usize> {
    length: u16,
    bytes: [u8; CAPACITY],
}

impl<const CAPACITY: usize> Text<CAPACITY> {
    /// An empty text.
    pub(crate) const fn new() -> Self {
        const { assert!(CAPACITY <= u16::MAX as usize) };
        Text { length: 0, bytes: [0; CAPACITY] }
    }

    #[cfg(any(feature = "checkpoint", feature = "safetensors"))]
    /// The end of a text, after three dots if it does not fit.
    pub(crate) const fn end_of(text: &str) -> Self {
        let (mut result, bytes) = (Self::new(), text.as_bytes());
        let mut from = 0;
        if bytes.len() > CAPACITY {
            result.push("...");
            from = bytes.len() - (CAPACITY - 3);
            while !text.is_char_boundary(from) {
                from += 1;
            }
        }
        result.push(text.split_at(from).1);
        result
    }

    /// Appends text up to the capacity, in whole characters. Returns whether all of it fits.
    pub(crate) const fn push(&mut self, text: &str) -> bool {
        let (mut end, start) = (text.len(), self.length as usize);
        while start + end > CAPACITY || !text.is_char_boundary(end) {
            end -= 1;
        }
        let mut at = 0;
        while at < end {
            self.bytes[start + at] = text.as_bytes()[at];
            at += 1;
        }
        self.length += end as u16;
        end == text.len()
    }

    /// Appends an integer.
    pub(crate) const fn push_number(&mut self, mut number: u64) -> bool {
        let (mut digits, mut first) = ([0; 20], 20);
        loop {
            first -= 1;
            digits[first] = b'0' + (number % 10) as u8;
            number /= 10;
            if number == 0 {
                break;
            }
        }
        match core::str::from_utf8(digits.split_at(first).1) {
            Ok(digits) => self.push(digits),
            Err(_) => false,
        }
    }

    /// Shortens the text to its first `length` bytes, which must end with a character.
    #[cfg(feature = "safetensors")]
    pub(crate) const fn cut(&mut self, length: usize) {
        if length < self.length as usize {
            self.length = length as u16;
        }
    }

    /// The text.
    #[must_use]
    pub const fn as_str(&self) -> &str {
        match core::str::from_utf8(self.bytes.split_at(self.length as usize).0) {
            Ok(text) => text,
            // Only whole characters are appended.
            Err(_) => "",
        }
    }
}

impl<const CAPACITY: usize> fmt::Display for Text<CAPACITY> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl<const CAPACITY: usize> fmt::Debug for Text<CAPACITY> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.as_str())
    }
}

#[cfg(feature = "checkpoint")]
impl<const CAPACITY: usize> serde::Serialize for Text<CAPACITY> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.as_str().serialize(serializer)
    }
}

#[cfg(feature = "checkpoint")]
impl<'de, const CAPACITY: usize> serde::Deserialize<'de> for Text<CAPACITY> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::end_of(&alloc::string::String::deserialize(deserializer)?))
    }
}

/// A type's name without the paths of modules.
#[derive(Clone, Copy)]
pub(crate) struct Short<'a>(pub &'a str);

impl fmt::Display for Short<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        while !rest.is_empty() {
            let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
            let (word, after) = rest.split_at(rest.find(|c| !is_word(c)).unwrap_or(rest.len()));
            f.write_str(word.rsplit(':').next().unwrap_or(word))?;
            let (between, next) = after.split_at(after.find(is_word).unwrap_or(after.len()));
            f.write_str(between)?;
            rest = next;
        }
        Ok(())
    }
}

#[cfg(all(test, feature = "safetensors"))]
mod tests {
    use super::Text;

    #[test]
    fn what_has_no_room_is_left_out_by_whole_characters() {
        let mut text = Text::<6>::new();
        assert!(text.push("ab") && text.push_number(70) && !text.push("€"));
        assert_eq!(text.as_str(), "ab70");
        text.cut(1);
        assert_eq!(text.as_str(), "a");
        assert_eq!(Text::<8>::end_of("layers.0.weight").as_str(), "...eight");
        assert_eq!(Text::<8>::end_of("123€€€").as_str(), "...€");
        assert_eq!(Text::<8>::end_of("0.weight").as_str(), "0.weight");
        let mut number = Text::<20>::new();
        assert!(number.push_number(u64::MAX) && number.as_str() == "18446744073709551615");
    }
}
