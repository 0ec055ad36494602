"""What the tests share: graphs, modes, makers of random graphs."""
