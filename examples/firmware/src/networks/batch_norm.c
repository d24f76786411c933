// 4-16-3 with batch normalization, trained on irises to a test accuracy of 0.967, by the example `flash`.
/* A network of tuplenet, written by tuplenet 0.1.0. Not to be changed by hand.
   (Dense<4, 16, Identity>, BatchNorm<16>, Activate<16, Relu>, Dense<16, 3, Softmax>)

   Compile it with -DBATCH_NORM_SELF_TEST for int batch_norm_self_test(void), which gives how many of its outputs are
   wrong, or with -DBATCH_NORM_MAIN for a program that runs it. */

#include <stddef.h>
#include <stdint.h>

#define BATCH_NORM_INPUTS 4
#define BATCH_NORM_OUTPUTS 3

#ifdef __cplusplus
extern "C" {
#endif

/* The outputs for one sample; input and output may be the same memory. */
void batch_norm_predict(const float input[4], float output[3]);

#ifdef __cplusplus
}
#endif

static const float batch_norm_weight_1[64] = {
    -0.21033013f, 0.55678517f, -0.2784934f, -0.303927f, -0.1823283f, 0.017646883f, 0.47209206f, -0.094522f,
    0.10019639f, -0.4049698f, 0.43266153f, -0.081584945f, 0.039893858f, -0.16991404f, -0.24013194f,
    -0.34134066f, 0.43074742f, -0.88753587f, 0.10189278f, 0.015248683f, 0.14930221f, -0.22069296f,
    -0.31838536f, -0.33552897f, 0.5888456f, -1.2938771f, 0.017099623f, -0.82176584f, 0.03990808f,
    -0.14622684f, -0.41457343f, 0.84507173f, -0.30152065f, -0.82679456f, 0.1950708f, 0.29026267f,
    -0.26212567f, 0.13355161f, -0.32559335f, -0.08444709f, 0.47491524f, -0.18251711f, -0.36929172f,
    -0.10146525f, -0.17173842f, -1.0105418f, -0.032949857f, 0.45923924f, -0.26603028f, 0.16884878f,
    -0.3790218f, -0.061889168f, -0.18083702f, -1.5435963f, -0.0054851943f, 0.31333014f, -0.18296193f,
    -1.2132648f, 0.037098173f, -0.45472008f, 0.19412191f, -0.68875575f, 0.22091399f, 0.32649532f,
};

static const float batch_norm_bias_1[16] = {
    1.153256f, -0.6468723f, -0.5307254f, 1.6601665f, -0.13493507f, 1.3058256f, 1.5089314f, 0.694543f,
    3.117843f, 2.3085444f, -0.9361945f, 3.672594f, 2.6808033f, 5.3092623f, 5.299769f, -0.33255294f,
};

static const float batch_norm_scale_2[16] = {
    1.1226236f, 2.8403106f, 1.8549055f, 2.0735526f, 1.8849163f, 2.5180542f, 2.274653f, 9.473391f, 2.7952251f,
    1.8357387f, 4.1446786f, 1.6400408f, 1.6372706f, 0.89199466f, 0.45682302f, 1.3244619f,
};

static const float batch_norm_shift_2[16] = {
    0.75717247f, 0.8026402f, -0.8206643f, -0.15675455f, 1.1806144f, 0.49587524f, 0.3599126f, 0.6014435f,
    1.2907106f, 0.15370084f, 1.6241101f, -0.2628149f, -0.29202813f, 0.87267077f, 0.72715795f, -0.15552573f,
};

static const float batch_norm_weight_4[48] = {
    0.6630211f, -0.9996322f, -0.042911105f, 0.45879653f, -0.7402934f, 0.59914345f, -0.13135114f, 0.058088705f,
    -1.1703663f, 0.84929496f, 0.7240705f, -0.36440733f, 0.75040025f, -0.2850909f, -0.27705073f, 0.022329446f,
    0.37137562f, 0.29207608f, -0.78600293f, -0.107183404f, 0.45733103f, -0.15345924f, 0.16569608f,
    -0.45781025f, 0.27923372f, -0.50353634f, 0.3264854f, -0.07464246f, -0.6616034f, 0.4808561f, 0.027273562f,
    -0.3415428f, -0.942298f, 0.76501197f, 1.0516098f, -0.19001257f, 0.38456947f, -0.41970885f, -0.7068925f,
    1.101367f, 0.42608538f, -0.06883518f, -0.5858151f, 0.29219985f, -0.2276666f, -0.05363911f, -0.648839f,
    0.76421976f,
};

static const float batch_norm_bias_4[3] = {
    -0.6860901f, 0.7464442f, -0.29155248f,
};

