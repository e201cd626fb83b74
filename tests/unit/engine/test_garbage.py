"""While the engine leads or recovers nothing is collected, and afterwards all is as it was."""

import gc

from fondaco.engine.garbage import without_collections


def test_nothing_is_collected_in_the_block_also_when_blocks_are_nested() -> None:
    assert gc.isenabled()
    with without_collections():
        assert not gc.isenabled()
        with without_collections():
            assert not gc.isenabled()
        assert not gc.isenabled(), "the inner block leaves to the outer one what is its own"
    assert gc.isenabled()


def test_what_was_made_in_the_block_is_left_out_of_later_collections() -> None:
    with without_collections():
        before = gc.get_freeze_count()
        made = [[number] for number in range(1_000)]
    assert gc.get_freeze_count() - before >= len(made)
    gc.unfreeze()
