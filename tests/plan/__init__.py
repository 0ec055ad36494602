"""The plan is the cheapest."""
