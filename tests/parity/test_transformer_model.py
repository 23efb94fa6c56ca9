"""The Transformer against PyTorch's and Hugging Face's, with their weights: outputs, gradients."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from tutorial_lib.layers.positions import sinusoidal
from tutorial_lib.models.formulation.transformer import Transformer, WordEmbedding
from tutorial_lib.training.generation import greedy

TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-10}
DIM, HEADS, HIDDEN, DEPTH, WORDS = 12, 3, 20, 2, 9


def prefixed(prefix, tensors):
    return {f"{prefix}.{name}": tensor for name, tensor in tensors.items()}


def shuffle(module):
    """No weight at its start value: biases start at zero and would hide being left out."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))


# PyTorch


def attention_in_our_names(theirs, get):
    """The weights of nn.MultiheadAttention, or with another `get` their gradients."""
    names = ["to_q", "to_k", "to_v"]
    weights = get(theirs.in_proj_weight).chunk(3) + (get(theirs.out_proj.weight),)
    biases = get(theirs.in_proj_bias).chunk(3) + (get(theirs.out_proj.bias),)
    ours = {f"{name}.weight": w for name, w in zip([*names, "to_out"], weights)}
    return ours | {f"{name}.bias": b for name, b in zip([*names, "to_out"], biases)}


def layer_in_our_names(theirs, get):
    names = {"linear1": "feed_forward.up", "linear2": "feed_forward.down"}
    if hasattr(theirs, "multihead_attn"):
        around = ["around_attention", "around_cross_attention", "around_feed_forward"]
    else:
        around = ["around_attention", "around_feed_forward"]
    names |= {f"norm{i}": f"{name}.norm" for i, name in enumerate(around, 1)}
    ours = prefixed("attention", attention_in_our_names(theirs.self_attn, get))
    if hasattr(theirs, "multihead_attn"):
        ours |= prefixed("cross_attention", attention_in_our_names(theirs.multihead_attn, get))
    for name, our_name in names.items():
        module = getattr(theirs, name)
        ours |= prefixed(our_name, {"weight": get(module.weight), "bias": get(module.bias)})
    return ours


def in_our_names(theirs, get):
    """The weights of nn.Transformer, or with another `get` their gradients."""
    ours = {}
    for side in ("encoder", "decoder"):
        stack = getattr(theirs, side)
        for i, layer in enumerate(stack.layers):
            ours |= prefixed(f"{side}.{i}", layer_in_our_names(layer, get))
        if stack.norm is not None:
            norm = {"weight": get(stack.norm.weight), "bias": get(stack.norm.bias)}
            ours |= prefixed(f"{side}_norm", norm)
    return ours


@pytest.mark.filterwarnings("ignore:enable_nested_tensor is True")
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
@pytest.mark.parametrize("activation", [F.relu, F.gelu], ids=["relu", "gelu"])
@pytest.mark.parametrize("norm_first", [False, True], ids=["post", "pre"])
@pytest.mark.parametrize("b, m, n", [(2, 5, 3), (1, 1, 4), (3, 2, 1)])
def test_equals_torch_nn_transformer(b, m, n, norm_first, activation, dtype):
    torch.manual_seed(0)
    theirs = nn.Transformer(
        *(DIM, HEADS, DEPTH, DEPTH, HIDDEN),
        dropout=0.0,
        activation=activation,
        norm_first=norm_first,
        batch_first=True,
        dtype=dtype,
    )
    if not norm_first:
        # PyTorch normalises the end of both stacks even after Post-LN layers, which have just done
        # so; the paper does not.
        theirs.encoder.norm = theirs.decoder.norm = None
    shuffle(theirs)
    ours = Transformer(
        nn.Identity(),
        WORDS,
        DIM,
        HEADS,
        HIDDEN,
        DEPTH,
        norm_first=norm_first,
        activation=activation,
    ).to(dtype)
    left = ours.load_state_dict(in_our_names(theirs, lambda p: p.data), strict=False)
    own = {"embed_target.table.weight", "to_logits.weight", "to_logits.bias"}
    assert set(left.missing_keys) == own and not left.unexpected_keys
    embed, head = copy.deepcopy(ours.embed_target), copy.deepcopy(ours.to_logits)

    sources = [torch.randn(b, m, DIM, dtype=dtype).requires_grad_()]
    sources.append(sources[0].detach().clone().requires_grad_())
    target = torch.randint(WORDS, (b, n))
    lengths = torch.arange(m, m - b, -1).clamp(min=1)  # m, m − 1, …: each source has a length
    mask = torch.arange(m) < lengths[:, None]  # (B, M), True for a real token

    logits = ours(sources[0], target, mask[:, None])
    decoded = theirs(
        sources[1],
        embed(target),
        tgt_mask=torch.ones(n, n, dtype=torch.bool).triu(1),  # there True means forbidden
        src_key_padding_mask=~mask,
        memory_key_padding_mask=~mask,
    )
    expected = head(decoded)
    loss = torch.randn_like(logits)
    (logits * loss).sum().backward()
    (expected * loss).sum().backward()

    close = dict(atol=TOLERANCE[dtype], rtol=TOLERANCE[dtype])
    torch.testing.assert_close(logits, expected, **close)
    torch.testing.assert_close(sources[0].grad, sources[1].grad, **close)
    gradients = in_our_names(theirs, lambda p: p.grad)
    gradients["embed_target.table.weight"] = embed.table.weight.grad
    gradients |= {f"to_logits.{name}": p.grad for name, p in head.named_parameters()}
    parameters = dict(ours.named_parameters())
    assert parameters.keys() == gradients.keys()
    for name, gradient in gradients.items():
        largest = max(1, gradient.abs().max().item())  # sums of many terms: relative to the largest
        error = (parameters[name].grad - gradient).abs().max().item() / largest
        assert error < TOLERANCE[dtype], name


