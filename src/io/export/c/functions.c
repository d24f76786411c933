// The functions that a network in C may need, each after those it uses. `$` stands for the network's name, `REAL` for float or
// double, and what stands between two `@` for a number: see library.rs beside this file. Each computes as the function of its name in
// src/num/math.rs or src/activation.rs, by the same formulas, and hands NaN on.

//// absolute
static REAL $absolute(REAL x)
{
    return x < @0@ ? -x : x;
}

//// dense
/* y = W x + b, four rows at a time, which share what is read of x. */
static void $dense(const REAL *weight, const REAL *bias, size_t inputs, size_t outputs, const REAL *x, REAL *y)
{
    size_t row = 0;
    size_t column;
    while (row < outputs) {
        const REAL *w = weight + row * inputs;
        REAL a = bias[row];
        if (outputs - row < 4) {
            for (column = 0; column < inputs; column++) {
                a += w[column] * x[column];
            }
            y[row] = a;
            row += 1;
        } else {
            REAL b = bias[row + 1];
            REAL c = bias[row + 2];
            REAL d = bias[row + 3];
            for (column = 0; column < inputs; column++) {
                a += w[column] * x[column];
                b += w[inputs + column] * x[column];
                c += w[2 * inputs + column] * x[column];
                d += w[3 * inputs + column] * x[column];
            }
            y[row] = a;
            y[row + 1] = b;
            y[row + 2] = c;
            y[row + 3] = d;
            row += 4;
        }
    }
}

//// split
/* x = n ln 2 + r with a whole number n; gives exp(r) - 1. Not for NaN. */
static REAL $split(REAL x, int *n)
{
    REAL r;
    *n = (int)(x * @LOG2_E@ + (x < @0@ ? @-0.5@ : @0.5@));
    r = x - (REAL)*n * @LN_2_HIGH@;
    r = r - (REAL)*n * @LN_2_LOW@;
    return r * (@EXP r@);
}

//// power
/* 2 to the power of n, between the exponents of normal numbers. */
static REAL $power(int n)
{
    union {
        @BITS@ bits;
        REAL number;
    } power;
    power.bits = (@BITS@)(n + @BIAS@) << @MANTISSA_BITS@;
    return power.number;
}

//// exp split power
static REAL $exp(REAL x)
{
    int n;
    REAL e;
    if (x != x) {
        return x;
    }
    if (x < @LN_MIN@ + @LN_MIN@) {
        x = @LN_MIN@ + @LN_MIN@;
    }
    if (x > -(@LN_MIN@ + @LN_MIN@)) {
        x = -(@LN_MIN@ + @LN_MIN@);
    }
    e = $split(x, &n);
    /* Two factors, since n may lie outside of what one exponent holds. */
    return (e + @1@) * $power(n / 2) * $power(n - n / 2);
}

//// exp_negative split power
/* exp(x) for x up to zero. */
static REAL $exp_negative(REAL x)
{
    int n;
    REAL e;
    REAL scale;
    if (x != x) {
        return x;
    }
    if (x < @LN_MIN@) {
        return @0@;
    }
    e = $split(x, &n);
    scale = $power(n);
    return e * scale + scale;
}

//// exp_m1_negative split power
/* exp(x) - 1 for x up to zero. */
static REAL $exp_m1_negative(REAL x)
{
    int n;
    REAL e;
    REAL scale;
    if (x != x) {
        return x;
    }
    if (x < @LN_MIN@) {
        x = @LN_MIN@;
    }
    e = $split(x, &n);
    scale = $power(n);
    return e * scale + (scale - @1@);
}

//// ln_1p
/* ln(1 + x) for x between 0 and 1. */
static REAL $ln_1p(REAL x)
{
    REAL sum = x + @1@;
    /* What the addition rounded off. */
    REAL lost = x - (sum - @1@);
    REAL exponent = @0@;
    REAL mantissa = sum;
    REAL difference;
    REAL s;
    REAL square;
    REAL low;
    if (mantissa > @SQRT_2@) {
        mantissa = mantissa * @0.5@;
        exponent = @1@;
    }
    difference = mantissa - @1@;
    s = difference / (mantissa + @1@);
    square = s * s;
    low = exponent * @LN_2_LOW@ + s * square * (@LN square@);
    return exponent * @LN_2_HIGH@ + (difference - (s * difference - low)) + lost / sum;
}

//// relu
static REAL $relu(REAL x)
{
    return x < @0@ ? @0@ : x;
}

//// elu exp_m1_negative
static REAL $elu(REAL x)
{
    return x > @0@ ? x : $exp_m1_negative(x);
}

