"""The demonstration nation: an invented country of companies, and seven agencies that keep records of them.

`nation` makes the companies, `showcase` names those worth looking at, `records` writes what each agency knows in that
agency's own words, `agencies` are the agencies' systems, `supervisor` runs them, and `people` are those who may log in.
"""
