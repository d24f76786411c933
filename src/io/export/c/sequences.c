// The functions of sequences, as in functions.c beside this file: each is of one step. `sums` is memory for its sums.

//// elman dense
/* h = W x + b + R h + c, whose activation is still to come. */
static void $elman(const REAL *w, const REAL *b, const REAL *r, const REAL *c, size_t inputs, size_t units, const REAL *x, REAL *h, REAL *sums)
{
    size_t i;
    $dense(r, c, units, units, h, sums);
    $dense(w, b, inputs, units, x, h);
    for (i = 0; i < units; i++) {
        h[i] += sums[i];
    }
}

//// gru_after dense sigmoid tanh
/* The reset gate acts after the product with the recurrent weights. The gates are reset, update, candidate. */
static void $gru_after(const REAL *w, const REAL *b, const REAL *r, const REAL *c, size_t inputs, size_t units, const REAL *x, REAL *h, REAL *sums)
{
    size_t i;
    REAL *s = sums + 3 * units;
    $dense(w, b, inputs, 3 * units, x, sums);
    $dense(r, c, units, 3 * units, h, s);
    for (i = 0; i < units; i++) {
        REAL reset = $sigmoid(sums[i] + s[i]);
        REAL update = $sigmoid(sums[units + i] + s[units + i]);
        REAL candidate = $tanh(sums[2 * units + i] + reset * s[2 * units + i]);
        h[i] = candidate + update * (h[i] - candidate);
    }
}

//// gru_before dense sigmoid tanh
/* The reset gate acts before the product with the recurrent weights. The gates are reset, update, candidate. */
static void $gru_before(const REAL *w, const REAL *b, const REAL *r, const REAL *c, size_t inputs, size_t units, const REAL *x, REAL *h, REAL *sums)
{
    size_t i;
    REAL *s = sums + 3 * units;
    $dense(w, b, inputs, 3 * units, x, sums);
    $dense(r, c, units, 2 * units, h, s);
    for (i = 0; i < units; i++) {
        REAL reset = $sigmoid(sums[i] + s[i]);
        s[units + i] = $sigmoid(sums[units + i] + s[units + i]);
        s[2 * units + i] = reset * h[i];
    }
    $dense(r + 2 * units * units, c + 2 * units, units, units, s + 2 * units, s);
    for (i = 0; i < units; i++) {
        REAL candidate = $tanh(sums[2 * units + i] + s[i]);
        h[i] = candidate + s[units + i] * (h[i] - candidate);
    }
}

//// lstm dense sigmoid tanh
/* The gates are input, forget, candidate, output; after the outputs `h` there is the cell state. */
static void $lstm(const REAL *w, const REAL *b, const REAL *r, const REAL *c, size_t inputs, size_t units, const REAL *x, REAL *h, REAL *sums)
{
    size_t i;
    REAL *s = sums + 4 * units;
    REAL *cell = h + units;
    $dense(w, b, inputs, 4 * units, x, sums);
    $dense(r, c, units, 4 * units, h, s);
    for (i = 0; i < units; i++) {
        REAL input = $sigmoid(sums[i] + s[i]);
        REAL forget = $sigmoid(sums[units + i] + s[units + i]);
        REAL candidate = $tanh(sums[2 * units + i] + s[2 * units + i]);
        REAL output = $sigmoid(sums[3 * units + i] + s[3 * units + i]);
        cell[i] = forget * cell[i] + input * candidate;
        h[i] = output * $tanh(cell[i]);
    }
}

//// causal
/* A convolution over time. The ring has the last inputs, the earliest of them at *first; weights are by tap, output and input. */
static void $causal(const REAL *weight, const REAL *bias, size_t inputs, size_t outputs, size_t taps, size_t reach, const REAL *x, REAL *ring, size_t *first, REAL *y)
{
    size_t tap;
    size_t row;
    size_t i;
    for (row = 0; row < outputs; row++) {
        y[row] = bias[row];
    }
    for (tap = 0; tap < taps; tap++) {
        const REAL *from = x;
        if (tap + 1 < taps) {
            size_t place = *first + tap * (reach / (taps - 1));
            from = ring + (place < reach ? place : place - reach) * inputs;
        }
        for (row = 0; row < outputs; row++) {
            REAL sum = y[row];
            for (i = 0; i < inputs; i++) {
                sum += *weight++ * from[i];
            }
            y[row] = sum;
        }
    }
    if (reach > 0) {
        for (i = 0; i < inputs; i++) {
            ring[*first * inputs + i] = x[i];
        }
        *first = *first + 1 < reach ? *first + 1 : 0;
    }
}

//// mean_so_far
static void $mean_so_far(size_t size, const REAL *x, REAL *sum, size_t *steps, REAL *y)
{
    size_t i;
    if (*steps + 1 != 0) {
        *steps += 1;
    }
    for (i = 0; i < size; i++) {
        sum[i] += x[i];
        y[i] = sum[i] / (REAL)*steps;
    }
}

//// largest_so_far
static void $largest_so_far(size_t size, const REAL *x, REAL *largest, size_t *steps, REAL *y)
{
    size_t i;
    for (i = 0; i < size; i++) {
        if (*steps == 0 || !(largest[i] > x[i])) {
            largest[i] = x[i];
        }
        y[i] = largest[i];
    }
    *steps = 1;
}
