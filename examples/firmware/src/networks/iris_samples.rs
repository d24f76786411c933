// a flower of each of two kinds that the network was not trained on, by the example `flash`.
[
    ([5.1, 3.8, 1.5, 0.3], 0),
    ([5.5, 2.6, 4.4, 1.2], 1),
]
