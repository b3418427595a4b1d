"""From a network's description to the registers, tables and memories that the kernels run (docs/substrate.md).

This is where words become shifts, where the proofs are made that nothing can overflow, and where a description that the
hardware could not hold has been refused by `spec`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurosim.chip.channel import refuse_off_chip
from neurosim.chip.crossbar import deviates, redrawn
from neurosim.chip.layers import OUTPUT
from neurosim.chip.maps import MapCompiler, padded, turn, turned_rows
from neurosim.chip.spec import PRODUCT_WORD, NetworkSpec
from neurosim.chip.tables import neuron_table, softmax_table
from neurosim.errors import NeurosimError
from neurosim.formats import Quantiser, check
from neurosim.rng import (
    STREAM_BLANK_OUT,
    STREAM_DROPOUT,
    STREAM_FEEDBACK_UPDATE,
    STREAM_WEIGHT_UPDATE,
    STREAM_WEIGHTS,
    layer_key,
    words,
)

_INT16 = 1 << 15
_INT32 = 1 << 31
_INT64 = 1 << 62


@dataclass
class Sizes:
    """First indices and sizes of a network's rows in the flat arrays."""

    event: int = 0
    code: int = 0
    code_event: int = 0
    unit_event: int = 0
    unit_code: int = 0
    narrow: int = 0
    wide: int = 0
    stride: int = 32
    rows: int = 1
    product: int = 32
    tables: int = 0
    sums: int = 64


def _fits_32(largest: int, shift: int) -> bool:
    """Whether sums up to `largest` can be rounded by `shift` in 32-bit lanes."""
    return shift <= 30 and (largest << max(0, -shift)) + (1 << max(0, shift)) < _INT32


