"""SAE architectures, one file each."""
