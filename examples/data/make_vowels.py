"""Writes japanese_vowels.bin beside this file, from the copy in the package aeon, rounded to bytes.

    pip download --no-deps aeon
    python examples/data/make_vowels.py aeon-*.whl

The file has one sequence after the other, first the 270 for training, then the 370 for testing: the speaker, the number of
steps, and 12 values for each step as signed bytes, in units of 1 / 48.
"""

import sys
import zipfile
from pathlib import Path

UNITS = 48

written = bytearray()
with zipfile.ZipFile(sys.argv[1]) as wheel:
    for part in ["TRAIN", "TEST"]:
        text = wheel.read(f"aeon/datasets/data/JapaneseVowels/JapaneseVowels_{part}.ts").decode()
        for line in text.split("@data")[1].split():
            *features, speaker = line.split(":")
            steps = list(zip(*[[float(value) for value in feature.split(",")] for feature in features], strict=True))
            written += bytes([int(speaker) - 1, len(steps)])
            for step in steps:
                assert len(step) == 12
                written += b"".join(round(UNITS * value).to_bytes(1, signed=True) for value in step)
path = Path(__file__).with_name("japanese_vowels.bin")
path.write_bytes(written)
print(f"{path.name}: {len(written)} bytes")
