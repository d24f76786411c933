// 4-16-16-3 with layer normalization, trained on irises to a test accuracy of 0.900, by the example `flash`.
/* A network of tuplenet, written by tuplenet 0.1.0. Not to be changed by hand.
   (Dense<4, 16, Identity>, Residual<(LayerNorm<16>, Dense<16, 16, Tanh>)>, Dense<16, 3, Softmax>)

   Compile it with -DLAYER_NORM_SELF_TEST for int layer_norm_self_test(void), which gives how many of its outputs are
   wrong, or with -DLAYER_NORM_MAIN for a program that runs it. */

#include <stddef.h>
#include <stdint.h>

#define LAYER_NORM_INPUTS 4
#define LAYER_NORM_OUTPUTS 3

#ifdef __cplusplus
extern "C" {
#endif

/* The outputs for one sample; input and output may be the same memory. */
void layer_norm_predict(const float input[4], float output[3]);

#ifdef __cplusplus
}
#endif

static const float layer_norm_weight_1[64] = {
    -0.2894726f, 0.6215909f, -0.24905217f, -0.63426876f, -0.18924788f, -0.19387506f, 0.2094323f, -0.24673524f,
    -0.26296788f, 0.26345536f, 0.28869572f, -0.53046155f, -0.49583757f, -0.41701916f, -0.13941489f,
    0.09246358f, -0.30821985f, -0.079525396f, -0.21506596f, -0.26209486f, -0.62043536f, -0.48343393f,
    -0.3664411f, -0.84511584f, 0.22732106f, -0.898641f, 0.014888932f, -0.9734683f, 0.22473888f, -0.36342093f,
    -0.29981366f, 0.34664446f, -0.3780632f, -0.31342515f, -0.08970719f, 0.22000273f, -0.5559513f, -0.775156f,
    -0.029407416f, 0.20929219f, -0.35643888f, -1.2167916f, 0.03510176f, 0.10969661f, -0.04106378f,
    0.06255387f, -0.27110496f, 0.28205535f, -0.14000677f, 0.08007706f, -0.08383629f, 0.5258429f, -0.55852497f,
    -1.024531f, -0.10820219f, 0.5852857f, -0.35951182f, -0.061732896f, -0.27614453f, -0.9916556f,
    -0.13521838f, -0.2789676f, -0.2553415f, -0.0936203f,
};

static const float layer_norm_bias_1[16] = {
    1.958021f, 0.9638196f, 0.2867912f, 4.6514215f, 3.5026565f, 7.9574156f, 2.7512498f, 0.33242086f,
    3.1860163f, 5.1856875f, 5.0218167f, 0.7936104f, -0.07521677f, 5.7157288f, 5.1121464f, 2.6044922f,
};

static const float layer_norm_weight_4[16] = {
    1.540984f, 0.9742808f, 2.0683641f, 0.89467674f, 1.1452796f, 1.3945597f, 1.2894548f, 1.085713f, 1.1251204f,
    1.47896f, 1.5564066f, 1.107921f, 1.2631731f, 1.5002412f, 1.1287422f, 1.5012232f,
};

static const float layer_norm_bias_4[16] = {
    -0.06579363f, -0.11253696f, 0.020802496f, -0.12797591f, -0.041112248f, -0.08972118f, -0.088680476f,
    0.004672283f, 0.035145953f, 0.060581245f, 0.08995909f, -0.05999786f, -0.03867729f, 0.01852854f,
    -0.14633463f, -0.05772082f,
};

