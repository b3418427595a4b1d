"""Variants of hardware models: a name with choices changed prices as a file that says the same."""

import msgspec
import pytest

from neurosim.costs import HardwareModel, load, names, price
from neurosim.costs.variants import choices, named, split
from neurosim.errors import NeurosimError
from tests.test_pricing import classified, layout, srbp

ARRAYS = names(kind="array")


def at(spec, key):
    for step in key.split("."):
        spec = getattr(spec, step, None)
    return spec


@pytest.mark.parametrize("model", ARRAYS)
def test_every_choice_can_be_set_and_set_to_itself_changes_no_cost(model):
    own = load(model)
    train, test, network = srbp(), classified(), layout()
    wanted = price(train, test, network, own).to_dict()
    seen = 0
    for key in choices():
        value = at(own.spec, key)
        if value is None or isinstance(value, msgspec.Struct):
            continue
        seen += 1
        varied = load(f"{model}:{key}={value}")
        assert varied.name == named(model, {key: value})
        assert at(varied.spec, key) == value
        assert "varied" in at(varied.spec, key.rpartition(".")[0]).reason
        found = price(train, test, network, varied).to_dict()
        assert {k: v for k, v in found.items() if k not in ("model", "digest")} == {
            k: v for k, v in wanted.items() if k not in ("model", "digest")
        }
    assert seen > 15


def test_a_variant_costs_what_a_file_that_inherits_costs(tmp_path):
    path = tmp_path / "wide.toml"
    path.write_text(
        'schema = 1\nname = "wide"\nsummary = "with more lanes"\ninherits = "digital_28nm"\n'
        '[core]\nlanes = 64\nreason = "to compare"\n[fabric]\ncast = "unicast"\nreason = "to compare"\n'
    )
    train, test, network = srbp(), classified(), layout()
    varied = price(train, test, network, load("digital_28nm:core.lanes=64:fabric.cast=unicast"))
    written = price(train, test, network, load(path))
    assert varied.energy == written.energy
    assert varied.latency == written.latency
    assert varied.area == written.area
    assert varied.energy != price(train, test, network, load("digital_28nm")).energy


def test_a_variant_of_a_file_is_read_anew_when_the_file_changes(tmp_path):
    path = tmp_path / "own.toml"
    text = 'schema = 1\nname = "own"\nsummary = "of one\'s own"\ninherits = "digital_28nm"\n[core]\nclock_mhz = {}\nreason = "to compare"\n'
    path.write_text(text.format(100))
    assert isinstance(load(f"{path}:core.lanes=2"), HardwareModel)
    assert load(f"{path}:core.lanes=2").spec.core.clock_mhz == 100
    path.write_text(text.format(50.5))
    assert load(f"{path}:core.lanes=2").spec.core.clock_mhz == 50.5
    assert load(f"{path}:core.lanes=2") is load(f"{path}:core.lanes=2")


@pytest.mark.parametrize(("name", "message"), [
    ("digital_28nm:core.lanez=64", "hardware: core.lanez=64: no such choice; did you mean core.lanes"),
    ("digital_28nm:technology.node_nm=3", "no such choice; allowed are core.neurons"),
    ("digital_28nm:core.lanes=0", r"core.lanes=0: expected `int` >= 1 \(.*digital_28nm.toml"),
    ("digital_28nm:core.lanes=x", "core.lanes='x': expected `int`"),
    ("digital_28nm:fabric.cast=broad", "fabric.cast='broad': must be one of `unicast`, `multicast`"),
    ("digital_28nm:memory.weight.row_bits=8", "the model has no such memory.weight"),
    ("digital_28nm:core.lanes=8:core.lanes=9", "sets one key twice"),
    ("digital_28nm:core.lanes=8:cast", "must be written as"),
    ("odin:core.lanes=8", "'odin' is a published chip, whose file has no choices"),
    ("digital_28nm:core.lanes", "must be one of"),
])  # fmt: skip
def test_mistakes_are_one_clear_line(name, message):
    with pytest.raises(NeurosimError, match=message) as raised:
        load(name)
    assert "\n" not in str(raised.value)


def test_names_are_taken_apart_and_put_together():
    settings = {"core.lanes": 8, "fabric.cast": "unicast", "core.clock_mhz": 12.5}
    assert split(named("a.toml", settings)) == ("a.toml", tuple((k, str(v)) for k, v in settings.items()))
    assert msgspec.json.encode(load("digital_28nm").spec) != msgspec.json.encode(load("digital_28nm:core.lanes=9").spec)
