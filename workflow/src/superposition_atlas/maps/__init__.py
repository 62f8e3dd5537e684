"""Maps over schedules: which points a map has, and the toy models trained at them."""
