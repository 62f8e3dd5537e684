"""What training on a GPU needs, of toy models and SAEs alike."""
