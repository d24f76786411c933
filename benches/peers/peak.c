/* What this core can do at most: multiply-adds on registers, and reading W2c's weights from the second cache.
 *
 * Prints one JSON object. Rates are the best of many repetitions. */
#include <stdio.h>
#include <string.h>
#include <time.h>

/* The widest vectors that the compiler was told of, and as many accumulators as registers allow beside two constants:
 * two multiply-adds a cycle with a latency of four cycles need at least eight. */
#if defined __AVX512F__
enum { BYTES = 64, ACCUMULATORS = 24 };
#define NAME "AVX-512"
#elif defined __AVX__
enum { BYTES = 32, ACCUMULATORS = 12 };
#define NAME "AVX"
#elif defined __aarch64__
enum { BYTES = 16, ACCUMULATORS = 24 };
#define NAME "NEON"
#else
enum { BYTES = 16, ACCUMULATORS = 12 };
#define NAME "128-bit"
#endif
enum { LANES = BYTES / sizeof(float) };
typedef float lanes __attribute__((vector_size(BYTES)));
typedef long long words __attribute__((vector_size(BYTES)));

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec + 1e-9 * time.tv_nsec;
}

static volatile float sink;

/* Seconds for `steps` multiply-adds on each of `count` accumulators. `count` is a constant where this is called, so that
 * they live in registers. */
static inline __attribute__((always_inline)) double multiply_add(int count, long steps) {
    lanes sums[ACCUMULATORS], factor, summand;
    for (int lane = 0; lane < LANES; lane++) factor[lane] = 0.999f, summand[lane] = 0.001f;
    for (int i = 0; i < count; i++) sums[i] = summand * (float)i;
    /* Without this the compiler knows the constants, and might compute something else. */
    __asm__ volatile("" : "+m"(factor), "+m"(summand));
    lanes a = factor, b = summand;
    double start = now();
    for (long step = 0; step < steps; step++) {
#pragma GCC unroll 32
        for (int i = 0; i < count; i++) sums[i] = sums[i] * a + b;
    }
    double elapsed = now() - start;
    lanes total = sums[0];
    for (int i = 1; i < count; i++) total += sums[i];
    for (int lane = 0; lane < LANES; lane++) sink += total[lane];
    return elapsed;
}

/* The weights and biases of 784-128-64-10 but its last layer's biases and weights rounded up to whole vectors of 64. */
enum { WEIGHTS = 437608, READERS = 8, READ = WEIGHTS / (READERS * BYTES) * READERS * BYTES };
static char weights[WEIGHTS + 64] __attribute__((aligned(64)));

/* Seconds for reading all the weights once. */
static double read_weights(void) {
    enum { PASSES = 20 };
    words found[READERS] = {{0}};
    double start = now();
    for (int pass = 0; pass < PASSES; pass++) {
        __asm__ volatile("" ::: "memory");
        for (const char *place = weights; place < weights + READ; place += READERS * BYTES)
#pragma GCC unroll 32
            for (int i = 0; i < READERS; i++) found[i] |= *(const words *)(place + i * BYTES);
    }
    double elapsed = now() - start;
    for (int i = 0; i < READERS; i++) sink += found[i][0];
    return elapsed / PASSES;
}

int main(void) {
    memset(weights, 1, sizeof weights);
    double peak = 0, latency = 1, read = 1;
    for (double end = now() + 0.5; now() < end;) {
        const long steps = 50000;
        double rate = 2.0 * LANES * ACCUMULATORS * steps / multiply_add(ACCUMULATORS, steps);
        double one = multiply_add(1, steps) / steps;
        double reading = read_weights() * WEIGHTS / READ;
        if (rate > peak) peak = rate;
        if (one < latency) latency = one;
        if (reading < read) read = reading;
    }
    printf("{\"instructions\": \"%s\", \"lanes\": %d, \"accumulators\": %d, \"peak_gflops\": %.4g, \"latency_ns\": %.4g, "
           "\"multiply_adds_per_latency\": %.3g, \"l2_read_us\": %.4g, \"l2_gb_per_second\": %.4g}\n",
           NAME, LANES, ACCUMULATORS, peak * 1e-9, latency * 1e9, peak / (2 * LANES) * latency, read * 1e6,
           WEIGHTS / read * 1e-9);
    return 0;
}
