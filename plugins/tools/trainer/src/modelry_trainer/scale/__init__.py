"""How much memory and traffic a training takes on each of many devices: arithmetic on a configuration, nothing loaded.

Tests hold it against what the code allocates on the meta device and what its processes send.
"""
