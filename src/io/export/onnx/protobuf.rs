//! What ONNX files consist of.

use alloc::vec::Vec;

/// A message of protobuf as it is written. The few that are needed are put together by hand, because a library for them
/// would bring a generator of code along, and a compiler of protobuf to build it:
/// <https://protobuf.dev/programming-guides/encoding>. The field numbers are those of
/// <https://github.com/onnx/onnx/blob/main/onnx/onnx.proto>.
#[derive(Default)]
pub(super) struct Message(pub Vec<u8>);

impl Message {
    fn varint(&mut self, mut value: u64) {
        while value > 127 {
            self.0.push(value as u8 | 128);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    pub fn number(mut self, field: u64, value: u64) -> Self {
        self.varint(field << 3);
        self.varint(value);
        self
    }

    pub fn float(mut self, field: u64, value: f32) -> Self {
        self.varint(field << 3 | 5);
        self.0.extend(value.to_le_bytes());
        self
    }

    pub fn bytes(mut self, field: u64, bytes: &[u8]) -> Self {
        self.varint(field << 3 | 2);
        self.varint(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
        self
    }

    pub fn text(self, field: u64, text: &str) -> Self {
        self.bytes(field, text.as_bytes())
    }

    pub fn message(self, field: u64, message: Message) -> Self {
        self.bytes(field, &message.0)
    }
}

/// An `AttributeProto` with a float.
pub(super) fn float(name: &str, value: f64) -> Message {
    Message::default().text(1, name).float(2, value as f32).number(20, 1)
}

/// An `AttributeProto` with an integer.
pub(super) fn whole(name: &str, value: i64) -> Message {
    Message::default().text(1, name).number(3, value as u64).number(20, 2)
}

/// An `AttributeProto` with integers.
pub(super) fn wholes(name: &str, values: &[i64]) -> Message {
    let attribute = Message::default().text(1, name);
    values.iter().fold(attribute, |attribute, &value| attribute.number(8, value as u64)).number(20, 7)
}

/// An `AttributeProto` with a text.
pub(super) fn word(name: &str, value: &str) -> Message {
    Message::default().text(1, name).text(4, value).number(20, 3)
}

/// An `AttributeProto` with texts.
pub(super) fn words(name: &str, values: &[&str]) -> Message {
    let attribute = Message::default().text(1, name);
    values.iter().fold(attribute, |attribute, value| attribute.text(9, value)).number(20, 8)
}

/// An `AttributeProto` with floats.
pub(super) fn floats(name: &str, values: &[f64]) -> Message {
    let attribute = Message::default().text(1, name);
    values.iter().fold(attribute, |attribute, &value| attribute.float(7, value as f32)).number(20, 6)
}