class Compiler:
    """Lays a network out into registers, tables and memories.

    After `compile`: chip, layers (registers), tables, levels, sizes; `fill` draws the initial weights and crossbars.
    """

    def __init__(self, spec: NetworkSpec) -> None:
        from neurosim.kernels.registers import CHIP, LAYER

        refuse_off_chip(spec.channel)
        check("layer.activation", spec.layers[-1].activation, OUTPUT)
        self.spec = spec
        self._chip_names, self._layer_names = CHIP, LAYER
        self.chip = np.zeros(len(CHIP), np.int64)
        self.layers = np.zeros((len(spec.layers), len(LAYER)), np.int64)
        self.sizes = Sizes()
        self.maps = MapCompiler(spec)
        self._tables: list[NDArray[np.int32]] = []
        self._table_at: dict[Any, int] = {}
        self._levels: list[int] = []
        self._compile_chip()
        for layer in range(len(spec.layers)):
            self._place_layer(layer)
            self._set(layer, **self._forward_registers(layer), **self._update_registers(layer))
        if spec.receives:
            for layer in range(spec.last):
                self._set(layer, **self._feedback_registers(layer))
        self._update_at = len(self._levels)
        if spec.channel.update is not None:
            self.set_rate(0)

    @cached_property
    def tables(self) -> NDArray[np.int32]:
        """All tables one behind the other."""
        return np.concatenate(self._tables) if self._tables else np.zeros(1, np.int32)

    @property
    def levels(self) -> NDArray[np.int64]:
        """Thresholds and decoded values of all quantisers."""
        return np.array(self._levels or [0], np.int64)

    def register(self, layer: int, name: str) -> int:
        """One register of a layer."""
        return int(self.layers[layer, self._layer_names[name]])

    def _set(self, layer: int, **values: int) -> None:
        for name, value in values.items():
            self.layers[layer, self._layer_names[name]] = value

    def _table(self, key: Any, make: Any) -> int:
        if key not in self._table_at:
            self._table_at[key] = self.sizes.tables
            self._tables.append(make())
            self.sizes.tables += len(self._tables[-1])
        return self._table_at[key]

    def _quantiser(self, values: list[int]) -> int:
        at = len(self._levels)
        self._levels.extend(values)
        return at

    def _compile_chip(self) -> None:
        from neurosim.kernels.registers import ROUNDING, ROUTE

        spec, channel, received = self.spec, self.spec.channel, self.spec.received
        values = {
            "layers": len(spec.layers),
            "route": ROUTE[channel.route],
            "error_shift": spec.output(spec.last).frac - received.frac,
            "received_low": received.low,
            "received_high": received.high,
            "received_max": received.max_abs,
            "received_round": ROUNDING[received.rounding],
            "target_high": spec.targets[0],
            "source": channel.quantises_at_source,
            "received": "received" in channel.place,
            "local": "local" in channel.place,
            "top_quantised": channel.top == "quantised",
            "dropout": channel.dropout_limit,
            "upper_derivatives": channel.upper_derivatives or channel.route != "layered",
        }
        if channel.error is not None and channel.quantises_at_source:
            values["always_sent"] = channel.error.zero == "code"
            values["levels"] = channel.error.n_levels
            values["decode"] = self._quantiser(channel.error.decoded_in(received.frac))
        for place, quantiser in (("received", channel.received_error), ("local", channel.local_error)):
            values[f"{place}_threshold"] = self._quantiser(quantiser.thresholds_in(received.frac))
            values[f"{place}_decode"] = self._quantiser(quantiser.decoded_in(received.frac))
            values[f"{place}_levels"] = quantiser.n_levels
            values[f"{place}_alpha"] = quantiser.alpha_in(received.frac)
        for name, value in values.items():
            self.chip[self._chip_names[name]] = value

    def _place_layer(self, layer: int) -> None:
        spec, sizes = self.spec, self.sizes
        n, rows, stride = spec.n_out(layer), spec.rows(layer), padded(spec.layers[layer].columns)
        wide = spec.layers[layer].weight.bits > 8
        self._set(
            layer,
            n_in=spec.n_in(layer),
            rows=rows,
            n_out=n,
            stride=stride,
            wide_weight=wide,
            weight=sizes.wide if wide else sizes.narrow,
            event=sizes.event,
            code=sizes.code,
            code_event=sizes.code_event,
            unit_event=sizes.unit_event,
            unit_code=sizes.unit_code,
        )
        self._reserve(rows * stride, wide=wide)
        is_map = layer < spec.convolutions
        sizes.event += spec.units(layer) + 2
        sizes.code += padded(n) + 32 * is_map
        sizes.code_event += n + 1
        sizes.unit_event += spec.units(layer)
        sizes.unit_code += spec.n_neurons(layer)
        sizes.sums = max(sizes.sums, padded(n) + 64, stride)
        if is_map:
            return
        sizes.stride = max(sizes.stride, stride)
        sizes.rows = max(sizes.rows, rows, n)

    def _reserve(self, n: int, *, wide: bool) -> None:
        if wide:
            self.sizes.wide += n
        else:
            self.sizes.narrow += n

    def _forward_registers(self, layer: int) -> dict[str, int]:
        from neurosim.kernels.registers import ROUNDING

        spec, described = self.spec, self.spec.layers[layer]
        weight, code, address, output = (
            described.weight,
            spec.presynaptic(layer),
            spec.address(layer),
            spec.output(layer),
        )
        is_softmax = described.activation == "softmax"
        largest = spec.rows(layer) * weight.max_abs * code.max_abs
        if is_softmax:
            table = self._table(("softmax", address.frac), lambda: softmax_table(address))
        else:
            kind, window = spec.channel.derivative, spec.channel.window
            key = (described.activation, address, output, kind, window)
            table = self._table(key, lambda: neuron_table(described.activation, address, output, kind, window))
        return {
            "weight_low": weight.low,
            "weight_high": weight.high,
            "sum_wide": largest >= _INT32 or code.max_abs >= _INT16,
            "bias_code": code.one if described.bias else 0,
            "blank_out": described.blank_out,
            "blank_out_key": layer_key(spec.seed, STREAM_BLANK_OUT, layer),
            "frozen": described.frozen,
            "code_max": code.max_abs,
            "address_narrow": address.rounding == "nearest"
            and code.max_abs < _INT16
            and _fits_32(largest, weight.frac + code.frac - address.frac),
            "address_shift": weight.frac + code.frac - address.frac,
            "address_round": ROUNDING[address.rounding],
            "address_low": address.low,
            "address_high": address.high,
            "table": table,
            "softmax": is_softmax,
            "softmax_bits": address.frac,
            "output_high": output.high,
            "output_bits": output.bits,
        }

    def _update_registers(self, layer: int) -> dict[str, int]:
        from neurosim.kernels.registers import ROUNDING

        spec, weight = self.spec, self.spec.layers[layer].weight
        exact_top = layer == spec.last and spec.channel.top == "exact"
        signal_frac = spec.output(layer).frac if exact_top else spec.received.frac
        registers = {
            "update_shift": spec.presynaptic(layer).frac + signal_frac - weight.frac,
            "update_round": ROUNDING[weight.rounding],
            "update_key": layer_key(spec.seed, STREAM_WEIGHT_UPDATE, layer),
        }
        error = spec.channel.error
        if layer in (*spec.senders, spec.last) and error is not None and spec.channel.quantises_at_source:
            frac = spec.output(layer).frac if layer == spec.last else spec.received.frac
            registers["source_threshold"] = self._quantiser(error.thresholds_in(frac))
            registers["source_alpha"] = error.alpha_in(frac)
        return registers

    def _feedback_registers(self, layer: int) -> dict[str, int]:
        from neurosim.kernels.registers import MATRIX, ROUNDING

        spec, channel, sizes = self.spec, self.spec.channel, self.sizes
        word = spec.feedback_word(layer)
        n_heard = spec.n_heard(layer)
        registers = {
            "matrix": MATRIX[channel.matrix],
            "received_shift": word.frac - channel.gain_of(layer, n_heard),
            "dropout_key": layer_key(spec.seed, STREAM_DROPOUT, layer),
            "adaptive": channel.adaptive is True,
            "feedback_key": layer_key(spec.seed, STREAM_FEEDBACK_UPDATE, layer),
            "feedback_low": word.low,
            "feedback_high": word.high,
            "feedback_round": ROUNDING[word.rounding],
            "feedback_update_shift": spec.received.frac + spec.output(layer).frac - word.frac,
        }
        largest = n_heard * word.max_abs * spec.received.max_abs
        registers["feedback_sum_wide"] = largest >= _INT32 or spec.received.max_abs >= _INT16
        registers["received_narrow"] = (
            spec.received.rounding == "nearest"
            and not {"received", "local"} & set(channel.place)
            and self.chip[self._chip_names["upper_derivatives"]] != 0
            and not registers["feedback_sum_wide"]
            and _fits_32(largest, registers["received_shift"])
        )
        if channel.matrix == "transpose" or (channel.matrix == "sign" and spec.shares_feedback(layer)):
            return registers
        wide = word.bits > 8
        rows, columns = spec.feedback_shape(layer)
        if spec.shares_feedback(layer):
            rows, columns = turned_rows(spec.geometry(layer + 1)), spec.geometry(layer + 1).inputs[2]
        registers |= {
            "feedback": sizes.wide if wide else sizes.narrow,
            "feedback_rows": rows,
            "feedback_stride": padded(columns),
            "feedback_wide": wide,
        }
        self._reserve(rows * padded(columns), wide=wide)
        if channel.adaptive:
            sizes.stride, sizes.rows = max(sizes.stride, padded(columns)), max(sizes.rows, rows)
        if channel.matrix == "product":
            sizes.product = max(sizes.product, spec.n_out(layer) * padded(n_heard))
            registers |= self._product_registers(layer)
        return registers

    def _product_registers(self, layer: int) -> dict[str, int]:
        """From the exact product of all weights above to SBP's word; refused where 64 bits do not hold it."""
        largest = self._largest_product(layer)
        if largest >= _INT64:
            msg = (
                f"layer {layer}: the exact product of the weights above needs {largest.bit_length() + 1} bits, and 63 are "
                f"there: use fewer layers, fewer neurons or narrower weights with matrix='product'"
            )
            raise NeurosimError(msg)
        return {
            "product_shift": sum(above.weight.frac for above in self.spec.layers[layer + 1 :]) - PRODUCT_WORD.frac,
            "product_narrow": largest < _INT32,
            "product_widens": layer > 0 and self._largest_product(layer - 1) >= _INT32,
        }

    def _largest_product(self, layer: int) -> int:
        """The largest |entry| that the product of the weights above a layer can have."""
        above = self.spec.layers[layer + 1 :]
        largest = above[-1].weight.max_abs
        for between in above[:-1]:
            largest *= between.columns * between.weight.max_abs
        return largest

    def targets(self) -> NDArray[np.int32]:
        """T of each class: int32[classes, classes]; with real targets every sample has a row of its own instead."""
        high, low = self.spec.targets
        n = self.spec.n_out(self.spec.last)
        return np.where(np.eye(n, dtype=bool), high, low).astype(np.int32)

    def set_rate(self, rate: int) -> NDArray[np.int64]:
        """Rebuild the update quantiser's levels for eta = 2**-rate; returns all levels."""
        spec, update = self.spec, self.spec.channel.update
        del self._levels[self._update_at :]
        if update is not None:
            for layer in range(len(spec.layers)):
                frac = rate + self.register(layer, "update_shift") + spec.layers[layer].weight.frac
                self._set(
                    layer,
                    update_levels=update.n_levels,
                    update_threshold=self._quantiser(update.thresholds_in(frac)),
                    update_decode=self._quantiser(update.decoded_in(frac)),
                )
        return self.levels

    def fill(self) -> tuple[NDArray[np.int8], NDArray[np.int8] | NDArray[np.int16]]:
        """The memories at birth: initial weights and crossbars, in rows padded with zeros."""
        spec = self.spec
        narrow = np.zeros(max(1, self.sizes.narrow), np.int8)
        wide = np.zeros(self.sizes.wide, np.int16) if self.sizes.wide else np.zeros(1, np.int8)
        for layer, described in enumerate(spec.layers):
            memory = wide if self.register(layer, "wide_weight") else narrow
            at, stride = self.register(layer, "weight"), self.register(layer, "stride")
            view = memory[at : at + spec.rows(layer) * stride].reshape(-1, stride)
            view[: spec.fan_in(layer), : described.columns] = initial_weights(spec, layer)
        self.draw_feedback(narrow, wide)
        return narrow, wide

    def draw_feedback(
        self, narrow: NDArray[np.int8], wide: NDArray[np.int8] | NDArray[np.int16], step: int | None = None
    ) -> None:
        """Write every random C into the memories: as it is born, or as it is drawn for a step."""
        spec = self.spec
        for layer in range(spec.last if spec.receives and spec.channel.matrix == "random" else 0):
            at, n = self.register(layer, "feedback"), self.register(layer, "feedback_rows")
            memory = wide if self.register(layer, "feedback_wide") else narrow
            stride = self.register(layer, "feedback_stride")
            found = drawn_feedback(spec, layer, step)
            if spec.shares_feedback(layer):
                found = turn(found, spec.geometry(layer + 1))
            memory[at : at + n * stride].reshape(-1, stride)[:, : found.shape[1]] = found


