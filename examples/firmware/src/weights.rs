//! [`Weights`]: values without a pattern, computed by the compiler, in place of trained ones.

/// Weights without a pattern.
pub struct Weights {
    place: u32,
    limit: f32,
}

impl Weights {
    /// Weights from `-limit` to `limit`.
    pub const fn new(limit: f32) -> Self {
        Weights { place: 0, limit }
    }

    const fn next(&mut self) -> f32 {
        self.place += 1;
        let mut hash = self.place.wrapping_mul(2_654_435_761);
        hash ^= hash >> 15;
        hash = hash.wrapping_mul(2_246_822_519);
        ((hash >> 8) as f32 / 8_388_608.0 - 1.0) * self.limit
    }

    /// A row of weights.
    pub const fn row<const N: usize>(&mut self) -> [f32; N] {
        let mut row = [0.0; N];
        let mut place = 0;
        while place < N {
            row[place] = self.next();
            place += 1;
        }
        row
    }

    /// Some rows.
    pub const fn rows<const N: usize, const ROWS: usize>(&mut self) -> [[f32; N]; ROWS] {
        let mut rows = [[0.0; N]; ROWS];
        let mut place = 0;
        while place < ROWS {
            rows[place] = self.row();
            place += 1;
        }
        rows
    }

    /// The weights of gates by some inputs.
    pub const fn gates<const H: usize, const GATES: usize, const K: usize>(&mut self) -> [[[f32; H]; GATES]; K] {
        let mut gates = [[[0.0; H]; GATES]; K];
        let mut place = 0;
        while place < K {
            gates[place] = self.rows();
            place += 1;
        }
        gates
    }
}