static const float layer_norm_weight_5[256] = {
    0.43458104f, -0.090537205f, -0.10207305f, -0.06966558f, -0.008079347f, 0.06161432f, -0.26998743f,
    -0.06773083f, -0.02265105f, -0.11086138f, -0.2845339f, 0.18033975f, 0.099530354f, -0.22576006f,
    0.09618589f, 0.28882653f, -0.15400296f, -0.1653803f, -0.3869825f, -0.06796371f, -0.20557357f,
    -0.38540012f, -0.6826865f, 0.46907306f, 0.15718116f, 0.2280035f, 0.6057969f, 0.2427665f, 0.35366967f,
    0.51561296f, -0.48393157f, 0.19914573f, 0.18201579f, -0.098775834f, -0.108434506f, -0.21877305f,
    -0.29154655f, 0.3706324f, -0.23388532f, 0.120097235f, -0.23221013f, 0.0022989577f, 0.09464797f,
    0.13146049f, 0.3161416f, -0.14953779f, 0.15195635f, 0.4683556f, -0.28432053f, -0.10959376f, 0.25982314f,
    -0.25591514f, 0.0312226f, -0.16106816f, 0.043144125f, -0.15052556f, 0.35631764f, -0.09901869f,
    0.0008659166f, 0.005174013f, -0.17310119f, 0.00971886f, -0.099318005f, -0.49138597f, 0.18900461f,
    -0.33717212f, 0.03812668f, -0.118873045f, -0.0011890752f, 0.27918676f, -0.38646877f, 0.23327619f,
    -0.06338652f, -0.045323428f, 0.15796438f, -0.16047905f, 0.17423765f, -0.023245199f, -0.04230326f,
    0.33612862f, 0.35321453f, 0.18411262f, -0.29970905f, -0.21264231f, -0.22901239f, 0.2647092f, -0.1354197f,
    0.027201457f, -0.024451153f, -0.03866728f, 0.06848123f, -0.1229405f, 0.24597351f, -0.16363193f,
    -0.09015245f, 0.41284716f, 0.5533966f, -0.073581345f, -0.43598711f, 0.21212807f, 0.2740884f, 0.56669235f,
    0.10358708f, 0.077649064f, 0.075904146f, -0.24041867f, -0.7596478f, 0.23901281f, -0.12456451f,
    -0.35534495f, 0.13753654f, -0.006134297f, 0.13331856f, 0.24400768f, 0.38996023f, -0.026864758f,
    0.101168714f, -0.39909258f, 0.34938478f, 0.07779303f, 0.04181423f, -0.21163465f, -0.30899236f,
    0.11450356f, -0.06636649f, -0.31707725f, -0.1121004f, -0.1895293f, 0.44141188f, -0.27178976f,
    -0.058051422f, 0.015592621f, 0.2322003f, 0.33098686f, -0.064593405f, 0.029478995f, -0.06668767f,
    -0.13253842f, -0.43170664f, 0.14604636f, -0.05298643f, -0.11189486f, 0.30667436f, 0.11263682f,
    0.028689815f, 0.30952874f, 0.1628205f, -0.009850377f, -0.08751515f, -0.21339f, 0.18243402f, 0.037790824f,
    0.15833867f, -0.21005514f, -0.26966274f, 0.13563773f, -0.08521852f, -0.108562f, 0.046630144f,
    -0.43160707f, -0.072250344f, 0.11351328f, -0.3465715f, 0.2211397f, -0.111298636f, 0.46925998f,
    -0.020501127f, -0.4296129f, -0.08061057f, 0.50277466f, 0.19580233f, -0.38143265f, -0.41379675f,
    0.6057047f, -0.008445964f, -0.19861495f, 0.12667508f, -0.009334339f, -0.1694108f, -0.0753638f,
    -0.07656139f, 0.07671269f, -0.06251359f, 0.020061512f, -0.15876092f, -0.01891477f, 0.035416804f,
    0.032265432f, 0.07315448f, -0.09440577f, 0.120022215f, 0.30296686f, -0.06448963f, 0.028323488f,
    -0.13337906f, 0.0037269988f, -0.11903382f, -0.053769786f, 0.043644935f, -0.102368176f, 0.08750441f,
    0.007348401f, 0.12973537f, -0.25388286f, -0.2052565f, 0.17678621f, -0.139111f, 0.060819253f, 0.047295544f,
    0.23496523f, 0.42521065f, 0.1670988f, -0.039707456f, -0.5120041f, -0.18100223f, -0.46202716f, 0.0240439f,
    0.2651649f, 0.36360678f, -0.18005672f, 0.15384628f, 0.17080991f, -0.2951127f, -0.12279952f, 0.35463774f,
    0.1504143f, -0.016984528f, -0.082121216f, -0.3154856f, 0.10754228f, -0.48488238f, 0.23604368f, 0.0462677f,
    -0.027008008f, -0.24157567f, 0.17366172f, -0.06636855f, -0.08061693f, 0.13036044f, 0.28886065f,
    -0.17290555f, 0.10728113f, 0.25649363f, 0.12170808f, 0.15273668f, -0.20683773f, 0.27496532f, -0.13046671f,
    0.11969719f, -0.0065633706f, -0.06333543f, 0.0070316726f, -0.24817893f, 0.10746945f, -0.17218772f,
    -0.3323496f,
};

