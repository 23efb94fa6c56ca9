"""The recipes of chapter 36's family: every row can be measured, and the records hold what is
planned."""

import numpy as np
import pytest

from tutorial_lib.measuring import records
from tutorial_lib.recipes.quantization import (
    popcount_speed,
    profit,
    prox_quant,
    ptq,
    real_vit,
    riptide,
    slb,
    small_cnn,
    straight,
    transformers_zip,
)
from tutorial_lib.recipes.vit.data_size import pictures

RECIPES = {
    "slb": slb,
    "profit": profit,
    "riptide": riptide,
    "prox-quant": prox_quant,
    "transformers-zip": transformers_zip,
}


@pytest.fixture
def short(monkeypatch):
    """Trainings of a few steps on a few pictures; models of three channels."""
    monkeypatch.setattr(small_cnn, "pictures", lambda split, count=None: pictures(split, 80))
    for module in (small_cnn, *RECIPES.values()):
        for name, value in dict(
            STEPS=6, SAMPLING=3, PHASE=2, WIDTH=3, COUNT=60, COMPARED=5
        ).items():
            if hasattr(module, name):
                monkeypatch.setattr(module, name, value)
    for cached in (small_cnn._trained, profit._trained, transformers_zip._trained):
        cached.cache_clear()
    yield
    for cached in (small_cnn._trained, profit._trained, transformers_zip._trained):
        cached.cache_clear()


def kinds(rows):
    """One row of each kind: rows of a kind differ in seed, rate and length of training."""
    alike = dict.fromkeys(("seed", "lr", "longer"))
    return list({str(row | alike): row for row in rows}.values())


@pytest.mark.parametrize("name", RECIPES)
def test_every_kind_of_row_can_be_measured(name, short):
    sizes = {}
    for row in kinds(RECIPES[name].plan()):
        found = RECIPES[name].measure(row)
        assert row.items() <= found.items()
        assert 0 <= found["accuracy"] <= 1 and found["seconds_per_step"] > 0
        sizes[found["bits"]] = found["bytes"]
    bytes_ = [sizes[bits] for bits in sorted(sizes)]
    assert bytes_ == sorted(bytes_)  # more bits, not fewer bytes


def test_training_calls_before_each_step_and_only_weights_move(short):
    model, steps = small_cnn.fresh(0), []
    before = {n: p.detach().clone() for n, p in model.named_parameters()}
    small_cnn.learn(model, 0, lr=1e-2, before_step=lambda step, x: steps.append((step, len(x))))
    assert steps == [(i, 64) for i in range(6)]
    assert any(not p.equal(before[n]) for n, p in model.named_parameters())


def test_prox_quant_ends_binary_and_integers_are_floats(short):
    row = prox_quant.measure(dict(method="ProxQuant", bits=1, lr=0.1, seed=0))
    assert 0 <= row["sign_changes"] <= 1
    row = riptide.measure(dict(method="fused glue", bits=2, seed=0))
    assert row["integers_apart"] < 1e-5


def test_pruned_and_shared_models_store_less(short):
    plain = transformers_zip.measure(dict(method="floats", seed=0))
    pruned = transformers_zip.measure(dict(method="pruned", seed=0))
    both = transformers_zip.measure(dict(method="pruned, k-means", seed=0))
    assert plain["bytes"] / 2 > pruned["bytes"] > both["bytes"]
    assert len(both["accuracy_after"]) == 4


def test_packed_products_are_measured_and_equal(monkeypatch):
    monkeypatch.setattr(popcount_speed, "SIZES", {"small": (3, 5, 70)})
    monkeypatch.setattr(popcount_speed, "cpu_seconds", lambda way: 1.0)
    row = popcount_speed.measure(dict(size="small"))
    assert row["shape"] == [3, 5, 70] and row["times_faster"]["packed, NumPy"] == 1
    if popcount_speed.compiled():
        x = np.random.default_rng(0).integers(2**63, size=(2, 3), dtype=np.uint64)
        assert popcount_speed.compiled()(x, x, 192).diagonal().tolist() == [192, 192]


RECORDS = RECIPES | {"ptq-vit": ptq, "straight-through": straight, "quantized-vit-s14": real_vit}


@pytest.mark.parametrize("name", RECORDS)
def test_the_record_holds_what_is_planned(name):
    rows = records.recorded(name)[0]["rows"]
    planned = RECORDS[name].plan()
    assert len(rows) == len(planned)
    assert all(any(row.items() <= found.items() for found in rows) for row in planned)
