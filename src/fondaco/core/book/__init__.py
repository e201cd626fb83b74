"""The order book of one market: price before time, whole lots, no money.

`book.Book` calls the compiled `kernel`, one command at a time for the engine or a batch at a time for backtests;
`reference.ReferenceBook` does the same in plain Python, and tests hold one against the other. The words of both stand
in `vocabulary`, which loads no compiler: most processes of the house only speak of books.
"""
