"""How ensembles, settings and schedules behave in Python and in a notebook."""
