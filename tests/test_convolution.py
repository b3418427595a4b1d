"""Convolution and pooling in float32 against plain loops, against each other (adjoints), and against PyTorch.

Values are small whole numbers, so that every sum is exact in float32 and equality is equality.
"""

import numpy as np
import pytest

from neurosim.errors import NeurosimError
from neurosim.floats.convolution import FEW, convolve, max_pool, transposed, unpool, weight_gradient

# (samples, height, width, channels in, channels out, kernel)
SHAPES = [
    (2, 8, 8, 16, 16, 3),
    (3, 7, 5, 3, 20, 5),
    (2, 9, 6, FEW, 33, 3),
    (1, 6, 11, FEW + 3, 10, 5),
    (2, 5, 8, 1, 1, 2),
    (2, 6, 7, 17, 6, 4),
    (1, 4, 3, 2, 64, 1),
    (2, 3, 2, 18, 5, 5),  # a kernel larger than the map
    (1, 1, 1, 20, 4, 3),
    (1, 2, 40, 4, 16, 2),
    (1, 40, 37, 16, 3, 7),
    (0, 4, 4, 16, 3, 3),
]


def cases():
    return [
        (*shape, padding)
        for shape in SHAPES
        for padding in ("same", "valid")
        if padding == "same" or shape[5] <= min(shape[1:3])
    ]


def whole(shape, seed):
    return np.random.default_rng(seed).integers(-4, 5, shape).astype(np.float32)


def arrays(n, height, width, c_in, c_out, kernel, padding):
    lost = kernel - 1 if padding == "valid" else 0
    x, w = whole((n, height, width, c_in), 1), whole((kernel * kernel * c_in, c_out), 2)
    return x, w, whole((n, height - lost, width - lost, c_out), 3)


def triples(x, r, kernel, padding):
    """Of each place of r and of the kernel with something on the map: (place of x, row of weights, place of r)."""
    before = (kernel - 1) // 2 if padding == "same" else 0
    c_in = x.shape[3]
    for y in range(r.shape[1]):
        for u in range(r.shape[2]):
            for dy in range(kernel):
                for dx in range(kernel):
                    v, h = y + dy - before, u + dx - before
                    if 0 <= v < x.shape[1] and 0 <= h < x.shape[2]:
                        yield (
                            (slice(None), v, h),
                            slice((dy * kernel + dx) * c_in, (dy * kernel + dx + 1) * c_in),
                            (slice(None), y, u),
                        )


@pytest.mark.parametrize("case", cases())
def test_sums_are_those_of_plain_loops(case):
    x, w, r = arrays(*case)
    kernel, padding = case[5:]
    sums, below, gradient = np.zeros(r.shape), np.zeros(x.shape), np.zeros(w.shape)
    for at, row, to in triples(x, r, kernel, padding):
        sums[to] += x[at] @ w[row]
        below[at] += r[to] @ w[row].T
        gradient[row] += x[at].T @ r[to]
    np.testing.assert_array_equal(convolve(x, w, kernel, padding), sums)
    np.testing.assert_array_equal(transposed(r, w, kernel, padding, x.shape), below)
    np.testing.assert_array_equal(weight_gradient(x, r, kernel, padding), gradient)


@pytest.mark.parametrize("case", cases())
def test_adjoints(case):
    # <conv(x, w), r> = <x, transposed(r, w)> = <w, gradient(x, r)>: it is linear in each.
    x, w, r = arrays(*case)
    kernel, padding = case[5:]
    expected = np.vdot(convolve(x, w, kernel, padding).astype(np.float64), r)
    assert np.vdot(x.astype(np.float64), transposed(r, w, kernel, padding, x.shape)) == expected
    assert np.vdot(w.astype(np.float64), weight_gradient(x, r, kernel, padding)) == expected


