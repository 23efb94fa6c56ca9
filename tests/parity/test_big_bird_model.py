"""Big Bird against Hugging Face's BigBirdModel with the weights copied over.

Two traps of the public model: it changes to full attention, with no more than a warning, where the
sequence is at most (5 + 2 · random) blocks long; and in evaluation mode there are no random blocks:
every row looks at block 0 once more for each of them, which then counts several times. So it is
compared in training mode, without dropout.
"""

from functools import partial

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from transformers import BigBirdConfig, BigBirdModel

from tutorial_lib.from_scratch.big_bird import big_bird_mask
from tutorial_lib.layers.big_bird import BigBirdAttention
from tutorial_lib.layers.transformer import EncoderLayer

DIM, HEADS, HIDDEN, SIZE, RANDOM = 12, 3, 20, 2, 1
TOKENS = 18 * SIZE  # more than (5 + 2 · RANDOM) · SIZE
NAMES = {
    "attention.self.query": "attention.to_q",
    "attention.self.key": "attention.to_k",
    "attention.self.value": "attention.to_v",
    "attention.output.dense": "attention.to_out",
    "attention.output.LayerNorm": "around_attention.norm",
    "intermediate.dense": "feed_forward.up",
    "output.dense": "feed_forward.down",
    "output.LayerNorm": "around_feed_forward.norm",
}


def public(depth=2):
    """A randomly initialised one, no weight at its start value, and the blocks it draws."""
    config = BigBirdConfig(
        vocab_size=7,
        hidden_size=DIM,
        num_hidden_layers=depth,
        num_attention_heads=HEADS,
        intermediate_size=HIDDEN,
        max_position_embeddings=64,
        attention_type="block_sparse",
        block_size=SIZE,
        num_random_blocks=RANDOM,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    torch.manual_seed(0)
    model = BigBirdModel(config, add_pooling_layer=False).train()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return model


def drawn_blocks(attention):
    """The random blocks of each head, (heads, n − 2, RANDOM), that a public layer draws."""
    np.random.seed(attention.seed)
    lengths, counts = attention._get_rand_attn_plan(TOKENS, SIZE, RANDOM)
    return attention._bigbird_block_rand_mask_with_head(
        TOKENS, TOKENS, SIZE, SIZE, HEADS, plan_from_length=lengths, plan_num_rand_blocks=counts
    )


def mask_of(attention):
    """The same choice as our mask, bool (heads, n, n): global rows see all without it."""
    edge = np.zeros((1, RANDOM), int)
    rows = [np.concatenate([edge, blocks, edge]) for blocks in drawn_blocks(attention)]
    return np.stack([big_bird_mask(TOKENS // SIZE, 3, True, blocks) for blocks in rows])


def our_layer(theirs):
    """An EncoderLayer (Post-LN) with a public layer's weights and its random blocks."""
    gelu = partial(F.gelu, approximate="tanh")
    ours = EncoderLayer(DIM, HEADS, HIDDEN, norm_first=False, activation=gelu, eps=1e-12)
    ours.attention = BigBirdAttention(DIM, HEADS, mask_of(theirs.attention.self))
    state = theirs.state_dict()
    renamed = {
        f"{ours_name}.{kind}": state[f"{name}.{kind}"]
        for name, ours_name in NAMES.items()
        for kind in ("weight", "bias")
    }
    ours.load_state_dict(renamed)
    return ours


def compared():
    torch.manual_seed(1)
    theirs, words = public(), torch.randint(7, (2, TOKENS))
    layers = [our_layer(layer) for layer in theirs.encoder.layer]
    x = theirs.embeddings(words).detach()
    for layer in layers:
        x = layer(x)
    return theirs, words, layers, x


def test_equals_hugging_face_forward_and_backward():
    theirs, words, layers, out = compared()
    expected = theirs(words).last_hidden_state
    assert theirs.config.attention_type == "block_sparse"  # no silent change
    torch.testing.assert_close(out, expected, rtol=1e-4, atol=1e-5)

    dy = torch.randn_like(out)
    out.backward(dy)
    expected.backward(dy)
    for layer, public_layer in zip(layers, theirs.encoder.layer):
        ours = dict(layer.named_parameters())
        for name, p in public_layer.named_parameters():
            module, _, kind = name.rpartition(".")
            found = ours[f"{NAMES[module]}.{kind}"].grad
            scale = max(1.0, p.grad.abs().max().item())
            torch.testing.assert_close(found / scale, p.grad / scale, rtol=1e-4, atol=1e-5)


def test_the_weights_that_are_not_zero_are_those_of_the_mask():
    theirs, words, layers, _ = compared()
    theirs.set_attn_implementation("eager")
    weights = theirs(words, output_attentions=True).attentions
    for layer, found in zip(layers, weights, strict=True):
        blocks = found.unflatten(-1, (-1, SIZE)).unflatten(-3, (-1, SIZE)).sum((-3, -1))
        assert torch.equal(blocks[0] > 1e-9, layer.attention.mask)


@pytest.mark.parametrize("mode", ["short", "evaluation"])
def test_where_the_public_model_is_another_one(mode):
    """The two traps; a comparison that falls into one of them would say nothing of the pattern."""
    theirs, words, layers, out = compared()
    if mode == "short":
        theirs(words[:, : 7 * SIZE])
        assert theirs.attention_type == "original_full"
    else:
        drawn = theirs.eval().encoder.layer[0].attention.self
        assert not np.stack(drawn_blocks(drawn)).any()
        assert not torch.allclose(theirs(words).last_hidden_state, out, atol=1e-2)
