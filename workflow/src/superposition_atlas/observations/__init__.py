"""The talk's observations and what becomes of them."""
