/* GRU and LSTM with a dense layer of one output, a step at a time, in plain C:
 *
 *     gcc -O3 -march=native -ffast-math streams.c -o streams -lm
 *
 * prints for each network its name, the nanoseconds of a step, and the sum of the last outputs, which must be that of `streams.rs`. The
 * weights by each input are side by side for all units of all gates, so that gcc vectorizes the products, and so are the activations. */

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#define STEPS 4096
#define ROUNDS 60

static uint32_t place;

static float weight(int units) {
    uint32_t hash = ++place * 2654435761u;
    hash ^= hash >> 15;
    hash *= 2246822519u;
    return ((float)(hash >> 8) / 8388608.0f - 1.0f) / sqrtf((float)units);
}

static void fill(float *values, int count, int units) {
    for (int i = 0; i < count; i++) values[i] = weight(units);
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return 1e9 * (double)time.tv_sec + (double)time.tv_nsec;
}

static float inputs[STEPS], outputs[STEPS];

static inline float sigmoid(float x) { return 1.0f / (1.0f + expf(-x)); }

/* The sums of both products, gate by gate. */
#define SUMS(H, G)                                                                             \
    for (int i = 0; i < G * H; i++) a[i] = bias_ih[i] + weight_ih[i] * x;                       \
    for (int i = 0; i < G * H; i++) u[i] = bias_hh[i];                                         \
    for (int k = 0; k < H; k++)                                                                \
        for (int i = 0; i < G * H; i++) u[i] += weight_hh[k][i] * h[k];

#define NETWORK(NAME, TEXT, H, G, STATE, ...)                                                  \
    static void NAME(void) {                                                                   \
        static float weight_ih[G * H], weight_hh[H][G * H], bias_ih[G * H], bias_hh[G * H], out[H]; \
        place = 0;                                                                             \
        fill(weight_ih, G * H, H), fill(weight_hh[0], H * G * H, H), fill(bias_ih, G * H, H);  \
        fill(bias_hh, G * H, H), fill(out, H, H);                                              \
        float bias = weight(H), h[H] = {0};                                                    \
        STATE;                                                                                 \
        double best = 1e30, sum = 0;                                                           \
        for (int round = 0; round < ROUNDS; round++) {                                         \
            double begin = now();                                                              \
            for (int t = 0; t < STEPS; t++) {                                                  \
                float x = inputs[t], a[G * H], u[G * H], y = bias;                             \
                SUMS(H, G)                                                                     \
                __VA_ARGS__                                                                           \
                for (int i = 0; i < H; i++) y += out[i] * h[i];                                \
                outputs[t] = y;                                                                \
            }                                                                                  \
            double time = (now() - begin) / STEPS;                                             \
            if (time < best) best = time;                                                      \
        }                                                                                      \
        for (int t = 0; t < STEPS; t++) sum += outputs[t] * (double)(1 + t % 7);               \
        printf("%s %.2f %.6f\n", TEXT, best, sum);                                             \
    }

#define GRU(H)                                                                                 \
    NETWORK(gru_##H, "gru-" #H, H, 3, , {                                                      \
        for (int i = 0; i < H; i++) {                                                          \
            float r = sigmoid(a[i] + u[i]), z = sigmoid(a[H + i] + u[H + i]);                  \
            float n = tanhf(a[2 * H + i] + r * u[2 * H + i]);                                  \
            h[i] = n + z * (h[i] - n);                                                         \
        }                                                                                      \
    })

#define LSTM(H)                                                                                \
    NETWORK(lstm_##H, "lstm-" #H, H, 4, float c[H] = {0}, {                                    \
        for (int i = 0; i < H; i++) {                                                          \
            float in = sigmoid(a[i] + u[i]), forget = sigmoid(a[H + i] + u[H + i]);            \
            float g = tanhf(a[2 * H + i] + u[2 * H + i]), o = sigmoid(a[3 * H + i] + u[3 * H + i]); \
            c[i] = forget * c[i] + in * g;                                                     \
            h[i] = o * tanhf(c[i]);                                                            \
        }                                                                                      \
    })

GRU(8)
GRU(16)
GRU(32)
LSTM(8)
LSTM(16)
LSTM(24)
LSTM(32)

int main(void) {
    for (int t = 0; t < STEPS; t++) inputs[t] = sinf(0.1f * (float)t);
    gru_8(), gru_16(), gru_32(), lstm_8(), lstm_16(), lstm_24(), lstm_32();
}
