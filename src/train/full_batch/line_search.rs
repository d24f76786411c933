//! The line search of J. Moré and D. Thuente, 1994, "Line search algorithms with guaranteed sufficient decrease", as in
//! MINPACK-2 and SciPy: finds a step that satisfies the strong Wolfe conditions.

use crate::num::math::square_root;

/// Sufficient decrease: the loss falls by at least this share of what the derivative at the start promises.
const DECREASE: f64 = 1e-3;
/// Curvature: the derivative falls to at most this share of that at the start.
const CURVATURE: f64 = 0.9;
/// The relative width of the interval at which the search ends.
const WIDTH: f64 = 0.1;
/// The longest step.
const LONGEST: f64 = 1e10;

/// A step with the loss there, and its derivative by the step.
#[derive(Clone, Copy, Debug)]
pub(super) struct Point {
    pub step: f64,
    pub loss: f64,
    pub derivative: f64,
}

/// What a line search wants next.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Next {
    /// The loss at this step.
    Try(f64),
    /// Nothing: the last step satisfies the strong Wolfe conditions.
    Done,
    /// Nothing: rounding errors prevent progress beyond the best step.
    Best(f64),
}

/// A search along a direction of descent.
pub(super) struct LineSearch {
    start: Point,
    /// The best step so far, one end of the interval.
    best: Point,
    /// The other end.
    other: Point,
    bracketed: bool,
    /// Whether no step has had both a sufficient decrease and a derivative that is not negative.
    first_stage: bool,
    shortest: f64,
    longest: f64,
    width: f64,
    width_before: f64,
}

impl LineSearch {
    /// A search from `start`, which has the step 0, whose first step will be `first`.
    pub(super) fn new(start: Point, first: f64) -> Self {
        LineSearch {
            start,
            best: start,
            other: start,
            bracketed: false,
            first_stage: true,
            shortest: 0.0,
            longest: 5.0 * first,
            width: LONGEST,
            width_before: 2.0 * LONGEST,
        }
    }

    /// Whether a step has a sufficient decrease.
    fn decreases(&self, point: Point) -> bool {
        point.loss <= self.start.loss + point.step * DECREASE * self.start.derivative
    }

    /// The next step, after the loss at `point` was computed.
    pub(super) fn next(&mut self, point: Point) -> Next {
        let promised = DECREASE * self.start.derivative;
        let decreases = self.decreases(point);
        if self.first_stage && decreases && point.derivative >= 0.0 {
            self.first_stage = false;
        }
        if decreases && point.derivative.abs() <= CURVATURE * -self.start.derivative {
            return Next::Done;
        }
        let narrow = self.longest - self.shortest <= WIDTH * self.longest;
        if self.bracketed && (point.step <= self.shortest || point.step >= self.longest || narrow) {
            return Next::Best(self.best.step);
        }
        if point.step >= LONGEST && decreases {
            return Next::Best(point.step);
        }

        let mut step = if self.first_stage && point.loss <= self.best.loss && !decreases {
            // Of the function less what is promised, until a step has a sufficient decrease.
            let less = |point: Point, sign: f64| Point {
                loss: point.loss - sign * point.step * promised,
                derivative: point.derivative - sign * promised,
                ..point
            };
            (self.best, self.other) = (less(self.best, 1.0), less(self.other, 1.0));
            let step = self.trial(less(point, 1.0));
            (self.best, self.other) = (less(self.best, -1.0), less(self.other, -1.0));
            step
        } else {
            self.trial(point)
        };

        if self.bracketed {
            let width = (self.other.step - self.best.step).abs();
            if width >= 0.66 * self.width_before {
                step = self.best.step + 0.5 * (self.other.step - self.best.step);
            }
            (self.width_before, self.width) = (self.width, width);
            self.shortest = self.best.step.min(self.other.step);
            self.longest = self.best.step.max(self.other.step);
        } else {
            self.shortest = step + 1.1 * (step - self.best.step);
            self.longest = step + 4.0 * (step - self.best.step);
        }
        step = step.clamp(0.0, LONGEST);
        let narrow = self.longest - self.shortest <= WIDTH * self.longest;
        if self.bracketed && (step <= self.shortest || step >= self.longest || narrow) {
            step = self.best.step;
        }
        Next::Try(step)
    }

