"""The engine's events as tables that people read.

`folding` folds a run of batches into the last state of each row, `copying` makes binary rows of them, `writing` brings
those into the tables, `notices` has owners told, and `projection` does it all in the transaction that moves the
watermark. `rebuilding` fills a second set of tables from the beginning and puts it in the place of the first.
"""
