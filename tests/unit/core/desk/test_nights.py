"""What positions pay for a night, from what, and who does not: see docs/desk.md. It begins on a Tuesday, at 22:13."""

import pytest

from support.desk_lines import peopled, play

WHO_PAYS = """
house terms long_financing_ppm=100 | ok
house terms TIN long_financing_ppm=100 | ok
house quote 50000 50000        | ok
alice long 1 x5                | #1 1 @50000 margin 10000
alice short 1 x10              | #2 1 @50000 margin 5000        -- shorts pay nothing here
bob   long 0.1 x5              | #3 0.1 @50000 margin 1000      -- half an atom, rounded up
bob   swap_free yes            | ok
nora  long 1 x5                | #4 1 @50000 margin 10000
nora  close #4                 | 1 @50000 earned 0
house wait 86400               | ok
house quote 50000 50000        | ok
nora  long 1 x5                | #5 1 @50000 margin 10000       -- opened after the day had ended
house night                    | 1 paid                         | alice 4995+15000  nora 10000+10000
bob   swap_free no             | ok
house wait 86400               | ok
house night                    | 3 paid                         | alice 4990+15000  bob 18999+1000  nora 9995+10000
ghost swap_free yes            | unknown_account
"""
DAYS = """
house night -1                 | wrong_day                      -- before there were rules
house night 0                  | wrong_day                      -- it has not ended
house wait 6399                | ok
house night 0                  | wrong_day
house wait 1                   | ok                             -- 22:13:20 and 6,400 seconds
house night 1                  | wrong_day
house night 0                  | 0 paid
house night 0                  | wrong_day
house wait 300000              | ok                             -- three were forgotten
house night 2                  | wrong_day
house night 1                  | 0 paid
house night 2                  | 0 paid
house night 3                  | 0 paid
house night 4                  | wrong_day
"""
NOBODY_OWES = """
house terms long_financing_ppm=10000 triple_weekday=1 | ok
house quote 50000 50000        | ok
alice long 2 x5                | #1 2 @50000 margin 20000       | alice 0+20000
bob   long 1 x100              | #2 1 @50000 margin 500         | bob 19500+500
bob   withdraw CASH 19000      | held                           | bob 500+19500
house wait 86400               | ok
house night                    | 2 paid                         | alice 0+17000  bob 0+19000  desk 4000+0
-- Of bob's 1,500 only 1,000 were there: 500 free and 500 of margin. His position stands without any.
house quote 50000 50000        | ok                             | bob 0+19000
    #2 closed 1 @50000 earned 0 margin_call
    bob isolated: 0 of 0, then 0 of 0
"""
FROM_GAINS = """
house terms long_financing_ppm=10000 | ok
house quote 50000 50000        | ok
house quote TIN 1000 1000      | ok
alice short 10 TIN x10 cross   | #1 10 @1000 margin 1000
alice long 1 x5 cross          | #2 1 @50000 margin 10000
house quote TIN 500 500        | ok                             -- 5,000 gained
alice withdraw CASH 14000      | held                           | alice 6000+14000
house quote 45000 45000        | ok
    alice warned: 6000 of 11000
alice close #2 0.9             | 0.9 @45000 earned -4500 left 0.1 | alice 1500+14000
alice withdraw CASH 1490       | held                           | alice 10+15490
house wait 86400               | ok
house night                    | 1 paid                         | alice 0+15490  desk 4510+0
-- 50 were due: 10 from cash and 40 from tin's gain, which brings as much less now.
house quote TIN 500 500        | ok
alice close #1                 | 10 @500 earned 4960            | alice 4960+15490
"""


@pytest.mark.parametrize("text", [WHO_PAYS, DAYS, NOBODY_OWES, FROM_GAINS])
def test_every_line_does_what_it_says(text: str) -> None:
    play(peopled(), text)


@pytest.mark.parametrize(
    ("weekday", "paid"),
    [(0, 5), (1, 15), (2, 5), (6, 5), (7, 5)],
    ids=["monday", "tuesday", "wednesday", "sunday", "none"],
)
def test_the_triple_day_is_a_weekday_of_the_calendar(weekday: int, paid: int) -> None:
    play(
        peopled(),
        f"""
house terms long_financing_ppm=100 triple_weekday={weekday} | ok
house quote 50000 50000        | ok
alice long 1 x5                | #1 1 @50000 margin 10000
house wait 86400               | ok
house night                    | 1 paid                         | alice {10_000 - paid}+10000
""",
    )
