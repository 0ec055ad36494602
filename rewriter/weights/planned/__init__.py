"""How the plan for the whole model stores what layers have, read and give."""
