"""The random bits of an update: uniform, and uncorrelated along rows, columns and steps (docs/substrate.md 6)."""

import numpy as np

from neurosim.rng import column_words, fold_array, key, sample_order, words


def lanes(row_words, n_columns, lane=0):
    """Lane values of every (row word, column): uint16[len(row_words), n_columns]."""
    xor, multiply = column_words(n_columns)
    part = ((row_words >> np.uint64(16 * lane)) & np.uint64(0xFFFF)).astype(np.uint16)
    return (part[:, None] ^ xor[lane]) * multiply[lane]


def test_every_column_maps_the_16_bits_one_to_one():
    values = lanes(np.arange(65536, dtype=np.uint64), 64)
    for column in values.T:
        assert len(np.unique(column)) == 65536


def test_columns_are_nearly_uncorrelated():
    values = lanes(np.arange(65536, dtype=np.uint64), 200).astype(float)
    correlation = np.corrcoef(values.T)
    off = np.abs(correlation[~np.eye(200, dtype=bool)])
    assert off.max() < 0.3
    assert np.sqrt((off**2).mean()) < 0.01


def test_rows_and_steps_are_uncorrelated_and_uniform():
    n = 4000
    by_row = lanes(words(7, 4, 0, 3, n), 50).astype(float) / 65536
    keys = np.array([key(7, 4, 0, step) for step in range(n)], np.uint64)
    by_step = lanes(np.array([fold_array(int(k), np.array([5]))[0] for k in keys], np.uint64), 50).astype(float) / 65536
    for values in (by_row, by_step):
        assert np.abs(values.mean(axis=0) - 0.5).max() < 5 * np.sqrt(1 / 12 / n)
        assert np.abs(values.var(axis=0) - 1 / 12).max() < 0.01
        for lag in (1, 2, 7):
            a, b = values[:-lag], values[lag:]
            per_column = [np.corrcoef(a[:, j], b[:, j])[0, 1] for j in range(50)]
            assert np.abs(per_column).max() < 5 / np.sqrt(n)


def test_orders_are_permutations_that_differ_by_epoch_and_seed():
    orders = [sample_order(seed, epoch, 100).tolist() for seed in (0, 1) for epoch in (0, 1)]
    assert all(sorted(order) == list(range(100)) for order in orders)
    assert len({tuple(order) for order in orders}) == 4
