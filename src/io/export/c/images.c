// The functions of images, as in functions.c beside this file. An image is stored by channel, row and column.

//// windows
/* How a window moves: sizes are channels, rows and columns, the others are for rows and columns. */
struct $windows {
    size_t from[3];
    size_t to[3];
    size_t kernel[2];
    size_t stride[2];
    size_t padding[2];
    size_t dilation[2];
};

/* The place in the image below `channel` of tap `i`, `j` of the window at `row` and `column`, or none: -1. */
static size_t $tap(const struct $windows *w, size_t channel, size_t row, size_t column, size_t i, size_t j)
{
    /* Before the first row or column they are very large. */
    size_t y = row * w->stride[0] + i * w->dilation[0] - w->padding[0];
    size_t x = column * w->stride[1] + j * w->dilation[1] - w->padding[1];
    return y < w->from[1] && x < w->from[2] ? (channel * w->from[1] + y) * w->from[2] + x : (size_t)-1;
}

//// convolution windows
/* The weights are by output channel, input channel of its group, row and column. */
static void $convolution(const struct $windows *w, size_t depth, const REAL *weight, const REAL *bias, const REAL *x, REAL *y)
{
    size_t d;
    size_t c;
    size_t row;
    size_t column;
    size_t i;
    size_t j;
    size_t groups = w->from[0] / depth;
    for (d = 0; d < w->to[0]; d++) {
        size_t first = d / (w->to[0] / groups) * depth;
        for (row = 0; row < w->to[1]; row++) {
            for (column = 0; column < w->to[2]; column++) {
                const REAL *factor = weight + d * depth * w->kernel[0] * w->kernel[1];
                REAL sum = bias[d];
                for (c = first; c < first + depth; c++) {
                    for (i = 0; i < w->kernel[0]; i++) {
                        for (j = 0; j < w->kernel[1]; j++) {
                            size_t place = $tap(w, c, row, column, i, j);
                            if (place != (size_t)-1) {
                                sum += *factor * x[place];
                            }
                            factor++;
                        }
                    }
                }
                *y++ = sum;
            }
        }
    }
}

//// transposed windows
/* The window moves over y. The weights are by input channel, output channel, row and column. */
static void $transposed(const struct $windows *w, const REAL *weight, const REAL *bias, const REAL *x, REAL *y)
{
    size_t d;
    size_t c;
    size_t row;
    size_t column;
    size_t i;
    size_t j;
    for (d = 0; d < w->from[0]; d++) {
        for (i = 0; i < w->from[1] * w->from[2]; i++) {
            y[d * w->from[1] * w->from[2] + i] = bias[d];
        }
    }
    for (c = 0; c < w->to[0]; c++) {
        for (row = 0; row < w->to[1]; row++) {
            for (column = 0; column < w->to[2]; column++) {
                const REAL *factor = weight + c * w->from[0] * w->kernel[0] * w->kernel[1];
                for (d = 0; d < w->from[0]; d++) {
                    for (i = 0; i < w->kernel[0]; i++) {
                        for (j = 0; j < w->kernel[1]; j++) {
                            size_t place = $tap(w, d, row, column, i, j);
                            if (place != (size_t)-1) {
                                y[place] += *factor * *x;
                            }
                            factor++;
                        }
                    }
                }
                x++;
            }
        }
    }
}

//// max_pool windows
static void $max_pool(const struct $windows *w, const REAL *x, REAL *y)
{
    size_t c;
    size_t row;
    size_t column;
    size_t i;
    size_t j;
    for (c = 0; c < w->to[0]; c++) {
        for (row = 0; row < w->to[1]; row++) {
            for (column = 0; column < w->to[2]; column++) {
                int is_first = 1;
                REAL largest = @0@;
                for (i = 0; i < w->kernel[0]; i++) {
                    for (j = 0; j < w->kernel[1]; j++) {
                        size_t place = $tap(w, c, row, column, i, j);
                        if (place == (size_t)-1) {
                            continue;
                        }
                        /* NaN stays. */
                        if (is_first || x[place] > largest || x[place] != x[place]) {
                            largest = x[place];
                        }
                        is_first = 0;
                    }
                }
                *y++ = largest;
            }
        }
    }
}

//// average_pool windows
static void $average_pool(const struct $windows *w, const REAL *x, REAL *y)
{
    size_t c;
    size_t row;
    size_t column;
    size_t i;
    size_t j;
    for (c = 0; c < w->to[0]; c++) {
        for (row = 0; row < w->to[1]; row++) {
            for (column = 0; column < w->to[2]; column++) {
                REAL sum = @0@;
                for (i = 0; i < w->kernel[0]; i++) {
                    for (j = 0; j < w->kernel[1]; j++) {
                        size_t place = $tap(w, c, row, column, i, j);
                        if (place != (size_t)-1) {
                            sum += x[place];
                        }
                    }
                }
                *y++ = sum / (REAL)(w->kernel[0] * w->kernel[1]);
            }
        }
    }
}

//// mean_of_pixels
static void $mean_of_pixels(size_t channels, size_t pixels, const REAL *x, REAL *y)
{
    size_t c;
    size_t i;
    for (c = 0; c < channels; c++) {
        REAL sum = @0@;
        for (i = 0; i < pixels; i++) {
            sum += *x++;
        }
        y[c] = sum / (REAL)pixels;
    }
}

//// upsample
/* Every pixel becomes factor by factor pixels; rows are those of all channels. */
static void $upsample(size_t rows, size_t columns, size_t factor, const REAL *x, REAL *y)
{
    size_t row;
    size_t column;
    for (row = 0; row < rows * factor; row++) {
        for (column = 0; column < columns * factor; column++) {
            *y++ = x[row / factor * columns + column / factor];
        }
    }
}

//// normalize_channels
static void $normalize_channels(size_t channels, size_t pixels, const REAL *scale, const REAL *shift, REAL *x)
{
    size_t c;
    size_t i;
    for (c = 0; c < channels; c++) {
        for (i = 0; i < pixels; i++) {
            *x = *x * scale[c] + shift[c];
            x++;
        }
    }
}
