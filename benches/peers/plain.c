/* The workloads in plain C: loops over samples, outputs and inputs, as one writes them without thinking of vectors.
 *
 * Compiled twice: with -O3 -march=native -ffast-math and unrolling it is the row `plain-c`; with -DREAL=double and without
 * -ffast-math it gives the losses and outputs that everyone must reach.
 *
 *     plain <folder of inputs> <workload>,<workload>,...
 *
 * Layers lie one behind the other: weights row by row, one row an output, then biases. So do gradients and momenta. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#ifndef REAL
#define REAL float
#endif
typedef REAL real;

/* The sizes below are constants wherever these are called, and the compiler shall know. */
#define INLINE static inline __attribute__((always_inline))

/* ---- Inputs ---- */

static const char *folder;

static void *read_file(const char *name, size_t bytes) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "rb");
    void *data = malloc(bytes);
    if (!file || !data || fread(data, 1, bytes, file) != bytes || fgetc(file) != EOF) {
        fprintf(stderr, "%s does not hold %zu bytes\n", path, bytes);
        exit(1);
    }
    fclose(file);
    return data;
}

static void read_numbers(const char *name, real *numbers, size_t count) {
    float *data = read_file(name, count * sizeof *data);
    for (size_t i = 0; i < count; i++) numbers[i] = data[i];
    free(data);
}

/* ---- Time ---- */

static double budget; /* seconds for each workload */

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec + 1e-9 * time.tv_nsec;
}

/* The compiler must believe that everything in memory is read and changed here. */
#define BARRIER() __asm__ volatile("" ::: "memory")

/* The best time of one call, over as many repetitions as the budget allows; each repetition takes at least 2 ms. */
INLINE double best_time(void (*call)(void)) {
    long calls = 1;
    double best = INFINITY, end = now() + budget;
    do {
        double start = now();
        for (long i = 0; i < calls; i++) {
            call();
            BARRIER();
        }
        double elapsed = now() - start;
        if (elapsed < 2e-3) calls *= 2;
        else if (elapsed / calls < best) best = elapsed / calls;
    } while (now() < end || best == INFINITY);
    return best;
}

static void report(const char *workload, double seconds, double loss) {
    printf("{\"workload\": \"%s\", \"seconds\": %.6g, \"loss\": %.9g}\n", workload, seconds, loss);
    fflush(stdout);
}

/* ---- Layers ---- */

INLINE void dense(int in, int out, const real *restrict layer, const real *restrict x, real *restrict y) {
    const real *bias = layer + in * out;
    for (int o = 0; o < out; o++) {
        real sum = bias[o];
        for (int i = 0; i < in; i++) sum += layer[o * in + i] * x[i];
        y[o] = sum;
    }
}

/* Adds to the gradient of the layer; gives the gradient of its input, unless `dx` is NULL. */
INLINE void dense_back(int in, int out, const real *restrict layer, const real *restrict x, const real *restrict dy,
                       real *restrict gradient, real *restrict dx) {
    for (int o = 0; o < out; o++) {
        for (int i = 0; i < in; i++) gradient[o * in + i] += dy[o] * x[i];
        gradient[in * out + o] += dy[o];
    }
    if (dx) {
        for (int i = 0; i < in; i++) dx[i] = 0;
        for (int o = 0; o < out; o++)
            for (int i = 0; i < in; i++) dx[i] += layer[o * in + i] * dy[o];
    }
}

INLINE real exp_real(real x) { return sizeof(real) == 8 ? exp(x) : expf(x); }
INLINE real log_real(real x) { return sizeof(real) == 8 ? log(x) : logf(x); }
INLINE real tanh_real(real x) { return sizeof(real) == 8 ? tanh(x) : tanhf(x); }
INLINE real sqrt_real(real x) { return sizeof(real) == 8 ? sqrt(x) : sqrtf(x); }

INLINE void relu(int n, real *x) {
    for (int i = 0; i < n; i++) x[i] = x[i] > 0 ? x[i] : 0;
}
INLINE void relu_back(int n, const real *y, real *dy) {
    for (int i = 0; i < n; i++) dy[i] = y[i] > 0 ? dy[i] : 0;
}
INLINE void tanh_all(int n, real *x) {
    for (int i = 0; i < n; i++) x[i] = tanh_real(x[i]);
}
INLINE void tanh_back(int n, const real *y, real *dy) {
    for (int i = 0; i < n; i++) dy[i] *= 1 - y[i] * y[i];
}
INLINE void softmax(int n, real *x) {
    real largest = x[0], sum = 0;
    for (int i = 1; i < n; i++) largest = x[i] > largest ? x[i] : largest;
    for (int i = 0; i < n; i++) sum += x[i] = exp_real(x[i] - largest);
    for (int i = 0; i < n; i++) x[i] /= sum;
}

/* ---- Adam ---- */

#define RATE ((real)1e-3)
#define BETA1 ((real)0.9)
#define BETA2 ((real)0.999)

typedef struct {
    double power1, power2; /* of the betas */
} Adam;

