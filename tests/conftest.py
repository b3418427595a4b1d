"""Property tests draw the same cases in every run, so that a green tree stays green; `make fuzz` draws new ones."""

from hypothesis import settings

settings.register_profile("same cases", derandomize=True)
settings.load_profile("same cases")
