"""Models of timm and vit-pytorch with the weights of ours. Neither is a dependency of the course.

Each function takes one of our models and gives the public one that computes the same; ImportError
where the package is not installed.
"""

import re
import warnings

import torch
from torch import nn

# Parts of a block in timm, and what they are called in ours.
IN_A_BLOCK = [
    (r"attn\.(q|kv|qk|qkv|v)\b", r"attention.to_\1"),
    (r"attn\.proj\b", "attention.to_out"),
    (r"mlp\.fc1", "feed_forward.up"),
    (r"mlp\.fc2", "feed_forward.down"),
    (r"norm1\b", "around_attention.norm"),
    (r"norm2\b", "around_feed_forward.norm"),
]

# PyTorch's attention and encoder.
IN_PYTORCH = [
    (r"^layers\.", ""),
    (r"self_attn\.", "attention."),
    (r"in_proj_", "to_qkv."),
    (r"out_proj\.", "to_out."),
    (r"linear1", "feed_forward.up"),
    (r"linear2", "feed_forward.down"),
    (r"norm1\b", "around_attention.norm"),
    (r"norm2\b", "around_feed_forward.norm"),
]


def give(theirs, mine, names):
    """Fill their model with our weights, a state dict. names  pairs of a pattern in their names and
    what stands there in ours; our queries, keys and values are apart, theirs may lie together."""

    def weight(name, theirs):
        for pattern, replacement in names:
            name = re.sub(pattern, replacement, name)
        if together := re.search(r"\bto_([qkv]{2,3})\.", name):
            parts = [name.replace(together[0], f"to_{letter}.") for letter in together[1]]
            found = torch.cat([mine[part] for part in parts])
        else:
            found = mine[name]
        if name.endswith("table") and found.shape != theirs.shape[-found.ndim :]:
            found = found.mT  # heads or features last, there or here
        return found.reshape(theirs.shape)

    state = theirs.state_dict()
    theirs.load_state_dict({name: weight(name, tensor) for name, tensor in state.items()})
    return theirs


def timm_attention(ours):
    """Of our multi-head attention."""
    from timm.layers import Attention

    theirs = Attention(ours.to_out.in_features, ours.heads, qkv_bias=True)
    return give(theirs, ours.state_dict(), [(r"^(qkv)\b", r"to_\1"), (r"^proj\b", "to_out")])


def fast_transformers():
    """Causal linear attention in the kernel of the paper's authors; theirs puts heads third."""
    from fast_transformers.causal_product import causal_dot_product

    from tutorial_lib.layers.linear_attention import phi

    def attend(q, k, v):
        q, k = phi(q), phi(k)
        z = (q * k.cumsum(-2)).sum(-1, keepdim=True)
        return causal_dot_product(q.contiguous(), k.contiguous(), v.contiguous()) / z

    return attend


def quantized_by_pytorch(linear):
    """A linear map with int8 weights by PyTorch's own quantization."""
    from torch.ao.nn.quantized.dynamic import Linear
    from torch.ao.quantization import default_dynamic_qconfig

    linear.qconfig = default_dynamic_qconfig
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a method to come
        return Linear.from_float(linear)


