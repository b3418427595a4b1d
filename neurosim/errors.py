"""The one exception that a user's mistake raises, wherever it is found."""


class NeurosimError(ValueError):
    """A mistake in what the user gave: one line that names the field, the value and what is allowed."""
