//! [`Precision`]: the floating-point types of files, and the conversion from and to those of networks.

use crate::error::Text;

/// The floating-point type of values in a file, in little-endian order.
///
/// Reading: a value of at most the network's precision is taken as it is; an `F64` becomes the nearest `f32`, ties to
/// even. Writing: it becomes the nearest value of the file's type, ties to even, also for subnormal numbers. A finite
/// value that would become infinite is an error in both directions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// IEEE 754 binary16: 11 bits of precision, up to 65,504.
    F16,
    /// The upper half of an `F32`: 8 bits of precision.
    BF16,
    /// `f32`.
    F32,
    /// `f64`.
    F64,
}

/// The value whose bytes begin at `$at`, exactly. Not only a function, because each call takes the compiler's time.
macro_rules! read {
    ($precision:expr, $bytes:ident, $at:ident) => {{
        let low = $bytes[$at] as u32 | ($bytes[$at + 1] as u32) << 8;
        match $precision {
            Precision::F16 => $crate::io::safetensors::precision::from_half(low),
            Precision::BF16 => f32::from_bits(low << 16) as f64,
            Precision::F32 => {
                f32::from_bits(low | ($bytes[$at + 2] as u32) << 16 | ($bytes[$at + 3] as u32) << 24) as f64
            }
            Precision::F64 => {
                let low = low | ($bytes[$at + 2] as u32) << 16 | ($bytes[$at + 3] as u32) << 24;
                let high = $bytes[$at + 4] as u32 | ($bytes[$at + 5] as u32) << 8;
                let high = high | ($bytes[$at + 6] as u32) << 16 | ($bytes[$at + 7] as u32) << 24;
                f64::from_bits(low as u64 | (high as u64) << 32)
            }
        }
    }};
}
pub(crate) use read;

impl Precision {
    pub(crate) const EXPECTED: &'static str = "F16, BF16, F32 or F64";

    /// The size of a value in bytes.
    #[must_use]
    pub const fn size(self) -> usize {
        match self {
            Precision::F16 | Precision::BF16 => 2,
            Precision::F32 => 4,
            Precision::F64 => 8,
        }
    }

    /// Its name in safetensors files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Precision::F16 => "F16",
            Precision::BF16 => "BF16",
            Precision::F32 => "F32",
            Precision::F64 => "F64",
        }
    }

    /// The value whose bytes begin at `at`, exactly.
    #[inline(always)]
    pub(crate) const fn read(self, bytes: &[u8], at: usize) -> f64 {
        read!(self, bytes, at)
    }

    /// The bytes of the nearest number, and how many of them count.
    pub(crate) fn write(self, value: f64) -> ([u8; 8], usize) {
        let bits = match self {
            Precision::F16 => u64::from(round::<10, 5>(value)),
            Precision::BF16 => u64::from(round::<7, 8>(value)),
            Precision::F32 => u64::from((value as f32).to_bits()),
            Precision::F64 => value.to_bits(),
        };
        (bits.to_le_bytes(), self.size())
    }
}

/// The type with this name in safetensors files.
pub(crate) const fn precision(name: &Text<22>) -> Option<Precision> {
    match name.as_str().as_bytes() {
        b"F16" => Some(Precision::F16),
        b"BF16" => Some(Precision::BF16),
        b"F32" => Some(Precision::F32),
        b"F64" => Some(Precision::F64),
        _ => None,
    }
}

/// The value of a binary16, exactly.
pub(crate) const fn from_half(bits: u32) -> f64 {
    let (sign, exponent, mantissa) = (bits >> 15, bits >> 10 & 31, bits & 1023);
    let size = match exponent {
        0 => mantissa as f64 / (1 << 24) as f64,
        31 if mantissa == 0 => f64::INFINITY,
        31 => f64::NAN,
        _ => f64::from_bits((exponent as u64 + 1023 - 15) << 52 | (mantissa as u64) << 42),
    };
    if sign == 1 { -size } else { size }
}

/// The bits of the nearest number with `MANTISSA` bits behind the point and `EXPONENT` bits for the exponent, ties to
/// even.
fn round<const MANTISSA: u32, const EXPONENT: u32>(value: f64) -> u16 {
    let sign = (value.to_bits() >> 63 << (MANTISSA + EXPONENT)) as u16;
    let infinity = ((1u16 << EXPONENT) - 1) << MANTISSA;
    if value.is_nan() {
        return sign | infinity | 1 << (MANTISSA - 1);
    }
    let bias = (1i32 << (EXPONENT - 1)) - 1;
    let bits = value.to_bits() & !(1 << 63);
    let exponent = (bits >> 52) as i32 - 1023;
    if exponent > bias {
        return sign | infinity;
    }
    // Below the smallest normal number the last bit stands for a fixed amount; far below, for more than the value.
    let lost = 52 - MANTISSA as i32 + (1 - bias - exponent).max(0);
    if lost > 53 {
        return sign;
    }
    let mantissa = bits & ((1 << 52) - 1) | 1 << 52;
    let (kept, rest, half) = (mantissa >> lost, mantissa & ((1 << lost) - 1), 1u64 << (lost - 1));
    let rounded = kept + u64::from(rest > half || rest == half && kept & 1 == 1);
    // With the leading bit set, so that a carry continues into the exponent.
    let whole = if exponent >= 1 - bias { rounded + (((exponent + bias - 1) as u64) << MANTISSA) } else { rounded };
    sign | whole as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All values of both short types: they come back, and what lies between two goes to the nearer one or the even
    /// one.
    #[test]
    fn rounding_is_to_nearest_even() {
        for precision in [Precision::F16, Precision::BF16] {
            let value = |bits: u16| precision.read(&bits.to_le_bytes(), 0);
            let written = |value: f64| {
                let (bytes, size) = precision.write(value);
                assert_eq!(size, 2);
                u16::from_le_bytes([bytes[0], bytes[1]])
            };
            let infinity = if precision == Precision::F16 { 0x7c00 } else { 0x7f80 };
            for bits in 0..infinity {
                let (this, next) = (value(bits), value(bits + 1));
                assert_eq!((written(this), written(-this)), (bits, bits | 0x8000));
                if bits + 1 == infinity {
                    // Half a step beyond the largest number there is infinity.
                    let step = this - value(bits - 1);
                    assert_eq!(written(this + step / 2.0), infinity);
                    assert_eq!(written((this + step / 2.0).next_down()), bits);
                    continue;
                }
                assert!(this < next);
                let middle = (this + next) / 2.0;
                assert_eq!(written(middle), bits + (bits & 1), "{middle:e}");
                assert_eq!(written(middle.next_down()), bits);
                assert_eq!(written(middle.next_up()), bits + 1);
            }
            assert_eq!((value(infinity), written(f64::INFINITY)), (f64::INFINITY, infinity));
            assert!(value(written(f64::NAN)).is_nan() && value(infinity + 1).is_nan());
            assert_eq!((written(5e-324), written(-1e-300)), (0, 0x8000));
            assert_eq!(written(f64::MAX), infinity);
        }
    }
}
