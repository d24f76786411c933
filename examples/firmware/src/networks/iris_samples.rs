// a flower of each kind that the network was not trained on, by the example `flash`.
[
    ([5.1, 3.8, 1.5, 0.3], 0),
    ([5.5, 2.6, 4.4, 1.2], 1),
    ([7.7, 2.8, 6.7, 2.0], 2),
]