static const float layer_norm_bias_5[16] = {
    -0.15742299f, 0.105471216f, -0.43561667f, 0.38192979f, -0.21667705f, -0.20677352f, -0.075320505f,
    0.12860474f, -0.14535925f, -0.110303715f, 0.18898803f, -0.35149458f, -0.035699666f, -0.047800574f,
    -0.1384354f, 0.4718477f,
};

static const float layer_norm_weight_8[48] = {
    0.69942075f, -0.07156754f, 0.6004203f, -0.43485823f, 0.43434095f, 0.76026624f, -0.16544181f, 0.28360906f,
    -0.0513446f, -0.44994208f, -0.02778417f, 0.110850245f, 0.16581132f, -0.22047062f, 0.85211414f,
    -0.18684638f, 0.28546587f, -0.99139565f, -0.82134724f, 0.5211502f, -0.29872438f, -0.17966771f, 0.9944469f,
    0.5199531f, 0.38008237f, 0.3942732f, 0.7056594f, -0.41946343f, 0.30384126f, -0.4164851f, -0.075130515f,
    0.804298f, -0.46474797f, 1.2494522f, -0.051840734f, 0.0757745f, -0.19512443f, -0.61274576f, -0.68611693f,
    -0.07298088f, -0.36446846f, -0.38636276f, -0.47065964f, -0.48621517f, 0.1687468f, 0.57018274f,
    -0.6833842f, -0.5019795f,
};

static const float layer_norm_bias_8[3] = {
    -0.08031403f, 0.039392646f, -0.025247086f,
};

/* y = W x + b, four rows at a time, which share what is read of x. */
static void layer_norm_dense(const float *weight, const float *bias, size_t inputs, size_t outputs, const float *x, float *y)
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
static float layer_norm_split(float x, int *n)
{
    float r;
    *n = (int)(x * 1.442695f + (x < 0.0f ? -0.5f : 0.5f));
    r = x - (float)*n * 0.6933594f;
    r = r - (float)*n * -0.00021219444f;
    return r * ((((((0.0001984127f * r + 0.0013888889f) * r + 0.008333334f) * r + 0.041666668f) * r + 0.16666667f) * r + 0.5f) * r + 1.0f);
}

/* 2 to the power of n, between the exponents of normal numbers. */
static float layer_norm_power(int n)
{
    union {
        uint32_t bits;
        float number;
    } power;
    power.bits = (uint32_t)(n + 127) << 23;
    return power.number;
}

/* exp(x) for x up to zero. */
static float layer_norm_exp_negative(float x)
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
    e = layer_norm_split(x, &n);
    scale = layer_norm_power(n);
    return e * scale + scale;
}

static float layer_norm_tanh(float x)
{
    /* 2 n d / (d d + n n), where n / d is the hyperbolic tangent of x / 2; beyond 8 it is 1. */
    float square = x * x;
    float n = x * ((0.030028518f * square + 14.704121f) * square + 544.1615f);
    float d = (1.0f * square + 120.100624f) * square + 1088.3231f;
    float sum = d * d + n * n;
    if (sum > 331184740.0f) {
        return x < 0.0f ? -1.0f : 1.0f;
    }
    return 2.0f * n * d / sum;
}

static void layer_norm_softmax(size_t size, float *x)
{
    size_t i;
    float largest = x[0];
    float sum = 0.0f;
    for (i = 1; i < size; i++) {
        largest = x[i] > largest ? x[i] : largest;
    }
    for (i = 0; i < size; i++) {
        x[i] = layer_norm_exp_negative(x[i] - largest);
        sum += x[i];
    }
    for (i = 0; i < size; i++) {
        x[i] = x[i] / sum;
    }
}

