"""What a module calls its parameters, by the graph's names or those of a checkpoint."""