INLINE void adam_step(Adam *adam, int n, real *restrict weights, const real *restrict gradient, real *restrict m,
                      real *restrict v) {
    adam->power1 *= 0.9;
    adam->power2 *= 0.999;
    real rate = RATE / (1 - adam->power1), correction = 1 / (1 - adam->power2);
    for (int i = 0; i < n; i++) {
        m[i] = BETA1 * m[i] + (1 - BETA1) * gradient[i];
        v[i] = BETA2 * v[i] + (1 - BETA2) * gradient[i] * gradient[i];
        weights[i] -= rate * m[i] / (sqrt_real(v[i] * correction) + (real)1e-8);
    }
}

/* What all inference workloads are compared by; see `checksum` in `run`. */
static double checksum(int count, const real *y) {
    double sum = 0;
    for (int i = 0; i < count; i++) sum += (1 + i % 7) * fabs(y[i]);
    return sum / count;
}

/* The mean loss of the last step or, for W3, of the samples of the last epoch. */
static real step_loss;

/* ---- W1: 2-10-1, ReLU, sigmoid, binary cross-entropy, gradient descent ---- */

enum { XOR_1 = 2 * 10 + 10, XOR = XOR_1 + 10 * 1 + 1 };
static real xor_weights[XOR], xor_inputs[4][2], xor_targets[4];

static void xor_step(void) {
    real gradient[XOR] = {0}, loss = 0;
    for (int s = 0; s < 4; s++) {
        real h[10], y, dy, dh[10];
        dense(2, 10, xor_weights, xor_inputs[s], h);
        relu(10, h);
        dense(10, 1, xor_weights + XOR_1, h, &y);
        y = 1 / (1 + exp_real(-y));
        loss -= log_real(xor_targets[s] > (real)0.5 ? y : 1 - y);
        dy = (y - xor_targets[s]) / 4;
        dense_back(10, 1, xor_weights + XOR_1, h, &dy, gradient + XOR_1, dh);
        relu_back(10, h, dh);
        dense_back(2, 10, xor_weights, xor_inputs[s], dh, gradient, NULL);
    }
    for (int i = 0; i < XOR; i++) xor_weights[i] -= (real)0.01 * gradient[i];
    step_loss = loss / 4;
}

static double xor_loss(void) {
    double sum = 0;
    for (int s = 0; s < 4; s++) {
        real h[10], y;
        dense(2, 10, xor_weights, xor_inputs[s], h);
        relu(10, h);
        dense(10, 1, xor_weights + XOR_1, h, &y);
        sum += log1p(exp(xor_targets[s] > 0.5 ? -y : y));
    }
    return sum / 4;
}

static void w1(void) {
    read_numbers("xor.weights", xor_weights, XOR);
    read_numbers("xor.inputs", *xor_inputs, 8);
    read_numbers("xor.targets", xor_targets, 4);
    for (int step = 0; step < 1000; step++) xor_step();
    double loss = xor_loss();
    report("W1", best_time(xor_step), loss);
}

/* ---- W2: one sample; a repetition goes through 64 ---- */

