/* Answers samples that come in bytes, for tests/export.rs. Compiled with -DNETWORK_FILE="..." -DREAL=... . */
#include NETWORK_FILE
#include <stdio.h>
#include <string.h>

int main(void)
{
    REAL input[NET_INPUTS];
    REAL output[NET_OUTPUTS];
    REAL same[NET_INPUTS > NET_OUTPUTS ? NET_INPUTS : NET_OUTPUTS];
    if (net_self_test() != 0) {
        return 2;
    }
    while (fread(input, sizeof input[0], NET_INPUTS, stdin) == NET_INPUTS) {
        memcpy(same, input, sizeof input);
        net_predict(input, output);
#if !defined NET_STEPS || NET_OUTPUTS_OF_STEP == NET_OUTPUTS
        /* What has outputs for each step may not write to its inputs. */
        net_predict(same, same);
        if (memcmp(same, output, sizeof output) != 0) {
            return 3;
        }
#endif
        fwrite(output, sizeof output[0], NET_OUTPUTS, stdout);
    }
    return 0;
}
