"""The recipe that reads numbers, and the checkpoint that it has written."""

import pytest
import torch

from tutorial_lib.data.digits import BEGIN, END, PAD, TARGET_LENGTH, VOCABULARY, digits, numbers
from tutorial_lib.layers.transformer import DecoderLayer
from tutorial_lib.recipes import shipped
from tutorial_lib.recipes.transformer import read_numbers


@pytest.fixture
def model():
    torch.manual_seed(0)
    return read_numbers.NumberReader()


def some(count=6):
    return numbers(*digits("test"), count, torch.Generator().manual_seed(2))


def test_the_loss_is_that_of_every_word_but_padding(model):
    canvas, targets, _ = some(3)
    logits = model(canvas, targets[:, :-1])
    assert logits.shape == (3, TARGET_LENGTH - 1, VOCABULARY)
    total = 0.0
    for row, words in zip(logits.log_softmax(-1), targets[:, 1:]):
        total -= sum(p[word] for p, word in zip(row, words) if word != PAD)
    torch.testing.assert_close(read_numbers.loss_of(model, canvas, targets), total / (3 * 6))


def test_the_losses_of_two_halves_average_to_that_of_the_whole(model):
    canvas, targets, _ = some(6)
    halves = [read_numbers.loss_of(model, canvas[i : i + 3], targets[i : i + 3]) for i in (0, 3)]
    whole = read_numbers.loss_of(model, canvas, targets)
    torch.testing.assert_close(whole, (halves[0] + halves[1]) / 2)


def test_a_strip_is_a_few_columns_of_the_canvas(model):
    canvas, _, _ = some(1)
    tokens = model.embed_source(canvas)
    other = canvas.clone()
    other[:, 4, 2 * read_numbers.PATCH] += 1
    changed = (model.embed_source(other) != tokens).any(dim=-1)[0].nonzero().flatten()
    assert changed.tolist() == [2]


def test_the_baseline_gets_one_vector(model):
    torch.manual_seed(0)
    baseline = read_numbers.MeanReader()
    canvas, _, _ = some(4)
    mean = model.encode(canvas).mean(dim=1, keepdim=True)
    torch.testing.assert_close(baseline.encode(canvas), mean)


def test_reading_stops_at_end(model, monkeypatch):
    written = torch.tensor([[3, END, END], [1, 2, END]])
    monkeypatch.setattr(read_numbers, "greedy", lambda *arguments: written)
    expected = [[3, END, PAD, PAD, PAD, PAD], [1, 2, END, PAD, PAD, PAD]]
    assert read_numbers.read(model, some(2)[0]).tolist() == expected


def test_scores_of_a_reader_that_knows_the_answer_but_for_one_word(model, monkeypatch):
    _, targets, _ = numbers(*digits("test"), 10, torch.Generator().manual_seed(1))
    answer = targets[:, 1:].clone()
    answer[0, 0] = (answer[0, 0] + 1) % BEGIN
    monkeypatch.setattr(read_numbers, "read", lambda *arguments: answer)
    score = read_numbers.score(model, count=10)
    count = (targets < BEGIN).sum().item()
    assert score["exact_match"] == pytest.approx(0.9)
    assert score["digit_accuracy"] == pytest.approx(1 - 1 / count)


def test_looks_are_weights_on_the_strips(model):
    canvas, targets, _ = some(2)
    weights = read_numbers.looks(model, canvas, targets)
    assert weights.shape == (2, TARGET_LENGTH - 1, canvas.shape[-1] // read_numbers.PATCH)
    torch.testing.assert_close(weights.sum(-1), torch.ones(weights.shape[:2]))
    assert not model.decoder[-1].cross_attention._forward_hooks


def test_the_recipe_writes_a_checkpoint_that_loads(tmp_path, capsys):
    file = tmp_path / "new" / "read_numbers.safetensors"
    read_numbers.main(["--steps", "2", "--batch", "4", "--seed", "5", "--out", str(file)])
    assert file.stat().st_size < 2**20
    assert str(file) in capsys.readouterr().out
    model, record = read_numbers.load(file)
    assert record["recipe"] == read_numbers.__name__
    assert (record["steps"], record["batch"], record["seed"]) == ("2", "4", "5")
    assert float(record["exact_match"]) == pytest.approx(
        read_numbers.score(model)["exact_match"], abs=0.002
    )
    assert not model.training


def test_the_record_names_the_device_of_the_training_and_not_the_models_home(tmp_path, monkeypatch):
    monkeypatch.setattr(shipped, "best_device", lambda: torch.device("cuda"))
    monkeypatch.setattr(read_numbers, "train", lambda *arguments, **settings: [])  # comes home
    file = tmp_path / "read_numbers.safetensors"
    read_numbers.main(["--out", str(file)])
    assert read_numbers.load(file)[1]["device"] == "cuda"


def test_the_checkpoint_of_the_course_reads_as_well_as_it_says():
    model, record = read_numbers.load()
    score = read_numbers.score(model, count=500, seed=9)
    assert score["exact_match"] == pytest.approx(float(record["exact_match"]), abs=0.05)
    canvas, targets, left = numbers(*digits("test"), 200, torch.Generator().manual_seed(3))
    weights = read_numbers.looks(model, canvas, targets)  # (B, N, M)
    columns = torch.arange(canvas.shape[-1])
    inside = (columns >= left[..., None]) & (columns < left[..., None] + 8)  # (B, 5, W)
    by_column = weights.repeat_interleave(read_numbers.PATCH, -1) / read_numbers.PATCH
    share = (by_column[:, :5] * inside).sum(-1)[left >= 0].mean()
    assert share > 0.7, "writing a digit, the decoder looks at that digit"


@pytest.mark.parametrize("shape", [(10, 48), (2, 48, 10), (2, 1, 10, 48)])
def test_an_image_of_another_shape_is_refused_by_name(model, shape):
    with pytest.raises(ValueError, match=r"expected \(B, 10, 48\)"):
        model.encode(torch.zeros(shape))


def test_where_a_model_looks_is_found_however_its_layer_calls_the_attention(model):
    """A learner's decoder layer may hand over the memory by name or by place."""
    called_by_name = []

    class ByName(DecoderLayer):
        def forward(self, x, memory, memory_mask=None):
            called_by_name.append(True)
            x = self.around_attention(x, lambda y: self.attention(y, mask=None))
            return self.around_cross_attention(
                x, lambda y: self.cross_attention(x=y, memory=memory, mask=memory_mask)
            )

    canvas, targets, _ = some(2)
    model.decoder[0] = ByName(96, 2, 192)
    weights = read_numbers.looks(model, canvas, targets)
    assert called_by_name and weights.shape == (2, 6, 16)
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, 6))
