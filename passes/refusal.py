"""Why a layout cannot be: what rules and the algebra of layouts answer with."""


class Refusal(Exception):
    """A rule will not move this node; the message is the reason, as the report prints it."""
