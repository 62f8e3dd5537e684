"""How large a problem the theory still solves."""

LARGEST_SOLVED = 8
"""Most features of schedules whose best solutions are searched for: 8 take 1 to 8 s, 9 some 25 s."""