/* y = W x + b, four rows at a time, which share what is read of x. */
static void batch_norm_dense(const float *weight, const float *bias, size_t inputs, size_t outputs, const float *x, float *y)
{
    size_t row = 0;
    size_t column;
    while (row < outputs) {
        const float *w = weight + row * inputs;
        float a = bias[row];
        if (outputs - row < 4) {
            for (column = 0; column < inputs; column++) {
                a += w[column] * x[column];
            }
            y[row] = a;
            row += 1;
        } else {
            float b = bias[row + 1];
            float c = bias[row + 2];
            float d = bias[row + 3];
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

/* x = n ln 2 + r with a whole number n; gives exp(r) - 1. Not for NaN. */
static float batch_norm_split(float x, int *n)
{
    float r;
    *n = (int)(x * 1.442695f + (x < 0.0f ? -0.5f : 0.5f));
    r = x - (float)*n * 0.6933594f;
    r = r - (float)*n * -0.00021219444f;
    return r * ((((((0.0001984127f * r + 0.0013888889f) * r + 0.008333334f) * r + 0.041666668f) * r + 0.16666667f) * r + 0.5f) * r + 1.0f);
}

/* 2 to the power of n, between the exponents of normal numbers. */
static float batch_norm_power(int n)
{
    union {
        uint32_t bits;
        float number;
    } power;
    power.bits = (uint32_t)(n + 127) << 23;
    return power.number;
}

/* exp(x) for x up to zero. */
static float batch_norm_exp_negative(float x)
{
    int n;
    float e;
    float scale;
    if (x != x) {
        return x;
    }
    if (x < (-87.33f)) {
        return 0.0f;
    }
    e = batch_norm_split(x, &n);
    scale = batch_norm_power(n);
    return e * scale + scale;
}

static float batch_norm_relu(float x)
{
    return x < 0.0f ? 0.0f : x;
}

static void batch_norm_softmax(size_t size, float *x)
{
    size_t i;
    float largest = x[0];
    float sum = 0.0f;
    for (i = 1; i < size; i++) {
        largest = x[i] > largest ? x[i] : largest;
    }
    for (i = 0; i < size; i++) {
        x[i] = batch_norm_exp_negative(x[i] - largest);
        sum += x[i];
    }
    for (i = 0; i < size; i++) {
        x[i] = x[i] / sum;
    }
}

#ifdef __cplusplus
extern "C" {
#endif

void batch_norm_predict(const float input[4], float output[3])
{
    size_t i;
    float a[16];
    batch_norm_dense(batch_norm_weight_1, batch_norm_bias_1, 4, 16, input, a);
    for (i = 0; i < 16; i++) {
        a[i] = a[i] * batch_norm_scale_2[i] + batch_norm_shift_2[i];
    }
    for (i = 0; i < 16; i++) {
        a[i] = batch_norm_relu(a[i]);
    }
    batch_norm_dense(batch_norm_weight_4, batch_norm_bias_4, 16, 3, a, output);
    batch_norm_softmax(3, output);
}

#ifdef __cplusplus
}
#endif

#if defined BATCH_NORM_SELF_TEST || defined BATCH_NORM_MAIN

#ifdef __cplusplus
extern "C" {
#endif

int batch_norm_self_test(void);

#ifdef __cplusplus
}
#endif

static const float batch_norm_inputs[3][4] = {
    {
        7.7f, 2.8f, 6.7f, 2.0f,
    },
    {
        5.5f, 2.6f, 4.4f, 1.2f,
    },
    {
        6.1f, 2.6f, 5.6f, 1.4f,
    },
};

static const float batch_norm_outputs[3][3] = {
    {
        2.5632406e-8f, 0.013799153f, 0.98620087f,
    },
    {
        9.981252e-6f, 0.86203575f, 0.1379542f,
    },
    {
        2.0229618e-7f, 0.15208817f, 0.84791166f,
    },
};

static const float batch_norm_tolerances[3][3] = {
    {
        3.8e-6f, 5e-6f, 5e-6f,
    },
    {
        3.8e-6f, 1.4e-5f, 1.5e-5f,
    },
    {
        3.8e-6f, 2e-5f, 2e-5f,
    },
};

int batch_norm_self_test(void)
{
    int wrong = 0;
    size_t sample;
    size_t i;
    for (sample = 0; sample < 3; sample++) {
        float found[3];
        batch_norm_predict(batch_norm_inputs[sample], found);
        for (i = 0; i < 3; i++) {
            float error = found[i] - batch_norm_outputs[sample][i];
            /* Not the other way round: NaN is wrong. */
            if (!(error <= batch_norm_tolerances[sample][i] && error >= -batch_norm_tolerances[sample][i])) {
                wrong++;
            }
        }
    }
    return wrong;
}

#endif

#ifdef BATCH_NORM_MAIN

int main(void)
{
    return batch_norm_self_test() > 0;
}

#endif
