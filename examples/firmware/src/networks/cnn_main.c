
int main(void)
{
    float output[10];
    int wrong = 0;
    for (int sample = 0; sample < 2; sample++) {
        cnn_predict(inputs + 64 * sample, output);
        for (int o = 0; o < 10; o++) {
            const float difference = output[o] - outputs[10 * sample + o];
            wrong += difference > 1e-4f || difference < -1e-4f;
        }
    }
    return wrong;
}
