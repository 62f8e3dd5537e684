"""What trained toy models represent (features), and what SAEs recover of it (recovery)."""
