"""Trains a network on handwritten digits in PyTorch, and writes what the example pytorch_to_flash reads: its weights, and
what it answers to the images that it has not seen.

    pip install torch safetensors numpy
    python examples/data/pytorch_to_flash.py
"""

import pathlib

import numpy
import torch
from safetensors.torch import save_file
from torch import nn

HERE = pathlib.Path(__file__).resolve().parent
torch.manual_seed(0)
torch.set_num_threads(1)

table = torch.tensor(numpy.loadtxt(HERE / "digits.csv", delimiter=",", skiprows=1), dtype=torch.float32)
images, labels = table[:, :64] / 16, table[:, 64].long()
# Every fifth image is for the test.
test = torch.arange(len(table)) % 5 == 0

network = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.BatchNorm1d(32), nn.Dropout(0.1), nn.Linear(32, 10))
optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 30)
for epoch in range(30):
    network.train()
    for batch in torch.randperm(int((~test).sum())).split(32):
        loss = nn.functional.cross_entropy(network(images[~test][batch]), labels[~test][batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    schedule.step()

network.eval()
save_file(network.state_dict(), HERE / "pytorch_to_flash.safetensors")
with torch.no_grad():
    answers = network(images[test]).softmax(1)
print(f"test accuracy {(answers.argmax(1) == labels[test]).float().mean():.3f}")
with open(HERE / "pytorch_to_flash.csv", "w") as file:
    file.write("image," + ",".join(f"probability_{digit}" for digit in range(10)) + "\n")
    # A part of them is enough to compare.
    for image, answer in list(zip(test.nonzero()[:, 0].tolist(), answers.tolist()))[:60]:
        file.write(f"{image}," + ",".join(f"{probability:.9g}" for probability in answer) + "\n")
