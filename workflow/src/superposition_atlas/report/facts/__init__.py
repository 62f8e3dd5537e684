"""What the report's sentences are about: numbers read from tables, one module a subject, no words."""