@pytest.mark.parametrize("padding", ["same", "valid"])
def test_a_kernel_of_1_is_a_matrix_product(padding):
    x, w, r = arrays(3, 5, 4, 21, 18, 1, padding)
    np.testing.assert_array_equal(convolve(x, w, 1, padding), x @ w)
    np.testing.assert_array_equal(transposed(r, w, 1, padding, x.shape), r @ w.T)
    np.testing.assert_array_equal(weight_gradient(x, r, 1, padding), x.reshape(-1, 21).T @ r.reshape(-1, 18))


@pytest.mark.parametrize("c_in", [3, 24])
def test_a_sample_does_not_depend_on_its_company(c_in):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((4, 9, 9, c_in)).astype(np.float32)
    w = rng.standard_normal((25 * c_in, 20)).astype(np.float32)
    together = convolve(x, w, 5, "same")
    for i in range(4):
        np.testing.assert_array_equal(convolve(x[i : i + 1], w, 5, "same")[0], together[i])


def test_results_go_where_they_are_told():
    x, w, r = arrays(2, 8, 8, 16, 16, 3, "same")
    sums, below, gradient = (np.full(shape, np.nan, np.float32) for shape in (r.shape, x.shape, w.shape))
    assert convolve(x, w, 3, "same", out=sums) is sums
    assert transposed(r, w, 3, "same", x.shape, out=below) is below
    assert weight_gradient(x, r, 3, "same", out=gradient) is gradient
    np.testing.assert_array_equal(sums, convolve(x, w, 3, "same"))
    np.testing.assert_array_equal(below, transposed(r, w, 3, "same", x.shape))
    np.testing.assert_array_equal(gradient, weight_gradient(x, r, 3, "same"))


def test_arrays_may_lie_as_they_like():
    x, w, _ = arrays(4, 8, 8, 32, 16, 3, "same")
    np.testing.assert_array_equal(
        convolve(x[::2, :, :, ::2], w[: 9 * 16], 3, "same"), convolve(x[::2, :, :, ::2].copy(), w[: 9 * 16], 3, "same")
    )
    np.testing.assert_array_equal(convolve(x.astype(np.float64), w, 3, "same"), convolve(x, w, 3, "same"))


def test_refusals():
    x, w, _ = arrays(1, 4, 4, 2, 3, 3, "same")
    x[0, 3, 3] = 9
    with pytest.raises(NeurosimError, match="padding='full': must be one of same, valid"):
        convolve(x, w, 3, "full")
    with pytest.raises(NeurosimError, match="kernel=5: must be at most the map's 4"):
        convolve(x, whole((50, 3), 0), 5, "valid")
    with pytest.raises(NeurosimError, match="size=5: must be at most the map's 4"):
        max_pool(x, 5, 1, "valid")
    with pytest.raises(NeurosimError, match="r: its shape is"):
        transposed(x, w, 3, "same", (1, 5, 4, 2))
    with pytest.raises(NeurosimError, match="r: its shape is"):
        weight_gradient(x, x, 3, "valid")
    with pytest.raises(NeurosimError, match="winners=0…15: must be 0…8"):
        unpool(*max_pool(x, 1, 1, "same"), (1, 3, 3, 2))
    with pytest.raises(NeurosimError, match="must be contiguous float32"):
        convolve(x, w, 3, "same", out=np.empty((1, 4, 4, 3)))


# ---------------------------------------------------------------------- pooling

POOLS = [(2, 2), (3, 2), (3, 3), (2, 3), (1, 1), (4, 1), (5, 2)]


