"""Writes mnist1d.bin beside this file: MNIST-1D as its authors' package generates it, rounded to bytes.

    pip install mnist1d==0.0.2.post1
    python examples/data/make_mnist1d.py

The file has 5,000 samples of 41 bytes, of which the last 1,000 are for testing: the class, then 40 values as signed bytes,
in units of 1 / 23. Nothing is downloaded.
"""

from pathlib import Path

import numpy as np
from mnist1d.data import get_dataset_args, make_dataset

UNITS = 23

data = make_dataset(get_dataset_args())
inputs = np.concatenate([data["x"], data["x_test"]])
classes = np.concatenate([data["y"], data["y_test"]])
rounded = np.rint(UNITS * inputs)
assert inputs.shape == (5000, 40) and np.abs(rounded).max() <= 127
samples = np.concatenate([classes[:, None].astype(np.int8), rounded.astype(np.int8)], axis=1)
path = Path(__file__).with_name("mnist1d.bin")
path.write_bytes(samples.tobytes())
print(f"{path.name}: {len(samples)} samples")
