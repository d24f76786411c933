//! Draws on the terminal: a plane with axes, 64 by 21 characters.

use std::fmt;

const WIDTH: usize = 64;
const HEIGHT: usize = 21;

/// A part of the plane.
pub struct Plot {
    x: [f32; 2],
    y: [f32; 2],
    cells: [[char; WIDTH]; HEIGHT],
}

impl Plot {
    /// The plane between two values on each axis, with the character that `background` returns for the middle of each
    /// cell.
    pub fn new(x: [f32; 2], y: [f32; 2], mut background: impl FnMut(f32, f32) -> char) -> Self {
        let mut cells = [[' '; WIDTH]; HEIGHT];
        for (row, line) in cells.iter_mut().enumerate() {
            for (column, cell) in line.iter_mut().enumerate() {
                // The first row is the top one, where y is largest.
                *cell = background(middle(x, column, WIDTH), middle(y, HEIGHT - 1 - row, HEIGHT));
            }
        }
        Plot { x, y, cells }
    }

    /// Puts a character where (x, y) is, if that is within the plot.
    pub fn mark(&mut self, x: f32, y: f32, mark: char) {
        let column = (x - self.x[0]) / (self.x[1] - self.x[0]) * WIDTH as f32;
        let row = (self.y[1] - y) / (self.y[1] - self.y[0]) * HEIGHT as f32;
        if (0.0..WIDTH as f32).contains(&column) && (0.0..HEIGHT as f32).contains(&row) {
            self.cells[row as usize][column as usize] = mark;
        }
    }
}

/// The middle of cell `index` of `count`.
fn middle([low, high]: [f32; 2], index: usize, count: usize) -> f32 {
    low + (high - low) * (index as f32 + 0.5) / count as f32
}

/// The plane with its frame, and labels at the ends of the axes and in their middle.
impl fmt::Display for Plot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ([left, right], [low, high]) = (self.x, self.y);
        writeln!(f, "       ┌{}┐", "─".repeat(WIDTH))?;
        for (row, line) in self.cells.iter().enumerate() {
            match row {
                0 => write!(f, "{high:6.2} ┤")?,
                row if row == HEIGHT / 4 => write!(f, "     y │")?,
                row if row == HEIGHT / 2 => write!(f, "{:6.2} ┤", (low + high) / 2.0)?,
                row if row == HEIGHT - 1 => write!(f, "{low:6.2} ┤")?,
                _ => write!(f, "       │")?,
            }
            writeln!(f, "{}│", line.iter().collect::<String>())?;
        }
        writeln!(f, "       └{}┘", "─".repeat(WIDTH))?;
        // Eight characters in from the frame's corner; the middle label is centred, the right one ends below the
        // corner.
        let (quarter, half) = (WIDTH / 4, WIDTH / 2);
        let middle = (left + right) / 2.0;
        write!(
            f,
            "        {left:<width$.2}{middle:<quarter$.2}{:<rest$}{right:>6.2}",
            'x',
            width = half - 2,
            rest = half - quarter - 4
        )
    }
}

/// From light to dark for a share between 0 and 1.
#[allow(dead_code, reason = "a curve has no shades")]
pub fn shade(share: f32) -> char {
    let shades = [' ', '░', '▒', '▓', '█'];
    shades[((share * 5.0) as usize).min(4)]
}