def windows(extent, size, stride, padding):
    """The places of each window along one axis, those beyond the edge left out."""
    if padding == "valid":
        return [range(start, start + size) for start in range(0, extent - size + 1, stride)]
    count = -(-extent // stride)
    before = max((count - 1) * stride + size - extent, 0) // 2
    return [range(max(v * stride - before, 0), min(v * stride - before + size, extent)) for v in range(count)]


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize(("size", "stride"), POOLS)
@pytest.mark.parametrize(("height", "width"), [(8, 8), (7, 6), (5, 9)])
def test_pooling_is_that_of_plain_loops(height, width, size, stride, padding):
    x = whole((2, height, width, 3), 4) - 9  # all below zero, so that a pad of zero would win; many ties
    largest, winners = max_pool(x, size, stride, padding)
    down, across = (windows(extent, size, stride, padding) for extent in (height, width))
    assert largest.shape == winners.shape == (2, len(down), len(across), 3)
    j = whole(largest.shape, 5)
    expected = np.zeros(x.shape)
    for i, v, u, c in np.ndindex(largest.shape):
        places = [(y, z) for y in down[v] for z in across[u]]
        y, z = max(places, key=lambda at: x[i, at[0], at[1], c])  # the first of the largest
        assert largest[i, v, u, c] == x[i, y, z, c]
        assert winners[i, v, u, c] == y * width + z
        expected[i, y, z, c] += j[i, v, u, c]
    np.testing.assert_array_equal(unpool(j, winners, x.shape), expected)


def test_of_equals_the_first_wins():
    x = np.zeros((1, 4, 4, 5), np.float32)
    largest, winners = max_pool(x, 3, 2, "same")
    assert not largest.any()
    np.testing.assert_array_equal(winners[0, :, :, 0], [[0, 2], [8, 10]])


def test_no_samples_are_no_trouble():
    largest, winners = max_pool(np.zeros((0, 4, 4, 2), np.float32), 2, 2, "same")
    assert unpool(largest, winners, (0, 4, 4, 2)).shape == (0, 4, 4, 2)


def test_unpooling_is_the_adjoint_of_choosing_winners():
    x = whole((2, 9, 7, 4), 6)
    largest, winners = max_pool(x, 3, 2, "same")
    j = whole(largest.shape, 7)
    assert np.vdot(unpool(j, winners, x.shape), x) == np.vdot(j, largest)


# ---------------------------------------------------------------------- PyTorch


@pytest.mark.parametrize("case", [case for case in cases() if case[0]])
def test_agrees_with_pytorch(case):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: make bench says how")
    c_in, c_out, kernel, padding = case[3:]
    rng = np.random.default_rng(8)
    x, w, r = (rng.standard_normal(each.shape).astype(np.float32) for each in arrays(*case))
    y = torch.tensor(x).permute(0, 3, 1, 2).requires_grad_()
    v = torch.tensor(w).reshape(kernel, kernel, c_in, c_out).permute(3, 2, 0, 1).requires_grad_()
    before = (kernel - 1) // 2
    padded = torch.nn.functional.pad(y, (before, kernel - 1 - before) * 2) if padding == "same" else y
    sums = torch.nn.functional.conv2d(padded, v)
    sums.backward(torch.tensor(r).permute(0, 3, 1, 2))
    near = {"rtol": 1e-4, "atol": 1e-4}
    np.testing.assert_allclose(convolve(x, w, kernel, padding), sums.detach().permute(0, 2, 3, 1), **near)
    np.testing.assert_allclose(transposed(r, w, kernel, padding, x.shape), y.grad.permute(0, 2, 3, 1), **near)
    np.testing.assert_allclose(
        weight_gradient(x, r, kernel, padding), v.grad.permute(2, 3, 1, 0).reshape(w.shape), **near
    )


def test_pooling_agrees_with_pytorch():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: make bench says how")
    x = np.random.default_rng(9).standard_normal((2, 32, 32, 8)).astype(np.float32)
    largest, winners = max_pool(x, 3, 2, "same")
    theirs, at = torch.nn.functional.max_pool2d(
        torch.tensor(x).permute(0, 3, 1, 2), 3, 2, ceil_mode=True, return_indices=True
    )
    np.testing.assert_array_equal(largest, theirs.permute(0, 2, 3, 1))
    np.testing.assert_array_equal(winners, at.permute(0, 2, 3, 1))
