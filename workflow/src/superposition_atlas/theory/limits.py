"""How large a problem the theory still solves."""

LARGEST_SOLVED = 8
"""Most features of schedules whose best solutions are searched for: 15 s with 8, four times that for
each more."""
