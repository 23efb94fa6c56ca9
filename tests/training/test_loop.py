"""The training loop: its schedule, and that seeds, interruptions and processes change nothing."""

import math
import os
import socket
import subprocess
import sys
from pathlib import Path

import distributed_training
import numpy as np
import pytest
import torch
from distributed_training import draw, loss_of, make_model
from torch import nn

from tutorial_lib.training.loop import Diverged, decays, train, warmup_cosine

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def on_the_cpu(monkeypatch):
    """Equal to the last bit is a promise of the CPU."""
    monkeypatch.setattr("tutorial_lib.training.loop.best_device", lambda: torch.device("cpu"))


def with_dropout():
    """Dropout draws from PyTorch's own generator, so that one is under test as well."""
    return nn.Sequential(make_model(), nn.Dropout(0.3))


def assert_same_weights(a, b, tolerance=0.0):
    torch.testing.assert_close(dict(a), dict(b), rtol=0, atol=tolerance)


@pytest.mark.parametrize(
    "step, rate",
    [(0, 0.25), (1, 0.5), (3, 1.0), (4, 1.0), (5, 0.5 + 0.25 * 2**0.5), (6, 0.5), (8, 0.0)],
)
def test_the_schedule_at_its_corners(step, rate):
    assert warmup_cosine(step, steps=8, warmup=4, peak=1.0) == pytest.approx(rate)
    assert warmup_cosine(step, steps=8, warmup=4, peak=0.02) == pytest.approx(0.02 * rate)


def test_the_schedule_without_warmup_and_with_nothing_else():
    assert warmup_cosine(0, steps=5, warmup=0, peak=3.0) == 3.0
    assert [warmup_cosine(i, steps=3, warmup=3, peak=3.0) for i in range(3)] == [1, 2, 3]
    assert warmup_cosine(2, steps=3, warmup=30, peak=3.0) == pytest.approx(0.3)


def test_it_learns():
    def lesson(generator):
        x = torch.randn(32, 5, generator=generator)
        return x, x[:, :2].abs()

    losses = train(make_model(), lesson, loss_of, steps=60, lr=0.02)
    assert len(losses) == 60
    assert sum(losses[-10:]) < 0.4 * sum(losses[:10])


def test_the_same_seed_gives_the_same_run_whatever_was_drawn_before():
    first, second, other = with_dropout(), with_dropout(), with_dropout()
    losses = train(first, draw, loss_of, steps=5, lr=0.01, seed=1)
    torch.rand(7)
    assert train(second, draw, loss_of, steps=5, lr=0.01, seed=1) == losses
    assert_same_weights(first.state_dict(), second.state_dict())
    assert train(other, draw, loss_of, steps=5, lr=0.01, seed=2)[0] != losses[0]


def test_every_step_draws_another_batch():
    seen = []

    def watch(generator):
        seen.append(draw(generator)[0])
        return draw(generator)

    train(make_model(), watch, loss_of, steps=4, lr=0.01)
    assert len({x.sum().item() for x in seen}) == 4


def test_an_interrupted_run_ends_as_one_that_was_not(tmp_path):
    settings = dict(steps=20, lr=0.01, warmup=3)
    straight, resumed = with_dropout(), with_dropout()
    losses = train(straight, draw, loss_of, **settings)

    calls = iter(range(100))

    def power_cut(generator):
        if next(calls) == 13:
            raise KeyboardInterrupt
        return draw(generator)

    file = tmp_path / "checkpoint"
    with pytest.raises(KeyboardInterrupt):
        train(with_dropout(), power_cut, loss_of, checkpoint=file, **settings)
    drawn = []

    def watched(generator):
        drawn.append(1)
        return draw(generator)

    assert train(resumed, watched, loss_of, checkpoint=file, **settings) == losses
    assert len(drawn) == 8, "12 of the 20 steps were saved"
    assert_same_weights(straight.state_dict(), resumed.state_dict())
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint"]


def test_a_finished_checkpoint_is_only_loaded(tmp_path):
    first, second = make_model(), nn.Sequential(*make_model())
    nn.init.zeros_(second[0].weight)
    settings = dict(steps=3, lr=0.01, checkpoint=tmp_path / "checkpoint")
    losses = train(first, draw, loss_of, **settings)
    assert train(second, None, None, **settings) == losses
    assert_same_weights(first.state_dict(), second.state_dict())