# Hugging Face


class HalvesEmbedding(WordEmbedding):
    """With Marian's order of the sinusoid's features: all sines, then all cosines."""

    def forward(self, words, first=0):
        n, dim = words.shape[-1], self.table.weight.shape[1]
        p = sinusoidal(first + n, dim)[first:]
        p = torch.cat([p[:, 0::2], p[:, 1::2]], dim=-1)
        return self.table(words) * dim**0.5 + p.to(self.table.weight)


def marian_in_our_names(theirs):
    """The weights of a MarianMTModel; its one table embeds source and target and scores words."""
    ours = {
        f"embed_{side}.table.weight": theirs.model.shared.weight for side in ("source", "target")
    }
    ours["to_logits.weight"] = theirs.lm_head.weight
    ours["to_logits.bias"] = theirs.final_logits_bias[0]
    names = {
        "self_attn": "attention",
        "self_attn_layer_norm": "around_attention.norm",
        "encoder_attn": "cross_attention",
        "encoder_attn_layer_norm": "around_cross_attention.norm",
        "fc1": "feed_forward.up",
        "fc2": "feed_forward.down",
        "final_layer_norm": "around_feed_forward.norm",
        **{f"{x}_proj": f"to_{x}" for x in ("q", "k", "v", "out")},
    }
    for side in ("encoder", "decoder"):
        for name, weight in getattr(theirs.model, side).layers.state_dict().items():
            our_name = ".".join(names.get(part, part) for part in name.split("."))
            ours[f"{side}.{our_name}"] = weight
    return ours


@pytest.fixture(scope="module")
def marian():
    """A tiny MarianMTModel with random weights, and ours with the same; word 0 is padding."""
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(1)  # with these weights texts of several lengths are written
    config = transformers.MarianConfig(
        vocab_size=WORDS,
        decoder_vocab_size=WORDS,
        d_model=DIM,
        encoder_layers=DEPTH,
        decoder_layers=DEPTH,
        encoder_attention_heads=HEADS,
        decoder_attention_heads=HEADS,
        encoder_ffn_dim=HIDDEN,
        decoder_ffn_dim=HIDDEN,
        activation_function="relu",
        scale_embedding=True,
        max_position_embeddings=32,
        pad_token_id=0,
        eos_token_id=1,
        forced_eos_token_id=None,
        decoder_start_token_id=0,
        dropout=0.0,
    )
    theirs = transformers.MarianMTModel(config).eval()
    for layers in (theirs.model.encoder.layers, theirs.model.decoder.layers):
        shuffle(layers)
    nn.init.normal_(theirs.model.shared.weight, std=DIM**-0.5)
    ours = Transformer(
        HalvesEmbedding(WORDS, DIM),
        *(WORDS, DIM, HEADS, HIDDEN, DEPTH),
        norm_first=False,
        activation=F.relu,
    )
    ours.embed_target = HalvesEmbedding(WORDS, DIM)
    ours.load_state_dict(marian_in_our_names(theirs))
    return theirs, ours


def test_equals_marian(marian):
    theirs, ours = marian
    torch.manual_seed(1)
    source, target = torch.randint(2, WORDS, (3, 6)), torch.randint(2, WORDS, (3, 4))
    mask = torch.arange(6) < torch.tensor([6, 1, 4])[:, None]
    with torch.no_grad():
        expected = theirs(source, attention_mask=mask.long(), decoder_input_ids=target).logits
        logits = ours(source, target, mask[:, None])
    torch.testing.assert_close(logits, expected, atol=1e-5, rtol=1e-5)


def test_greedy_writes_what_marian_writes(marian):
    theirs, ours = marian
    torch.manual_seed(2)
    source = torch.randint(2, WORDS, (6, 5))
    expected = theirs.generate(source, num_beams=1, do_sample=False, max_new_tokens=7)[:, 1:]
    written = greedy(ours, ours.encode(source), begin=0, end=1, max_length=7)
    # After the end of a row theirs goes on with padding (0), ours with the end (1).
    lengths = [(row + [1]).index(1) for row in written.tolist()]
    assert len(set(lengths)) > 2
    for n, ours_row, their_row in zip(lengths, written.tolist(), expected.tolist()):
        assert ours_row[:n] == their_row[:n]
        assert set(their_row[n:]) <= {0, 1}
