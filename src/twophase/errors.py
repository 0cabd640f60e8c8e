"""The one exception that is the user's to mend."""


class UserError(ValueError):
    """Bad input: the message names what was got, what is allowed and what to do (exit code 2 on the command line)."""


class Unreachable(UserError):
    """A server that does not answer at all: asking it for the next thing is of no use."""
