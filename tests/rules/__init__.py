"""The rules, one by one, and the algebra they stand on."""