def test_a_checkpoint_makes_the_folder_that_it_lies_in(tmp_path):
    file = tmp_path / "new" / "folder" / "checkpoint"
    train(make_model(), draw, loss_of, steps=3, lr=0.01, checkpoint=file)
    assert file.exists()


def test_a_checkpoint_of_other_settings_is_refused(tmp_path):
    file = tmp_path / "checkpoint"
    train(make_model(), draw, loss_of, steps=3, lr=0.01, checkpoint=file)
    with pytest.raises(ValueError, match="steps is 3 there and 4 here; lr is 0.01 there and 0.1"):
        train(make_model(), draw, loss_of, steps=4, lr=0.1, checkpoint=file)


@pytest.mark.parametrize("name", ["warmup", "weight_decay", "clip", "seed"])
def test_every_setting_is_compared(tmp_path, name):
    settings = dict(steps=1, lr=0.01, warmup=2, weight_decay=0.1, clip=1.0, seed=0)
    settings["checkpoint"] = tmp_path / "checkpoint"
    train(make_model(), draw, loss_of, **settings)
    with pytest.raises(ValueError, match=f"{name} is .* there and 7"):
        train(make_model(), draw, loss_of, **settings | {name: 7})


def test_a_checkpoint_whose_optimizer_shrank_other_weights_is_refused(tmp_path):
    """As an earlier version wrote it: tables in the first group, since they have two axes."""
    file, model = tmp_path / "run.pt", nn.Sequential(nn.Embedding(4, 5), make_model())
    state = [{"params": [0, 1, 3]}, {"params": [2, 4, 5, 6]}]
    settings = dict(steps=2, lr=0.1, warmup=20, weight_decay=0.05, clip=1.0, seed=0)
    torch.save({"settings": settings, "optimizer": {"param_groups": state}}, file)
    with pytest.raises(ValueError, match="shrank 3 of 7 parameters; here it shrinks 2 of 7"):
        train(model, draw, loss_of, checkpoint=file, steps=2, lr=0.1)


@pytest.mark.parametrize(
    "wrong",
    [
        *({name: -1} for name in ("steps", "warmup", "seed", "lr", "weight_decay", "clip")),
        *({name: 2.5} for name in ("steps", "warmup", "seed")),
        {"clip": 0},
        {"lr": "0.1"},
        {"lr": math.nan},
    ],
    ids=str,
)
def test_settings_that_cannot_be_meant_are_refused(wrong):
    """Each trained in silence: not at all, uphill, or with another number than was given."""
    ((name, value),) = wrong.items()
    with pytest.raises(ValueError, match=f"{name} is {value!r}, .*expected"):
        train(make_model(), draw, loss_of, **{"steps": 2, "lr": 0.1} | wrong)


def test_a_batch_that_is_one_tensor_is_refused():
    """A batch of two pairs would be taken for inputs and targets."""
    with pytest.raises(TypeError, match="a tensor .2, 6, 5., expected a tuple"):
        train(make_model(), lambda g: torch.randn(2, 6, 5), loss_of, steps=1, lr=0.1)


def test_the_last_step_is_saved_whatever_a_tenth_of_the_steps_is(tmp_path):
    settings = dict(steps=25, lr=0.01, checkpoint=tmp_path / "checkpoint")
    losses = train(make_model(), draw, loss_of, **settings)
    assert train(make_model(), None, None, **settings) == losses


def test_settings_may_be_numpys_numbers(tmp_path):
    settings = dict(steps=np.int64(2), lr=np.float64(0.01), checkpoint=tmp_path / "checkpoint")
    losses = train(make_model(), draw, loss_of, **settings)
    assert train(make_model(), None, None, **settings) == losses


def test_every_weight_learns_whatever_its_shape():
    """A convolution's kernel has three axes or four."""
    model = nn.Sequential(
        nn.Unflatten(1, (1, 5)), nn.Conv1d(1, 2, 3), nn.Flatten(), nn.Linear(6, 2)
    ).eval()
    before = [p.detach().clone() for p in model.parameters()]
    train(model, draw, loss_of, steps=1, lr=0.1)
    assert not any(map(torch.equal, before, model.parameters()))
    assert model.training