/* 1 / root(x) for x from zero up: an estimate from the exponent, halved, and steps of Newton's. */
static float layer_norm_reciprocal_root(float x)
{
    union {
        float number;
        uint32_t bits;
    } estimate;
    int step;
    float y;
    float scale = 1.0f;
    if (!(x > 0.0f) || x > 3.4028235e38f) {
        return 1.0f / x;
    }
    if (x < 1.1754944e-38f) {
        /* The exponent of a number below that tells nothing. */
        x = x * 16777216.0f;
        scale = 4096.0f;
    }
    estimate.number = x;
    estimate.bits = UINT32_C(0x5f375a86) - (estimate.bits >> 1);
    y = estimate.number;
    for (step = 0; step < 3; step++) {
        y = y * (1.5f - 0.5f * (x * y) * y);
    }
    return y * scale;
}

/* The numbers of a sample with mean 0 and deviation 1, and then with a gain and a bias. */
static void layer_norm_normalize(const float *weight, const float *bias, float epsilon, size_t size, float *x)
{
    size_t i;
    float mean = 0.0f;
    float squares = 0.0f;
    float reciprocal;
    for (i = 0; i < size; i++) {
        mean += x[i];
    }
    mean /= (float)size;
    for (i = 0; i < size; i++) {
        squares += (x[i] - mean) * (x[i] - mean);
    }
    reciprocal = layer_norm_reciprocal_root(squares / (float)size + epsilon);
    for (i = 0; i < size; i++) {
        x[i] = (x[i] - mean) * reciprocal * weight[i] + bias[i];
    }
}
#ifdef __cplusplus
extern "C" {
#endif

void layer_norm_predict(const float input[4], float output[3])
{
    size_t i;
    float a[16];
    float b[16];
    float kept_0[16];
    layer_norm_dense(layer_norm_weight_1, layer_norm_bias_1, 4, 16, input, a);
    for (i = 0; i < 16; i++) {
        kept_0[i] = a[i];
    }
    layer_norm_normalize(layer_norm_weight_4, layer_norm_bias_4, 1e-5f, 16, a);
    layer_norm_dense(layer_norm_weight_5, layer_norm_bias_5, 16, 16, a, b);
    for (i = 0; i < 16; i++) {
        b[i] = layer_norm_tanh(b[i]);
    }
    for (i = 0; i < 16; i++) {
        b[i] += kept_0[i];
    }
    layer_norm_dense(layer_norm_weight_8, layer_norm_bias_8, 16, 3, b, output);
    layer_norm_softmax(3, output);
}

#ifdef __cplusplus
}
#endif

#if defined LAYER_NORM_SELF_TEST || defined LAYER_NORM_MAIN

#ifdef __cplusplus
extern "C" {
#endif

int layer_norm_self_test(void);

#ifdef __cplusplus
}
#endif

static const float layer_norm_inputs[3][4] = {
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

static const float layer_norm_outputs[3][3] = {
    {
        6.17826e-8f, 5.7403893e-5f, 0.9999424f,
    },
    {
        0.00013960856f, 0.9995975f, 0.0002629244f,
    },
    {
        0.00020084812f, 0.69579667f, 0.3040025f,
    },
};

static const float layer_norm_tolerances[3][3] = {
    {
        3.8e-6f, 3.8e-6f, 3.8e-6f,
    },
    {
        3.8e-6f, 3.8e-6f, 3.9e-6f,
    },
    {
        3.8e-6f, 3.5e-5f, 3.4e-5f,
    },
};

int layer_norm_self_test(void)
{
    int wrong = 0;
    size_t sample;
    size_t i;
    for (sample = 0; sample < 3; sample++) {
        float found[3];
        layer_norm_predict(layer_norm_inputs[sample], found);
        for (i = 0; i < 3; i++) {
            float error = found[i] - layer_norm_outputs[sample][i];
            /* Not the other way round: NaN is wrong. */
            if (!(error <= layer_norm_tolerances[sample][i] && error >= -layer_norm_tolerances[sample][i])) {
                wrong++;
            }
        }
    }
    return wrong;
}

#endif

#ifdef LAYER_NORM_MAIN

int main(void)
{
    return layer_norm_self_test() > 0;
}

#endif