    /// A step by cubic and quadratic interpolation, and the new interval.
    fn trial(&mut self, point: Point) -> f64 {
        let (x, y, p) = (self.best, self.other, point);
        let opposite = p.derivative * x.derivative.signum() < 0.0;
        // The minimum of the cubic between two points, as a share of the way from the first to the second.
        let cubic = |from: Point, to: Point, backward: bool| {
            let theta = 3.0 * (to.loss - from.loss) / (from.step - to.step) + from.derivative + to.derivative;
            let s = theta.abs().max(from.derivative.abs()).max(to.derivative.abs());
            let root = (theta / s) * (theta / s) - (from.derivative / s) * (to.derivative / s);
            let gamma = s * square_root(root.max(0.0));
            (theta, if backward { -gamma } else { gamma })
        };
        let step;
        if p.loss > x.loss {
            // A higher loss: the minimum is bracketed.
            let (theta, gamma) = cubic(x, p, p.step < x.step);
            let share = ((gamma - x.derivative) + theta) / (((gamma - x.derivative) + gamma) + p.derivative);
            let by_cubic = x.step + share * (p.step - x.step);
            let secant = (x.loss - p.loss) / (p.step - x.step) + x.derivative;
            let by_quadratic = x.step + x.derivative / secant / 2.0 * (p.step - x.step);
            step = if (by_cubic - x.step).abs() < (by_quadratic - x.step).abs() {
                by_cubic
            } else {
                by_cubic + (by_quadratic - by_cubic) / 2.0
            };
            self.bracketed = true;
        } else if opposite {
            // A lower loss, and a derivative of the opposite sign: the minimum is bracketed.
            let (theta, gamma) = cubic(x, p, p.step > x.step);
            let share = ((gamma - p.derivative) + theta) / (((gamma - p.derivative) + gamma) + x.derivative);
            let by_cubic = p.step + share * (x.step - p.step);
            let by_secant = p.step + p.derivative / (p.derivative - x.derivative) * (x.step - p.step);
            step = if (by_cubic - p.step).abs() > (by_secant - p.step).abs() { by_cubic } else { by_secant };
            self.bracketed = true;
        } else if p.derivative.abs() < x.derivative.abs() {
            // A lower loss, the same sign, and a smaller derivative.
            let (theta, gamma) = cubic(x, p, p.step > x.step);
            let share = ((gamma - p.derivative) + theta) / ((gamma + (x.derivative - p.derivative)) + gamma);
            let by_cubic = if share < 0.0 && gamma != 0.0 {
                p.step + share * (x.step - p.step)
            } else if p.step > x.step {
                self.longest
            } else {
                self.shortest
            };
            let by_secant = p.step + p.derivative / (p.derivative - x.derivative) * (x.step - p.step);
            let cubic_is_nearer = (by_cubic - p.step).abs() < (by_secant - p.step).abs();
            step = if self.bracketed {
                let nearer = if cubic_is_nearer { by_cubic } else { by_secant };
                let limit = p.step + 0.66 * (y.step - p.step);
                if p.step > x.step { nearer.min(limit) } else { nearer.max(limit) }
            } else {
                let farther = if cubic_is_nearer { by_secant } else { by_cubic };
                farther.min(self.longest).max(self.shortest)
            };
        } else if self.bracketed {
            // A lower loss, the same sign, and a derivative that is not smaller.
            let (theta, gamma) = cubic(y, p, p.step > y.step);
            let share = ((gamma - p.derivative) + theta) / (((gamma - p.derivative) + gamma) + y.derivative);
            step = p.step + share * (y.step - p.step);
        } else {
            step = if p.step > x.step { self.longest } else { self.shortest };
        }
        if p.loss > x.loss {
            self.other = p;
        } else {
            if opposite {
                self.other = x;
            }
            self.best = p;
        }
        step
    }
}