@pytest.mark.parametrize("failure", [KeyboardInterrupt, ValueError, Diverged])
def test_the_model_comes_home_whatever_happens(failure):
    moves = []

    class Traveller(nn.Sequential):
        def to(self, device):
            moves.append(device)
            return super().to(device)

    def fail(model, x, y):
        if failure is Diverged:
            return loss_of(model, x, y) * float("nan")
        raise failure

    with pytest.raises(failure):
        train(Traveller(*make_model()), draw, fail, steps=2, lr=0.1)
    assert len(moves) == 2, "to work, and home"


@pytest.mark.parametrize("scale", [1e6, 1e-6])
def test_clipping_bounds_the_norm_and_leaves_small_gradients_alone(scale):
    def norm_after(clip):
        model = make_model()
        train(model, draw, lambda *a: scale * loss_of(*a), steps=1, lr=0.0, clip=clip)
        return torch.cat([p.grad.flatten() for p in model.parameters()]).norm().item()

    free = norm_after(math.inf)
    assert norm_after(0.5) == pytest.approx(min(free, 0.5), rel=1e-4)
    assert (free > 0.5) == (scale > 1)


def test_weight_decay_shrinks_what_decays_and_nothing_else():
    model = make_model()
    nn.init.ones_(model[0].bias)
    before = {name: x.clone() for name, x in model.state_dict().items()}
    settings = dict(steps=4, lr=0.1, warmup=2, weight_decay=0.5)
    train(model, draw, lambda *batch: 0 * loss_of(*batch), **settings)
    shrunk = math.prod(1 - 0.5 * warmup_cosine(i, steps=4, warmup=2, peak=0.1) for i in range(4))
    for name, x in model.state_dict().items():
        factor = shrunk if name in decays(model) else 1.0
        torch.testing.assert_close(x, factor * before[name], msg=name)


@pytest.mark.parametrize("bad", [math.inf, math.nan])
def test_a_run_that_diverges_stops_and_tells_all(bad):
    calls = iter(range(10))
    weights = []

    def explode(model, x, y):
        weights[:] = [p.detach().clone() for p in model.parameters()]
        return loss_of(model, x, y) * (1 if next(calls) < 3 else bad)

    model = make_model()
    told = rf"step 3 of 9: the loss is {bad}.*learning rate 0\.02"
    with pytest.raises(Diverged, match=told) as error:
        train(model, draw, explode, steps=9, lr=0.1, warmup=20)
    losses = error.value.losses
    assert [math.isfinite(loss) for loss in losses] == [True, True, True, False]
    for now, then in zip(model.parameters(), weights):
        torch.testing.assert_close(now.detach(), then, rtol=0, atol=0)


def test_a_gradient_that_is_no_number_stops_too():
    def square_root_of_zero(model, x, y):
        return (0 * model(x)).square().sum().sqrt()

    with pytest.raises(Diverged, match="the loss is 0 and the norm of its gradient nan"):
        train(make_model(), draw, square_root_of_zero, steps=2, lr=0.1)


@pytest.fixture
def loopback():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        try:
            socket.create_connection(probe.getsockname(), timeout=5).close()
        except OSError:
            pytest.skip("this machine's loopback network is down: processes cannot meet")


def test_two_processes_get_what_one_gets(tmp_path, loopback):
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
    command += ["--standalone", "--local-addr", "127.0.0.1"]
    command += [distributed_training.__file__, str(tmp_path)]
    # TQDM_DISABLE, which the build of the notebooks sets, is off only if it is empty.
    settings = {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "", "TQDM_DISABLE": ""}
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | settings, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    alone = distributed_training.run()
    for rank in ("0", "1"):
        result = torch.load(tmp_path / rank)
        torch.testing.assert_close(result["losses"], alone["losses"], rtol=0, atol=1e-6)
        assert_same_weights(result["weights"], alone["weights"], tolerance=1e-6)
        assert_same_weights(result["gradients"], alone["gradients"], tolerance=1e-6)
        assert result["refusal"] == "a batch of 5 does not divide among 2 processes"
    # The checkpoint of two processes is that of one: here it is loaded, not trained.
    again = distributed_training.run(tmp_path / "checkpoint")
    assert again["losses"] == torch.load(tmp_path / "0")["losses"]
    assert done.stdout.count("| 0/12") == 1, "one process shows a bar"
