"""The machine side of engines, without science: compiled code, threads, signals, GPUs."""