//// selu exp_m1_negative
static REAL $selu(REAL x)
{
    return x > @0@ ? x * @SELU_SCALE@ : $exp_m1_negative(x) * @SELU_BOTH@;
}

//// gelu absolute exp
static REAL $gelu(REAL x)
{
    /* The Chebyshev coefficients of ln(erfc(z) / t) + z z. */
    static const REAL series[] = {
@ERFC@    };
    int k;
    REAL z = $absolute(x) * @FRAC_1_SQRT_2@;
    REAL t = @2@ / (z + @2@);
    REAL twice = t * @4@ - @2@;
    REAL last = @0@;
    REAL before = @0@;
    REAL tail;
    for (k = @ERFC_LAST@; k > 0; k--) {
        REAL next = twice * last + (series[k] - before);
        before = last;
        last = next;
    }
    tail = t * $exp((twice * last + series[0]) * @0.5@ - before - z * z) * @0.5@;
    return x * (x < @0@ ? tail : @1@ - tail);
}

//// sigmoid absolute exp_negative
static REAL $sigmoid(REAL x)
{
    REAL e = $exp_negative(-$absolute(x));
    return (x < @0@ ? e : @1@) / (e + @1@);
}

//// silu sigmoid
static REAL $silu(REAL x)
{
    return x * $sigmoid(x);
}

//// hardsigmoid
static REAL $hardsigmoid(REAL x)
{
    REAL line = x * @SIXTH@ + @0.5@;
    return line < @0@ ? @0@ : line > @1@ ? @1@ : line;
}

//// tanh_float
static REAL $tanh(REAL x)
{
    /* 2 n d / (d d + n n), where n / d is the hyperbolic tangent of x / 2; beyond 8 it is 1. */
    REAL square = x * x;
    REAL n = x * (@TANH_DIVIDEND square@);
    REAL d = @TANH_DIVISOR square@;
    REAL sum = d * d + n * n;
    if (sum > @TANH_END@) {
        return x < @0@ ? @-1@ : @1@;
    }
    return @2@ * n * d / sum;
}

//// tanh_double absolute exp_m1_negative
static REAL $tanh(REAL x)
{
    REAL e = $exp_m1_negative($absolute(x) * @-2@);
    return x < @0@ ? e / (e + @2@) : -e / (e + @2@);
}

//// softplus absolute exp_negative ln_1p
static REAL $softplus(REAL x)
{
    return (x < @0@ ? @0@ : x) + $ln_1p($exp_negative(-$absolute(x)));
}

//// softsign absolute
static REAL $softsign(REAL x)
{
    return x / ($absolute(x) + @1@);
}

//// softmax exp_negative
static void $softmax(size_t size, REAL *x)
{
    size_t i;
    REAL largest = x[0];
    REAL sum = @0@;
    for (i = 1; i < size; i++) {
        largest = x[i] > largest ? x[i] : largest;
    }
    for (i = 0; i < size; i++) {
        x[i] = $exp_negative(x[i] - largest);
        sum += x[i];
    }
    for (i = 0; i < size; i++) {
        x[i] = x[i] / sum;
    }
}

//// normalize
/* 1 / root(x) for x from zero up: an estimate from the exponent, halved, and steps of Newton's. */
static REAL $reciprocal_root(REAL x)
{
    union {
        REAL number;
        @BITS@ bits;
    } estimate;
    int step;
    REAL y;
    REAL scale = @1@;
    if (!(x > @0@) || x > @MAX@) {
        return @1@ / x;
    }
    if (x < @MIN_POSITIVE@) {
        /* The exponent of a number below that tells nothing. */
        x = x * @ROOM@;
        scale = @ROOT_OF_ROOM@;
    }
    estimate.number = x;
    estimate.bits = @ESTIMATE@ - (estimate.bits >> 1);
    y = estimate.number;
    for (step = 0; step < @STEPS@; step++) {
        y = y * (@1.5@ - @0.5@ * (x * y) * y);
    }
    return y * scale;
}

/* The numbers of a sample with mean 0 and deviation 1, and then with a gain and a bias. */
static void $normalize(const REAL *weight, const REAL *bias, REAL epsilon, size_t size, REAL *x)
{
    size_t i;
    REAL mean = @0@;
    REAL squares = @0@;
    REAL reciprocal;
    for (i = 0; i < size; i++) {
        mean += x[i];
    }
    mean /= (REAL)size;
    for (i = 0; i < size; i++) {
        squares += (x[i] - mean) * (x[i] - mean);
    }
    reciprocal = $reciprocal_root(squares / (REAL)size + epsilon);
    for (i = 0; i < size; i++) {
        x[i] = (x[i] - mean) * reciprocal * weight[i] + bias[i];
    }
}
