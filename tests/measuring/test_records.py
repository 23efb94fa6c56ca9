"""Recording many small trainings: every row is measured and kept, with what all share."""

from tutorial_lib.measuring import records
from tutorial_lib.measuring.records import record


def test_every_row_is_measured_and_saved_with_the_settings(tmp_path, capsys):
    out = tmp_path / "table.json"
    rows = [{"seed": seed, "model": "ViT"} for seed in range(3)]
    record("some-table", rows, dict, ["--out", str(out), "--processes", "2"], steps=7)
    found = records.load(out)
    assert sorted(found["rows"], key=lambda row: row["seed"]) == rows
    assert found["steps"] == 7 and found["machine"]["device"]
    assert str(out) in capsys.readouterr().out


def test_a_record_is_named_after_its_device():
    path = records.result_file("some-table", {"device": "Intel(R) Xeon(R) @ 2.80GHz"})
    assert path.name == "some-table-intel-r-xeon-r-2-80ghz.json"
    assert path.parent == records.RESULTS


def test_a_name_finds_its_own_records_and_no_longer_name_s(tmp_path, monkeypatch):
    monkeypatch.setattr(records, "RESULTS", tmp_path)
    machine = {"device": "Any CPU"}
    for name in ("vit", "vit-parts"):
        records.save(records.result_file(name, machine), [{"name": name}], machine)
    assert [r["rows"] for r in records.recorded("vit")] == [[{"name": "vit"}]]