def drawn_feedback(spec: NetworkSpec, layer: int, step: int | None = None) -> NDArray[np.int64]:
    """A random C as it is born, or as it is drawn for a step: int64[*spec.feedback_shape(layer)] (docs/substrate.md 6 and 9)."""
    variant = 0 if step is None else redrawn(step)
    fans = spec.feedback_fans(layer)
    return spec.channel.feedback.draw(spec.seed, layer, *spec.feedback_shape(layer), variant=variant, fans=fans)


def initial_weights(spec: NetworkSpec, layer: int) -> NDArray[np.int64]:
    """Initial weights of one layer, without the bias row: int64[fan-in, columns] (docs/substrate.md 6)."""
    fan_in, described = spec.fan_in(layer), spec.layers[layer]
    columns = described.columns
    draws = words(spec.seed, STREAM_WEIGHTS, layer, 0, fan_in * columns).reshape(fan_in, columns)
    if described.weight.bits == 1:
        return 1 - 2 * (draws >> np.uint64(63)).astype(np.int64)
    if described.initial == "normal":
        return described.weight.encode_array(real_weights(spec, layer))
    limit = described.init_gain * math.sqrt(6 / spec.fans(layer)) * 2.0**described.weight.frac
    reach = min(described.weight.high, max(1, round(limit)))
    return ((draws >> np.uint64(32)) % np.uint64(2 * reach + 1)).astype(np.int64) - reach


def real_weights(spec: NetworkSpec, layer: int) -> NDArray[np.float64]:
    """Initial weights of one layer in real numbers, without the bias row: float64[fan-in, columns] (docs/substrate.md 6)."""
    fan_in, described = spec.fan_in(layer), spec.layers[layer]
    drawn = deviates(words(spec.seed, STREAM_WEIGHTS, layer, 0, fan_in * described.columns), described.initial)
    return drawn.reshape(fan_in, -1) * (described.init_gain * math.sqrt(2 / spec.fans(layer)))


def quantiser_steps(quantiser: Quantiser) -> tuple[int, int]:
    """(shifts, compares) that quantising one value takes: a leading-one detector for base 2, else a binary search."""
    if quantiser.kind == "log" and quantiser.base == 2.0:
        return 1, 0 if quantiser.thresholds == "floor" else 1
    return 0, max(1, quantiser.bits - 1)
