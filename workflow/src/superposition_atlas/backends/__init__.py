"""What engines need of the machine, and no science: compiled code, threads, signals, GPUs."""
