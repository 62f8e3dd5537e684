"""How a setting is declared: once, as a field of a class, with its type, range, default and sentence."""
