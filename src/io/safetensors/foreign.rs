//! Recognizes files of other formats by their first bytes.

/// How many bytes are needed to recognize a file.
pub(crate) const TELLING: usize = 128;

/// What the file is that begins like this, and what to do about it; none if that is unknown, or it may well be
/// safetensors.
pub(crate) const fn foreign(bytes: &[u8]) -> Option<&'static str> {
    if bytes.len() <= 8 || bytes[8] == b'{' && bytes[7] == 0 {
        return None;
    }
    Some(match bytes {
        [b'P', b'K', 3, 4, ..] if has(bytes, b"metadata.json") || has(bytes, b"config.json") => {
            "a model of Keras: `examples/convert/keras_model.py` makes one of it"
        }
        [b'P', b'K', 3, 4, ..] if has(bytes, b".npy") => {
            "arrays of NumPy: `safetensors.numpy.save_file` writes one, with the names of PyTorch"
        }
        [b'P', b'K', 3, 4, ..] if has(bytes, b"data.pkl") => {
            "one of `torch.save`: write it with `safetensors.torch.save_file(network.state_dict(), path)`"
        }
        [b'P', b'K', 3 | 5, 4 | 6, ..] => {
            "a zip, as `torch.save` and Keras write it: use `safetensors.torch.save_file(network.state_dict(), path)`, or \
             `examples/convert/keras_model.py`"
        }
        // With its protocol, and what may follow it.
        [0x80, 2..=5, ..] => {
            "a pickle, as `torch.save` and joblib write it: use `safetensors.torch.save_file(network.state_dict(), path)`, or \
             `examples/convert/sklearn_model.py`"
        }
        [0x89, b'H', b'D', b'F', ..] => {
            "HDF5, as Keras writes `.h5`: `examples/convert/keras_model.py` makes one of the model"
        }
        [0x93, b'N', b'U', b'M', b'P', b'Y', ..] => {
            "an array of NumPy: `safetensors.numpy.save_file` writes one, with the names of PyTorch"
        }
        [8, 1..=32, 0x12 | 0x1a | 0x3a | 0x42, ..] => {
            "protobuf, as ONNX and TensorFlow write it: write the weights from the model that it was made of"
        }
        [b'G', b'G', b'U', b'F', ..] => "GGUF: write the weights from the model that it was made of",
        [_, _, _, _, b'T', b'F', b'L', b'3', ..] => {
            "TensorFlow Lite: `examples/convert/keras_model.py` makes one of the Keras model that it was made of"
        }
        [0x1f, 0x8b, ..] | [0x28, 0xb5, 0x2f, 0xfd, ..] | [0xfd, b'7', b'z', ..] | [b'B', b'Z', b'h', ..] => {
            "a compressed file: unpack it first"
        }
        // As zlib begins: what joblib writes is a pickle inside.
        [0x78, 0x01 | 0x5e | 0x9c | 0xda, ..] => {
            "a compressed file, as joblib writes it: `examples/convert/sklearn_model.py` reads one"
        }
        b if begins_with(b, b"tuplenet") => "a checkpoint: `Checkpoint::resume` reads it",
        b if begins_with(b, b"version https://git-lfs") => "a pointer of Git LFS: `git lfs pull` gets the file itself",
        b if is_text(b) => match first_letter(b) {
            b'<' => "HTML or XML: has a download given an error page?",
            b'{' | b'[' => "JSON: the weights are in another file, whose name ends in .safetensors",
            _ => "text",
        },
        _ => return None,
    })
}

const fn begins_with(bytes: &[u8], start: &[u8]) -> bool {
    let mut i = 0;
    while i < start.len() {
        if i >= bytes.len() || bytes[i] != start[i] {
            return false;
        }
        i += 1;
    }
    true
}

/// Whether some of the first bytes are these.
const fn has(bytes: &[u8], word: &[u8]) -> bool {
    let mut rest = bytes;
    let mut at = 0;
    while let [_, tail @ ..] = rest
        && at < TELLING
    {
        if begins_with(rest, word) {
            return true;
        }
        rest = tail;
        at += 1;
    }
    false
}

/// Without the mark that says that it is UTF-8.
const fn content(bytes: &[u8]) -> &[u8] {
    if let [0xef, 0xbb, 0xbf, content @ ..] = bytes { content } else { bytes }
}

const fn is_text(bytes: &[u8]) -> bool {
    let (bytes, mut i) = (content(bytes), 0);
    while i < bytes.len() && i < 8 {
        if !matches!(bytes[i], b'\t' | b'\n' | b'\r' | b' '..=b'~') {
            return false;
        }
        i += 1;
    }
    true
}

/// The first that is no space, of a text.
const fn first_letter(bytes: &[u8]) -> u8 {
    let mut rest = content(bytes);
    while let [letter, tail @ ..] = rest {
        if !letter.is_ascii_whitespace() {
            return *letter;
        }
        rest = tail;
    }
    b' '
}
