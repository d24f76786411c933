
/* Loops as one writes them: outputs, then channels and taps. */
static void convolution(int in, int out, int size, const float *weight, const float *bias, const float *x, float *y)
{
    const int places = size - 2;
    for (int d = 0; d < out; d++) {
        for (int row = 0; row < places; row++) {
            for (int column = 0; column < places; column++) {
                float sum = bias[d];
                for (int c = 0; c < in; c++) {
                    for (int i = 0; i < 3; i++) {
                        for (int j = 0; j < 3; j++) {
                            sum += weight[((d * in + c) * 3 + i) * 3 + j] * x[(c * size + row + i) * size + column + j];
                        }
                    }
                }
                y[(d * places + row) * places + column] = sum > 0.0f ? sum : 0.0f;
            }
        }
    }
}

void cnn_predict(const float input[64], float output[10])
{
    float a[8 * 36], b[16 * 16], c[64];
    convolution(1, 8, 8, first_weight, first_bias, input, a);
    convolution(8, 16, 6, second_weight, second_bias, a, b);
    for (int d = 0; d < 16; d++) {
        for (int row = 0; row < 2; row++) {
            for (int column = 0; column < 2; column++) {
                float largest = b[d * 16 + 8 * row + 2 * column];
                for (int place = 1; place < 4; place++) {
                    const float x = b[d * 16 + 8 * row + 2 * column + place / 2 * 4 + place % 2];
                    largest = x > largest ? x : largest;
                }
                c[d * 4 + 2 * row + column] = largest;
            }
        }
    }
    for (int o = 0; o < 10; o++) {
        float sum = last_bias[o];
        for (int i = 0; i < 64; i++) {
            sum += last_weight[o * 64 + i] * c[i];
        }
        output[o] = sum;
    }
}
