"""Writes iris.csv and digits.csv beside this file, from the copies in scikit-learn's package.

    pip install scikit-learn
    python examples/data/make.py
"""

from pathlib import Path

from sklearn.datasets import load_digits, load_iris


def write(name, columns, samples, classes):
    rows = [",".join(columns)]
    for sample, label in zip(samples, classes):
        rows.append(",".join([f"{value:g}" for value in sample] + [str(label)]))
    path = Path(__file__).with_name(name)
    path.write_text("\n".join(rows) + "\n", encoding="utf-8", newline="\n")
    print(f"{path.name}: {len(samples)} samples")


iris = load_iris()
columns = [name.removesuffix(" (cm)").replace(" ", "_") + "_cm" for name in iris.feature_names]
write("iris.csv", columns + ["class"], iris.data, iris.target)

digits = load_digits()
columns = [f"pixel_{row}_{column}" for row in range(8) for column in range(8)]
write("digits.csv", columns + ["label"], digits.data, digits.target)
