"""Chapter 07, the family: what the learner writes is what the library does."""

import pytest
import torch

from tutorial_lib.exercises import local_and_global
from tutorial_lib.models.backbones import regionvit, twins
from tutorial_lib.models.backbones.cat import CrossPatchAttention


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def test_summaries_are_those_of_the_library():
    yours = local_and_global.SubsampledAttention.reference(6, 2, 3)
    theirs = twins.SubsampledAttention(6, 2, 3)
    theirs.load_state_dict(
        {name.removeprefix("attention."): w for name, w in yours.state_dict().items()}
    )
    x = torch.randn(2, 6, 9, 6)
    torch.testing.assert_close(yours(x), theirs(x))


def test_positions_are_those_of_the_library():
    yours = local_and_global.PositionGenerator.reference(3)
    theirs = twins.PositionGenerator(3)
    theirs.load_state_dict(yours.state_dict())
    x = torch.randn(2, 4, 5, 3)
    assert torch.equal(yours(x), theirs(x))


def test_attention_on_channel_patches_is_the_librarys_cross_patch_attention():
    theirs, x = CrossPatchAttention(2), torch.randn(2, 4, 6, 3)
    patches = local_and_global.channel_patches.reference(x, 2)
    heard = super(CrossPatchAttention, theirs).forward(patches)
    again = local_and_global.channel_patches.reference(theirs(x), 2)
    torch.testing.assert_close(heard, again)


def test_regions_are_those_of_the_library_without_its_bias():
    yours = local_and_global.RegionalToLocal.reference(4, 2, 8)
    theirs = regionvit.RegionalToLocal(4, 2, 8, window=3)
    unread = theirs.load_state_dict(yours.state_dict(), strict=False)
    assert unread == (["relative.table"], [])
    theirs.relative.table.data.zero_()
    for around in (theirs.around_regional, theirs.around_local, theirs.around_feed_forward):
        around.norm.eps = yours.around_local.norm.eps
    given = torch.randn(2, 6, 4), torch.randn(2, 6, 9, 4)
    for mine, course in zip(yours(*given), theirs(*given)):
        torch.testing.assert_close(mine, course)
