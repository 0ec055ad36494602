"""One tensor: its axes as letters, what is done to it, the integers that it may be held as."""
