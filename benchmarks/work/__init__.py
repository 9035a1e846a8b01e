"""What a worker process can measure: a module each, whose `prepare(side, ...)` returns the measuring function."""
