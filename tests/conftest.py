"""What all tests share."""

from hypothesis import settings

# How long an example takes says nothing about the code: other tests run on the same cores.
settings.register_profile("atlas", deadline=None)
settings.load_profile("atlas")
