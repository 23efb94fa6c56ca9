"""Records are read by setting and in the order of their seeds; the table compares with floats."""

import pytest

from tutorial_lib.measuring import benchmarking, records
from tutorial_lib.recipes.quantization import family


@pytest.fixture
def made(monkeypatch, tmp_path):
    """Records in which every system has half the accuracy and a tenth of the size of floats."""
    monkeypatch.setattr(records, "RESULTS", tmp_path)
    machine = benchmarking.machine()
    rows = {}
    for block in family.BLOCKS:
        for i, (name, _, _, setting) in enumerate(block):
            for seed in (2, 0, 1):
                accuracy = (0.4 if i else 0.8) + seed / 100
                measured = dict(bytes=1e4 if i else 1e5)
                if name != "ptq-vit":  # where nothing is trained
                    measured |= dict(seconds_per_step=2.0 if i else 1.0)
                row = setting | measured | dict(seed=seed, accuracy=accuracy)
                rows.setdefault(name, []).append(row)
    for name in rows:
        records.save(records.result_file(name, machine), rows[name], machine)


def test_values_come_by_seed_and_by_setting(made):
    assert family.of("prox-quant", method="float") == pytest.approx([0.8, 0.81, 0.82])
    assert family.of("prox-quant", "bytes", method="ProxQuant", lr=0.2) == [1e4] * 3
    with pytest.raises(LookupError, match="'slb' has no rows with {'method': 'no such'}"):
        family.of("slb", method="no such")


def test_the_table_has_a_line_for_each_system_beside_its_floats(made):
    lines = [line for line in family.table().splitlines() if line]
    assert len(lines) == 1 + sum(map(len, family.BLOCKS))
    assert lines[1].split() == "ViT in floats 32/32 100.0 81.0% (80.0% … 82.0%) 3 -".split()
    trained = 1 + len(family.BLOCKS[0])  # the first line of the second block
    assert lines[trained].split()[-6:] == "81.0% (80.0% … 82.0%) 3 1.0".split()
    assert lines[trained + 1].split()[-6:] == "41.0% (40.0% … 42.0%) 3 2.0".split()