#define ONE_SAMPLE(in, out, predict, weights, weights_file, inputs_file, all_inputs, workload)                         \
    static real predict##_inputs[64][in], predict##_outputs[64][out];                                                  \
    static void predict##_64(void) {                                                                                   \
        for (int s = 0; s < 64; s++) {                                                                                 \
            predict(predict##_inputs[s], predict##_outputs[s]);                                                        \
            BARRIER();                                                                                                 \
        }                                                                                                              \
    }                                                                                                                  \
    static void predict##_workload(void) {                                                                             \
        static real all[all_inputs][in];                                                                               \
        read_numbers(inputs_file, *all, sizeof all / sizeof(real));                                                    \
        memcpy(predict##_inputs, all, sizeof predict##_inputs);                                                        \
        read_numbers(weights_file, weights, sizeof weights / sizeof(real));                                            \
        predict##_64();                                                                                                \
        double sum = checksum(64 * out, *predict##_outputs);                                                           \
        report(workload, best_time(predict##_64) / 64, sum);                                                           \
    }

enum { SMALL_1 = 4 * 16 + 16, SMALL_2 = SMALL_1 + 16 * 16 + 16, SMALL = SMALL_2 + 16 * 3 + 3 };
static real small_weights[SMALL];

static __attribute__((noinline)) void small(const real *x, real *y) {
    real h1[16], h2[16];
    dense(4, 16, small_weights, x, h1);
    tanh_all(16, h1);
    dense(16, 16, small_weights + SMALL_1, h1, h2);
    tanh_all(16, h2);
    dense(16, 3, small_weights + SMALL_2, h2, y);
}
ONE_SAMPLE(4, 3, small, small_weights, "small.weights", "small.inputs", 64, "W2a")

enum { DIGITS_1 = 64 * 32 + 32, DIGITS = DIGITS_1 + 32 * 10 + 10, SAMPLES = 1797 };
static real digits_weights[DIGITS];

static __attribute__((noinline)) void digits(const real *x, real *y) {
    real h[32];
    dense(64, 32, digits_weights, x, h);
    relu(32, h);
    dense(32, 10, digits_weights + DIGITS_1, h, y);
    softmax(10, y);
}
ONE_SAMPLE(64, 10, digits, digits_weights, "digits.weights", "digits.inputs", SAMPLES, "W2b")

enum { MNIST_1 = 784 * 128 + 128, MNIST_2 = MNIST_1 + 128 * 64 + 64, MNIST = MNIST_2 + 64 * 10 + 10 };
static real mnist_weights[MNIST];

static __attribute__((noinline)) void mnist(const real *x, real *y) {
    real h1[128], h2[64];
    dense(784, 128, mnist_weights, x, h1);
    relu(128, h1);
    dense(128, 64, mnist_weights + MNIST_1, h1, h2);
    relu(64, h2);
    dense(64, 10, mnist_weights + MNIST_2, h2, y);
}
ONE_SAMPLE(784, 10, mnist, mnist_weights, "mnist.weights", "mnist.inputs", 64, "W2c")

/* ---- W3: an epoch over the digits; W6: 1,024 of them ---- */

static real digits_data[SAMPLES][64], digits_m[DIGITS], digits_v[DIGITS];
static unsigned char digits_classes[SAMPLES];
static int digits_order[SAMPLES];
static Adam digits_adam;

static void digits_in_order(void) {
    real loss = 0;
    for (int first = 0; first < SAMPLES; first += 32) {
        int batch = SAMPLES - first < 32 ? SAMPLES - first : 32;
        real gradient[DIGITS] = {0};
        for (int s = first; s < first + batch; s++) {
            const real *x = digits_data[digits_order[s]];
            real h[32], y[10], dh[32];
            dense(64, 32, digits_weights, x, h);
            relu(32, h);
            dense(32, 10, digits_weights + DIGITS_1, h, y);
            softmax(10, y);
            loss -= log_real(y[digits_classes[digits_order[s]]]);
            y[digits_classes[digits_order[s]]] -= 1;
            for (int o = 0; o < 10; o++) y[o] /= batch;
            dense_back(32, 10, digits_weights + DIGITS_1, h, y, gradient + DIGITS_1, dh);
            relu_back(32, h, dh);
            dense_back(64, 32, digits_weights, x, dh, gradient, NULL);
        }
        adam_step(&digits_adam, DIGITS, digits_weights, gradient, digits_m, digits_v);
    }
    step_loss = loss / SAMPLES;
}

static void digits_epoch(void) {
    static unsigned long long random = 1;
    for (int i = SAMPLES - 1; i > 0; i--) {
        random ^= random << 13, random ^= random >> 7, random ^= random << 17;
        int j = random % (i + 1), old = digits_order[i];
        digits_order[i] = digits_order[j];
        digits_order[j] = old;
    }
    digits_in_order();
}

static void w3(void) {
    read_numbers("digits.weights", digits_weights, DIGITS);
    read_numbers("digits.inputs", *digits_data, sizeof digits_data / sizeof(real));
    unsigned char *classes = read_file("digits.classes", SAMPLES);
    memcpy(digits_classes, classes, SAMPLES);
    free(classes);
    memset(digits_m, 0, sizeof digits_m);
    memset(digits_v, 0, sizeof digits_v);
    digits_adam = (Adam){1, 1};
    for (int s = 0; s < SAMPLES; s++) digits_order[s] = s;

    digits_in_order();
    double loss = 0;
    for (int s = 0; s < SAMPLES; s++) {
        real y[10];
        digits(digits_data[s], y);
        loss -= log_real(y[digits_classes[s]]) / SAMPLES;
    }
    report("W3", best_time(digits_epoch), loss);
}

static real digits_answers[1024][10];
static void digits_1024(void) {
    for (int s = 0; s < 1024; s++) digits(digits_data[s], digits_answers[s]);
}

static void w6(void) {
    read_numbers("digits.weights", digits_weights, DIGITS);
    read_numbers("digits.inputs", *digits_data, sizeof digits_data / sizeof(real));
    digits_1024();
    double sum = checksum(1024 * 10, *digits_answers);
    report("W6", best_time(digits_1024) / 1024, sum);
}

/* ---- W4, W4L: 4-32-16-4, tanh, tanh, identity, mean squared error, Adam, all samples in one batch ---- */

enum { MOST = 10000 };
enum { CURVE_1 = 4 * 32 + 32, CURVE_2 = CURVE_1 + 32 * 16 + 16, CURVE = CURVE_2 + 16 * 4 + 4 };
static real curve_weights[CURVE], curve_m[CURVE], curve_v[CURVE], curve_inputs[MOST][4], curve_targets[MOST][4];
static Adam curve_adam;

INLINE void curve_forward(const real *x, real *h1, real *h2, real *y) {
    dense(4, 32, curve_weights, x, h1);
    tanh_all(32, h1);
    dense(32, 16, curve_weights + CURVE_1, h1, h2);
    tanh_all(16, h2);
    dense(16, 4, curve_weights + CURVE_2, h2, y);
}

INLINE void curve_step(int count) {
    real gradient[CURVE] = {0}, loss = 0;
    for (int s = 0; s < count; s++) {
        real h1[32], h2[16], y[4], d1[32], d2[16];
        curve_forward(curve_inputs[s], h1, h2, y);
        for (int o = 0; o < 4; o++) {
            real error = y[o] - curve_targets[s][o];
            loss += error * error;
            y[o] = 2 * error / (4 * count);
        }
        dense_back(16, 4, curve_weights + CURVE_2, h2, y, gradient + CURVE_2, d2);
        tanh_back(16, h2, d2);
        dense_back(32, 16, curve_weights + CURVE_1, h1, d2, gradient + CURVE_1, d1);
        tanh_back(32, h1, d1);
        dense_back(4, 32, curve_weights, curve_inputs[s], d1, gradient, NULL);
    }
    adam_step(&curve_adam, CURVE, curve_weights, gradient, curve_m, curve_v);
    step_loss = loss / (4 * count);
}

static void curve_step_200(void) { curve_step(200); }
static void curve_step_10000(void) { curve_step(10000); }

static void curve_workload(const char *workload, void (*step)(void), int count, int steps) {
    read_numbers("curve.weights", curve_weights, CURVE);
    read_numbers("curve.inputs", *curve_inputs, sizeof curve_inputs / sizeof(real));
    read_numbers("curve.targets", *curve_targets, sizeof curve_targets / sizeof(real));
    memset(curve_m, 0, sizeof curve_m);
    memset(curve_v, 0, sizeof curve_v);
    curve_adam = (Adam){1, 1};
    for (int i = 0; i < steps; i++) step();
    double loss = 0;
    for (int s = 0; s < count; s++) {
        real h1[32], h2[16], y[4];
        curve_forward(curve_inputs[s], h1, h2, y);
        for (int o = 0; o < 4; o++) loss += (y[o] - curve_targets[s][o]) * (y[o] - curve_targets[s][o]);
    }
    report(workload, best_time(step), loss / (4 * count));
}

static void w4(void) { curve_workload("W4", curve_step_200, 200, 100); }
static void w4l(void) { curve_workload("W4L", curve_step_10000, 10000, 20); }

/* ---- W5: LeNet-5, a step of Adam by 32 images; W5p: one image ---- */

enum { KERNEL = 5, LENET_BATCH = 32, LENET_STEPS = 20 };
enum {
    LENET_1 = 6 * 1 * 25 + 6,
    LENET_2 = LENET_1 + 16 * 6 * 25 + 16,
    LENET_3 = LENET_2 + 256 * 120 + 120,
    LENET_4 = LENET_3 + 120 * 84 + 84,
    LENET = LENET_4 + 84 * 10 + 10
};

/* Weights by output channel, input channel, row and column, then biases. The innermost loop goes along a row, which the
 * compiler can turn into vectors. */
INLINE void convolution(int in, int out, int size, const real *restrict layer, const real *restrict x, real *restrict y) {
    const int places = size - KERNEL + 1;
    const real *bias = layer + out * in * KERNEL * KERNEL;
    for (int d = 0; d < out; d++) {
        real *plane = y + d * places * places;
        for (int p = 0; p < places * places; p++) plane[p] = bias[d];
        for (int c = 0; c < in; c++)
            for (int i = 0; i < KERNEL; i++)
                for (int j = 0; j < KERNEL; j++) {
                    const real weight = layer[((d * in + c) * KERNEL + i) * KERNEL + j];
                    for (int row = 0; row < places; row++)
                        for (int column = 0; column < places; column++)
                            plane[row * places + column] += weight * x[(c * size + row + i) * size + column + j];
                }
    }
}

INLINE void convolution_back(int in, int out, int size, const real *restrict layer, const real *restrict x,
                             const real *restrict dy, real *restrict gradient, real *restrict dx) {
    const int places = size - KERNEL + 1;
    if (dx)
        for (int i = 0; i < in * size * size; i++) dx[i] = 0;
    for (int d = 0; d < out; d++) {
        const real *plane = dy + d * places * places;
        for (int c = 0; c < in; c++)
            for (int i = 0; i < KERNEL; i++)
                for (int j = 0; j < KERNEL; j++) {
                    const int at = ((d * in + c) * KERNEL + i) * KERNEL + j;
                    real sum = 0;
                    for (int row = 0; row < places; row++)
                        for (int column = 0; column < places; column++)
                            sum += plane[row * places + column] * x[(c * size + row + i) * size + column + j];
                    gradient[at] += sum;
                    if (dx)
                        for (int row = 0; row < places; row++)
                            for (int column = 0; column < places; column++)
                                dx[(c * size + row + i) * size + column + j] += layer[at] * plane[row * places + column];
                }
        real sum = 0;
        for (int p = 0; p < places * places; p++) sum += plane[p];
        gradient[out * in * KERNEL * KERNEL + d] += sum;
    }
}

INLINE void max_pool(int channels, int size, const real *restrict x, real *restrict y) {
    for (int c = 0; c < channels; c++)
        for (int row = 0; row < size / 2; row++)
            for (int column = 0; column < size / 2; column++) {
                const real *window = x + (c * size + 2 * row) * size + 2 * column;
                real upper = window[0] > window[1] ? window[0] : window[1];
                real lower = window[size] > window[size + 1] ? window[size] : window[size + 1];
                y[(c * size / 2 + row) * (size / 2) + column] = upper > lower ? upper : lower;
            }
}

INLINE void max_pool_back(int channels, int size, const real *restrict x, const real *restrict y,
                          const real *restrict dy, real *restrict dx) {
    for (int c = 0; c < channels; c++)
        for (int row = 0; row < size / 2; row++)
            for (int column = 0; column < size / 2; column++) {
                const int first = (c * size + 2 * row) * size + 2 * column, to = (c * size / 2 + row) * (size / 2) + column;
                const int places[4] = {first, first + 1, first + size, first + size + 1};
                real left = dy[to];
                for (int i = 0; i < 4; i++) {
                    dx[places[i]] = x[places[i]] == y[to] ? left : 0;
                    left = x[places[i]] == y[to] ? 0 : left;
                }
            }
}

typedef struct {
    real c1[6 * 24 * 24], p1[6 * 12 * 12], c2[16 * 8 * 8], p2[256], h1[120], h2[84], y[10];
} Lenet;

static real lenet_weights[LENET], lenet_m[LENET], lenet_v[LENET], lenet_data[LENET_BATCH][784];
static unsigned char lenet_classes[LENET_BATCH];
static Adam lenet_adam;

INLINE void lenet_forward(const real *x, Lenet *net) {
    convolution(1, 6, 28, lenet_weights, x, net->c1);
    relu(6 * 24 * 24, net->c1);
    max_pool(6, 24, net->c1, net->p1);
    convolution(6, 16, 12, lenet_weights + LENET_1, net->p1, net->c2);
    relu(16 * 8 * 8, net->c2);
    max_pool(16, 8, net->c2, net->p2);
    dense(256, 120, lenet_weights + LENET_2, net->p2, net->h1);
    relu(120, net->h1);
    dense(120, 84, lenet_weights + LENET_3, net->h1, net->h2);
    relu(84, net->h2);
    dense(84, 10, lenet_weights + LENET_4, net->h2, net->y);
    softmax(10, net->y);
}

static __attribute__((noinline)) void lenet_sample(const real *x, real *gradient, int class, real *loss) {
    static Lenet net, d;
    lenet_forward(x, &net);
    *loss -= log_real(net.y[class]);
    for (int o = 0; o < 10; o++) d.y[o] = (net.y[o] - (o == class)) / LENET_BATCH;
    dense_back(84, 10, lenet_weights + LENET_4, net.h2, d.y, gradient + LENET_4, d.h2);
    relu_back(84, net.h2, d.h2);
    dense_back(120, 84, lenet_weights + LENET_3, net.h1, d.h2, gradient + LENET_3, d.h1);
    relu_back(120, net.h1, d.h1);
    dense_back(256, 120, lenet_weights + LENET_2, net.p2, d.h1, gradient + LENET_2, d.p2);
    max_pool_back(16, 8, net.c2, net.p2, d.p2, d.c2);
    relu_back(16 * 8 * 8, net.c2, d.c2);
    convolution_back(6, 16, 12, lenet_weights + LENET_1, net.p1, d.c2, gradient + LENET_1, d.p1);
    max_pool_back(6, 24, net.c1, net.p1, d.p1, d.c1);
    relu_back(6 * 24 * 24, net.c1, d.c1);
    convolution_back(1, 6, 28, lenet_weights, x, d.c1, gradient, NULL);
}

static void lenet_step(void) {
    static real gradient[LENET];
    memset(gradient, 0, sizeof gradient);
    real loss = 0;
    for (int s = 0; s < LENET_BATCH; s++) lenet_sample(lenet_data[s], gradient, lenet_classes[s], &loss);
    adam_step(&lenet_adam, LENET, lenet_weights, gradient, lenet_m, lenet_v);
    step_loss = loss / LENET_BATCH;
}

static void read_lenet(void) {
    read_numbers("lenet.weights", lenet_weights, LENET);
    read_numbers("lenet.inputs", *lenet_data, sizeof lenet_data / sizeof(real));
    unsigned char *classes = read_file("lenet.classes", LENET_BATCH);
    memcpy(lenet_classes, classes, LENET_BATCH);
    free(classes);
}

static void w5(void) {
    read_lenet();
    memset(lenet_m, 0, sizeof lenet_m);
    memset(lenet_v, 0, sizeof lenet_v);
    lenet_adam = (Adam){1, 1};
    for (int step = 0; step < LENET_STEPS; step++) lenet_step();
    double loss = 0;
    for (int s = 0; s < LENET_BATCH; s++) {
        static Lenet net;
        lenet_forward(lenet_data[s], &net);
        loss -= log_real(net.y[lenet_classes[s]]) / LENET_BATCH;
    }
    report("W5", best_time(lenet_step), loss);
}

static real lenet_answers[LENET_BATCH][10];

static __attribute__((noinline)) void lenet(const real *x, real *y) {
    static Lenet net;
    lenet_forward(x, &net);
    memcpy(y, net.y, sizeof net.y);
}

static void lenet_all(void) {
    for (int s = 0; s < LENET_BATCH; s++) {
        lenet(lenet_data[s], lenet_answers[s]);
        BARRIER();
    }
}

static void w5p(void) {
    read_lenet();
    lenet_all();
    double sum = checksum(LENET_BATCH * 10, *lenet_answers);
    report("W5p", best_time(lenet_all) / LENET_BATCH, sum);
}

/* ---- W7: a GRU on sequences, a step of Adam by 32 of them ---- */

enum { GRU_STEPS = 40, GRU_H = 32, GRU_G = 3 * GRU_H, GRU_BATCH = 32, GRU_CHECK = 20 };
enum { GRU_1 = GRU_G + GRU_G, GRU_2 = GRU_1 + GRU_G * GRU_H + GRU_G, GRU = GRU_2 + GRU_H * 10 + 10 };
static real gru_weights[GRU], gru_m[GRU], gru_v[GRU], gru_data[GRU_BATCH][GRU_STEPS];
static unsigned char gru_classes[GRU_BATCH];
static Adam gru_adam;

typedef struct {
    /* The state before each step and after the last, the gates, and what the reset gate multiplies. */
    real h[GRU_STEPS + 1][GRU_H], r[GRU_STEPS][GRU_H], z[GRU_STEPS][GRU_H], n[GRU_STEPS][GRU_H], a[GRU_STEPS][GRU_H], y[10];
} Gru;

INLINE real sigmoid(real x) { return 1 / (1 + exp_real(-x)); }

static __attribute__((noinline)) void gru_forward(const real *x, Gru *net) {
    memset(net->h[0], 0, sizeof net->h[0]);
    for (int t = 0; t < GRU_STEPS; t++) {
        real in[GRU_G], rec[GRU_G];
        dense(1, GRU_G, gru_weights, x + t, in);
        dense(GRU_H, GRU_G, gru_weights + GRU_1, net->h[t], rec);
        for (int j = 0; j < GRU_H; j++) {
            net->r[t][j] = sigmoid(in[j] + rec[j]);
            net->z[t][j] = sigmoid(in[GRU_H + j] + rec[GRU_H + j]);
            net->a[t][j] = rec[2 * GRU_H + j];
            net->n[t][j] = tanh_real(in[2 * GRU_H + j] + net->r[t][j] * net->a[t][j]);
            net->h[t + 1][j] = net->n[t][j] + net->z[t][j] * (net->h[t][j] - net->n[t][j]);
        }
    }
    dense(GRU_H, 10, gru_weights + GRU_2, net->h[GRU_STEPS], net->y);
    softmax(10, net->y);
}

static __attribute__((noinline)) void gru_sample(const real *x, real *gradient, int class, real *loss) {
    static Gru net;
    real dh[GRU_H], dx[GRU_H];
    gru_forward(x, &net);
    *loss -= log_real(net.y[class]);
    for (int o = 0; o < 10; o++) net.y[o] = (net.y[o] - (o == class)) / GRU_BATCH;
    dense_back(GRU_H, 10, gru_weights + GRU_2, net.h[GRU_STEPS], net.y, gradient + GRU_2, dh);
    for (int t = GRU_STEPS - 1; t >= 0; t--) {
        real in[GRU_G], rec[GRU_G];
        for (int j = 0; j < GRU_H; j++) {
            real r = net.r[t][j], z = net.z[t][j], n = net.n[t][j];
            real dn = dh[j] * (1 - z) * (1 - n * n);
            in[j] = rec[j] = dn * net.a[t][j] * r * (1 - r);
            in[GRU_H + j] = rec[GRU_H + j] = dh[j] * (net.h[t][j] - n) * z * (1 - z);
            in[2 * GRU_H + j] = dn;
            rec[2 * GRU_H + j] = dn * r;
            dh[j] *= z;
        }
        dense_back(1, GRU_G, gru_weights, x + t, in, gradient, NULL);
        dense_back(GRU_H, GRU_G, gru_weights + GRU_1, net.h[t], rec, gradient + GRU_1, dx);
        for (int j = 0; j < GRU_H; j++) dh[j] += dx[j];
    }
}

static void gru_step(void) {
    static real gradient[GRU];
    memset(gradient, 0, sizeof gradient);
    real loss = 0;
    for (int s = 0; s < GRU_BATCH; s++) gru_sample(gru_data[s], gradient, gru_classes[s], &loss);
    adam_step(&gru_adam, GRU, gru_weights, gradient, gru_m, gru_v);
    step_loss = loss / GRU_BATCH;
}

static void w7(void) {
    read_numbers("gru.weights", gru_weights, GRU);
    read_numbers("gru.inputs", *gru_data, sizeof gru_data / sizeof(real));
    unsigned char *classes = read_file("gru.classes", GRU_BATCH);
    memcpy(gru_classes, classes, GRU_BATCH);
    free(classes);
    memset(gru_m, 0, sizeof gru_m);
    memset(gru_v, 0, sizeof gru_v);
    gru_adam = (Adam){1, 1};
    for (int step = 0; step < GRU_CHECK; step++) gru_step();
    double loss = 0;
    for (int s = 0; s < GRU_BATCH; s++) {
        static Gru net;
        gru_forward(gru_data[s], &net);
        loss -= log_real(net.y[gru_classes[s]]) / GRU_BATCH;
    }
    report("W7", best_time(gru_step), loss);
}

/* ---- Other sizes: one sample, with the weights in rows and in columns, of which the better counts ---- */

enum { WIDEST = 48 * 128 + 128 + 128 * 128 + 128 + 128 * 12 + 12, ROOM = 128 };
static real sizes_rows[WIDEST], sizes_columns[WIDEST], sizes_inputs[64][ROOM], sizes_outputs[64][ROOM];

INLINE void dense_columns(int in, int out, const real *restrict layer, const real *restrict x, real *restrict y) {
    real sums[ROOM];
    for (int o = 0; o < out; o++) sums[o] = layer[in * out + o];
    for (int i = 0; i < in; i++)
        for (int o = 0; o < out; o++) sums[o] += layer[i * out + o] * x[i];
    for (int o = 0; o < out; o++) y[o] = sums[o];
}

INLINE void elu(int n, real *x) {
    for (int i = 0; i < n; i++) x[i] = x[i] > 0 ? x[i] : exp_real(x[i]) - 1;
}

/* The other layout of a layer. */
static void transpose_layer(int in, int out, const real *rows, real *columns) {
    for (int o = 0; o < out; o++)
        for (int i = 0; i < in; i++) columns[i * out + o] = rows[o * in + i];
    memcpy(columns + in * out, rows + in * out, out * sizeof *rows);
}

#define OTHER_SIZES(id, name, in, hidden, last, out, activation)                                                       \
    enum { id##_1 = in * hidden + hidden, id##_2 = last ? id##_1 + hidden * hidden + hidden : id##_1,                  \
           id##_all = id##_2 + hidden * out + out };                                                                   \
    INLINE void id##_one(const real *weights, int columns, const real *x, real *y) {                                   \
        real h1[hidden], h2[hidden];                                                                                   \
        (columns ? dense_columns : dense)(in, hidden, weights, x, h1);                                                 \
        activation(hidden, h1);                                                                                        \
        if (last) {                                                                                                    \
            (columns ? dense_columns : dense)(hidden, hidden, weights + id##_1, h1, h2);                               \
            activation(hidden, h2);                                                                                    \
        }                                                                                                              \
        (columns ? dense_columns : dense)(hidden, out, weights + id##_2, last ? h2 : h1, y);                           \
    }                                                                                                                  \
    static __attribute__((noinline)) void id##_in_rows(const real *x, real *y) { id##_one(sizes_rows, 0, x, y); }      \
    static __attribute__((noinline)) void id##_in_columns(const real *x, real *y) { id##_one(sizes_columns, 1, x, y); } \
    static void id##_64_in_rows(void) {                                                                                \
        for (int s = 0; s < 64; s++) {                                                                                 \
            id##_in_rows(sizes_inputs[s], sizes_outputs[s]);                                                           \
            BARRIER();                                                                                                 \
        }                                                                                                              \
    }                                                                                                                  \
    static void id##_64_in_columns(void) {                                                                             \
        for (int s = 0; s < 64; s++) {                                                                                 \
            id##_in_columns(sizes_inputs[s], sizes_outputs[s]);                                                        \
            BARRIER();                                                                                                 \
        }                                                                                                              \
    }                                                                                                                  \
    static void id(void) {                                                                                             \
        static real all[64][in], outputs[64][out];                                                                     \
        read_numbers(name ".inputs", *all, sizeof all / sizeof(real));                                                 \
        read_numbers(name ".weights", sizes_rows, id##_all);                                                           \
        transpose_layer(in, hidden, sizes_rows, sizes_columns);                                                        \
        if (last) transpose_layer(hidden, hidden, sizes_rows + id##_1, sizes_columns + id##_1);                        \
        transpose_layer(hidden, out, sizes_rows + id##_2, sizes_columns + id##_2);                                     \
        for (int s = 0; s < 64; s++) memcpy(sizes_inputs[s], all[s], sizeof all[s]);                                   \
        double rows = best_time(id##_64_in_rows), columns = best_time(id##_64_in_columns);                             \
        for (int s = 0; s < 64; s++) memcpy(outputs[s], sizes_outputs[s], sizeof outputs[s]);                          \
        report(name, (rows < columns ? rows : columns) / 64, checksum(64 * out, *outputs));                            \
    }

OTHER_SIZES(s13_24_3, "13-24-3", 13, 24, 0, 3, relu)
OTHER_SIZES(s30_16_1, "30-16-1", 30, 16, 0, 1, relu)
OTHER_SIZES(s100_50_7, "100-50-7", 100, 50, 0, 7, relu)
OTHER_SIZES(s17_64_64_4, "17-64-64-4", 17, 64, 1, 4, relu)
OTHER_SIZES(s48_128_128_12, "48-128-128-12", 48, 128, 1, 12, elu)
OTHER_SIZES(s1_64_64_1, "1-64-64-1", 1, 64, 1, 1, relu)

/* ---- Epochs of other sizes: ReLU, mean squared error, Adam, 512 samples in batches of 32, in order ---- */

enum { FEW = 512 };
static real epoch_weights[4096], epoch_m[4096], epoch_v[4096], epoch_inputs[FEW][32], epoch_targets[FEW][4];
static Adam epoch_adam;

#define EPOCH(id, name, in, hidden, out)                                                                               \
    enum { id##_2 = in * hidden + hidden, id##_all = id##_2 + hidden * out + out };                                    \
    static void id##_epoch(void) {                                                                                     \
        for (int first = 0; first < FEW; first += 32) {                                                                \
            real gradient[id##_all] = {0};                                                                             \
            for (int s = first; s < first + 32; s++) {                                                                 \
                real h[hidden], y[out], dh[hidden];                                                                    \
                dense(in, hidden, epoch_weights, epoch_inputs[s], h);                                                  \
                relu(hidden, h);                                                                                       \
                dense(hidden, out, epoch_weights + id##_2, h, y);                                                      \
                for (int o = 0; o < out; o++) y[o] = 2 * (y[o] - epoch_targets[s][o]) / (out * 32);                    \
                dense_back(hidden, out, epoch_weights + id##_2, h, y, gradient + id##_2, dh);                          \
                relu_back(hidden, h, dh);                                                                              \
                dense_back(in, hidden, epoch_weights, epoch_inputs[s], dh, gradient, NULL);                            \
            }                                                                                                          \
            adam_step(&epoch_adam, id##_all, epoch_weights, gradient, epoch_m, epoch_v);                               \
        }                                                                                                              \
    }                                                                                                                  \
    static void id(void) {                                                                                             \
        static real inputs[FEW][in], targets[FEW][out];                                                                \
        read_numbers(name ".weights", epoch_weights, id##_all);                                                        \
        read_numbers(name ".inputs", *inputs, sizeof inputs / sizeof(real));                                           \
        read_numbers(name ".targets", *targets, sizeof targets / sizeof(real));                                        \
        for (int s = 0; s < FEW; s++) {                                                                                \
            memcpy(epoch_inputs[s], inputs[s], sizeof inputs[s]);                                                      \
            memcpy(epoch_targets[s], targets[s], sizeof targets[s]);                                                   \
        }                                                                                                              \
        memset(epoch_m, 0, sizeof epoch_m);                                                                            \
        memset(epoch_v, 0, sizeof epoch_v);                                                                            \
        epoch_adam = (Adam){1, 1};                                                                                     \
        id##_epoch();                                                                                                  \
        double loss = 0;                                                                                               \
        for (int s = 0; s < FEW; s++) {                                                                                \
            real h[hidden], y[out];                                                                                    \
            dense(in, hidden, epoch_weights, epoch_inputs[s], h);                                                      \
            relu(hidden, h);                                                                                           \
            dense(hidden, out, epoch_weights + id##_2, h, y);                                                          \
            for (int o = 0; o < out; o++) loss += (y[o] - epoch_targets[s][o]) * (y[o] - epoch_targets[s][o]);         \
        }                                                                                                              \
        report(name, best_time(id##_epoch), loss / (out * FEW));                                                       \
    }

EPOCH(e13_24_3, "13-24-3 epoch", 13, 24, 3)
EPOCH(e30_16_1, "30-16-1 epoch", 30, 16, 1)
EPOCH(e10_100_1, "10-100-1 epoch", 10, 100, 1)

int main(int count, char **arguments) {
    static const struct {
        const char *name;
        void (*run)(void);
    } workloads[] = {{"W1", w1},  {"W2a", small_workload}, {"W2b", digits_workload}, {"W2c", mnist_workload}, {"W3", w3},
                     {"W4", w4}, {"W4L", w4l},            {"W5", w5},              {"W5p", w5p},             {"W6", w6},
                     {"W7", w7}, {"13-24-3", s13_24_3},   {"30-16-1", s30_16_1},   {"100-50-7", s100_50_7},
                     {"17-64-64-4", s17_64_64_4},         {"48-128-128-12", s48_128_128_12},                 {"1-64-64-1", s1_64_64_1},
                     {"13-24-3 epoch", e13_24_3},         {"30-16-1 epoch", e30_16_1},                       {"10-100-1 epoch", e10_100_1}};
    if (count != 3) {
        fprintf(stderr, "usage: plain <folder of inputs> <workload>,<workload>,...\n");
        return 2;
    }
    folder = arguments[1];
    const char *seconds = getenv("PEERS_SECONDS");
    budget = seconds ? atof(seconds) : 0.3;
    for (char *name = strtok(arguments[2], ","); name; name = strtok(NULL, ","))
        for (size_t i = 0; i < sizeof workloads / sizeof *workloads; i++)
            if (!strcmp(name, workloads[i].name)) workloads[i].run();
    return 0;
}
