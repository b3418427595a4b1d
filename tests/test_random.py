"""The random bits of an update: uniform, and uncorrelated along rows, columns and steps (docs/substrate.md 6)."""

import numpy as np
import pytest

from neurosim.rng import fold_array, key, sample_order, words


def values(row_words, columns, width=16):
    """start + step * column of every row word and column, modulo 2**width (16 or 32), over 2**width: float64."""
    mask = np.uint64((1 << width) - 1)
    start, step = row_words & mask, (row_words >> np.uint64(32)) & mask
    found = (start[:, None] + step[:, None] * np.asarray(columns, np.uint64)) & mask
    return found.astype(float) / 2.0**width


def correlation_of_columns(distance, width):
    """In theory: two columns agree in the lowest t bits and are independent in the others, 2**t dividing the distance."""
    t = min(width, (distance & -distance).bit_length() - 1)
    return (4**t - 1) / (4**width - 1)


def test_theory_by_counting_all_starts_and_steps():
    width, n = 5, 32
    start, step = np.meshgrid(np.arange(n), np.arange(n))
    for distance in range(1, 40):
        a, b = start.ravel(), ((start + step * distance) % n).ravel()
        assert np.corrcoef(a, b)[0, 1] == pytest.approx(correlation_of_columns(distance, width), abs=1e-12)


@pytest.mark.parametrize("width", [16, 32])
def test_columns_are_uncorrelated_as_theory_says(width):
    n = 20_000
    far = [0, 1, 2, 3, 7, 64, 100, 1023, 1024, 4096, 8191]
    found = np.corrcoef(values(words(3, 4, 0, 0, n), far, width).T)
    for i in range(len(far)):
        for j in range(i):
            expected = correlation_of_columns(far[i] - far[j], width)
            assert expected < 0.004
            assert abs(found[i, j] - expected) < 5 / np.sqrt(n)


def test_no_pair_of_8192_columns_is_correlated_by_more_than_one_in_250():
    assert max(correlation_of_columns(distance, 16) for distance in range(1, 8192)) < 1 / 250


def test_rows_and_steps_are_uncorrelated_and_uniform():
    n = 4000
    by_row = values(words(7, 4, 0, 3, n), range(50))
    keys = np.array([key(7, 4, 0, step) for step in range(n)], np.uint64)
    by_step = values(np.array([fold_array(int(k), np.array([5]))[0] for k in keys], np.uint64), range(50))
    for found in (by_row, by_step):
        assert np.abs(found.mean(axis=0) - 0.5).max() < 5 * np.sqrt(1 / 12 / n)
        assert np.abs(found.var(axis=0) - 1 / 12).max() < 0.01
        for lag in (1, 2, 7):
            a, b = found[:-lag], found[lag:]
            per_column = [np.corrcoef(a[:, j], b[:, j])[0, 1] for j in range(50)]
            assert np.abs(per_column).max() < 5 / np.sqrt(n)


def test_orders_are_permutations_that_differ_by_epoch_and_seed():
    orders = [sample_order(seed, epoch, 100).tolist() for seed in (0, 1) for epoch in (0, 1)]
    assert all(sorted(order) == list(range(100)) for order in orders)
    assert len({tuple(order) for order in orders}) == 4