class BothHeads(nn.Module):
    """A distilled model of timm's, which gives both heads' answers in testing too."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, images):
        z = self.model.forward_features(images)
        return self.model.head(z[:, 0]), self.model.head_dist(z[:, 1])


def timm_vit(ours):
    """Of our ViT or DeiT."""
    from timm.models.deit import VisionTransformerDistilled
    from timm.models.vision_transformer import VisionTransformer

    distilled = hasattr(ours, "distillation_token")
    layer, embed = ours.encoder[0], ours.embed
    dim = ours.head.in_features
    theirs = (VisionTransformerDistilled if distilled else VisionTransformer)(
        img_size=ours.grid[0] * embed.patch,
        patch_size=embed.patch,
        in_chans=embed.project.in_channels,
        num_classes=ours.head.out_features,
        embed_dim=dim,
        depth=len(ours.encoder),
        num_heads=layer.attention.heads,
        mlp_ratio=layer.feed_forward.up.out_features / dim,
        norm_layer=lambda dim, **more: nn.LayerNorm(dim, layer.around_attention.norm.eps, **more),
    )
    state = ours.state_dict()
    if distilled:  # theirs has the second token's position among the others
        table, second = state["positions.table"], state["distillation_position"]
        state["positions.table"] = torch.cat([table[:1], second, table[1:]])
    names = [
        *IN_A_BLOCK,
        (r"^blocks\.", "encoder."),
        (r"^patch_embed\.proj", "embed.project"),
        ("^cls_token", "class_token"),
        ("^dist_token", "distillation_token"),
        ("^pos_embed", "positions.table"),
        ("^head_dist", "distillation_head"),
    ]
    theirs = give(theirs, state, names)
    return BothHeads(theirs) if distilled else theirs


def vit_pytorch_vit(ours):
    """Of our ViT, whose queries, keys and values must have zeros for biases: theirs has none. Two
    LayerNorms around the map of the patches, which only theirs has, are taken out."""
    from vit_pytorch.vit import ViT

    layer, embed = ours.encoder[0], ours.embed
    dim, heads = ours.head.in_features, layer.attention.heads
    theirs = ViT(
        image_size=ours.grid[0] * embed.patch,
        patch_size=embed.patch,
        channels=embed.project.in_channels,
        num_classes=ours.head.out_features,
        dim=dim,
        depth=len(ours.encoder),
        heads=heads,
        dim_head=dim // heads,
        mlp_dim=layer.feed_forward.up.out_features,
    )
    theirs.to_patch_embedding[1] = theirs.to_patch_embedding[3] = nn.Identity()
    for module in theirs.modules():
        if isinstance(module, nn.LayerNorm):
            module.eps = ours.norm.eps
    names = [
        (r"transformer\.layers\.(\d+)\.0\.norm", r"encoder.\1.around_attention.norm"),
        (r"transformer\.layers\.(\d+)\.0\.to_out\.0", r"encoder.\1.attention.to_out"),
        (r"transformer\.layers\.(\d+)\.0", r"encoder.\1.attention"),
        (r"transformer\.layers\.(\d+)\.1\.net\.0", r"encoder.\1.around_feed_forward.norm"),
        (r"transformer\.layers\.(\d+)\.1\.net\.1", r"encoder.\1.feed_forward.up"),
        (r"transformer\.layers\.(\d+)\.1\.net\.4", r"encoder.\1.feed_forward.down"),
        (r"transformer\.norm", "norm"),
        ("mlp_head", "head"),
        (r"to_patch_embedding\.2", "embed.project"),
        ("cls_token", "class_token"),
        ("pos_embedding", "positions.table"),
    ]
    theirs = give(theirs, ours.state_dict(), names)
    # A patch's numbers: theirs row, column, channel.
    patches = embed.project.weight.detach().permute(0, 2, 3, 1).flatten(1)
    theirs.to_patch_embedding[2].weight.data.copy_(patches)
    return theirs


def timm_swin(ours, side):
    """Of our Swin, for images of side × side pixels."""
    from timm.models.swin_transformer import SwinTransformer

    project, first = ours.embed.project, ours.stages[0][0]
    theirs = SwinTransformer(
        img_size=side,
        patch_size=project.kernel_size[0],
        in_chans=project.in_channels,
        num_classes=ours.head.out_features,
        embed_dim=project.out_channels,
        depths=[len(stage) for stage in ours.stages],
        num_heads=[stage[0].attention.attention.heads for stage in ours.stages],
        window_size=first.attention.window,
        drop_path_rate=0.0,
    )
    names = [
        (r"attn\.relative_position_bias_table", "attention.bias.table"),
        *((p, r.replace("attention.to", "attention.attention.to")) for p, r in IN_A_BLOCK),
        (r"layers\.(\d+)\.blocks", r"stages.\1"),
        (r"layers\.(\d+)\.downsample\.reduction", r"merge \1.reduce"),
        (r"layers\.(\d+)\.downsample", r"merge \1"),
        (r"merge (\d+)", lambda found: f"merges.{int(found[1]) - 1}"),
        (r"patch_embed\.proj", "embed.project"),
        (r"patch_embed\.norm", "embed.norm"),
        (r"head\.fc", "head"),
    ]
    return give(theirs, ours.state_dict(), names)


def timm_tnt(ours, side):
    """Of our TNT with a stride of 4, the only one that theirs has."""
    from timm.models.tnt import TNT

    block, embed = ours.encoder[0], ours.embed
    dim = ours.head.in_features
    theirs = TNT(
        img_size=side,
        patch_size=embed.patch,
        in_chans=embed.project.in_channels,
        num_classes=ours.head.out_features,
        embed_dim=dim,
        inner_dim=embed.project.out_channels,
        depth=len(ours.encoder),
        num_heads_inner=block.inner.attention.heads,
        num_heads_outer=block.outer.attention.heads,
        mlp_ratio=block.outer.feed_forward.up.out_features / dim,
        qkv_bias=True,
        first_stride=embed.project.stride[0],
    )
    names = [
        (r"blocks\.(\d+)\.(norm1_proj|norm2_proj|proj)", r"encoder.\1.join.\2"),
        (r"^(norm1_proj|norm2_proj|proj)\b", r"first.\1"),
        ("norm1_proj", "norm_in"),
        ("norm2_proj", "norm_out"),
        (r"(join|first)\.proj\b", r"\1.project"),
    ]
    for theirs_, mine in (("in", "inner"), ("out", "outer")):
        mlp = "mlp_in" if theirs_ == "in" else "mlp"
        names += [
            (rf"blocks\.(\d+)\.attn_{theirs_}\.proj", rf"encoder.\1.{mine}.attention.to_out"),
            (rf"blocks\.(\d+)\.attn_{theirs_}\.", rf"encoder.\1.{mine}.attention.to_"),
            (rf"blocks\.(\d+)\.norm_{theirs_}\b", rf"encoder.\1.{mine}.around_attention.norm"),
            (rf"blocks\.(\d+)\.norm_{mlp}\b", rf"encoder.\1.{mine}.around_feed_forward.norm"),
            (rf"blocks\.(\d+)\.{mlp}\.fc1", rf"encoder.\1.{mine}.feed_forward.up"),
            (rf"blocks\.(\d+)\.{mlp}\.fc2", rf"encoder.\1.{mine}.feed_forward.down"),
        ]
    names += [
        ("^cls_token", "class_token"),
        ("^patch_pos", "positions.table"),
        ("^pixel_pos", "embed.positions.table"),
        (r"^pixel_embed\.proj", "embed.project"),
    ]
    return give(theirs, ours.state_dict(), names)


def timm_twins(ours, side):
    """Of our Twins."""
    from timm.models.twins import Twins

    def of_stages(value):
        return tuple(value(stage) for stage in ours.stages)

    theirs = Twins(
        img_size=side,
        patch_size=ours.stages[0].embed.patch,
        in_chans=ours.stages[0].embed.project.in_channels,
        num_classes=ours.head.out_features,
        embed_dims=of_stages(lambda s: s.embed.project.out_channels),
        num_heads=of_stages(lambda s: s.layers[0].attention.heads),
        mlp_ratios=of_stages(lambda s: s.layers[0].feed_forward.up.weight.shape[0]
                             // s.layers[0].feed_forward.up.weight.shape[1]),
        depths=of_stages(lambda s: len(s.layers)),
        sr_ratios=of_stages(lambda s: s.layers[1].attention.k),
        wss=of_stages(lambda s: s.layers[0].attention.window),
    )  # fmt: skip
    names = [
        (r"patch_embeds\.(\d+)\.proj", r"stages.\1.embed.project"),
        (r"patch_embeds\.(\d+)\.norm", r"stages.\1.norm"),
        (r"pos_block\.(\d+)\.proj\.0", r"stages.\1.positions.convolve"),
        (r"^blocks\.(\d+)\.", r"stages.\1.layers."),
        (r"attn\.sr\b", "attention.summarize"),
        (r"attn\.norm\b", "attention.norm"),
        *IN_A_BLOCK,
    ]
    return give(theirs, ours.state_dict(), names)
