"""Bricks for model families: pure functions for mathematics, few small modules. Import from the rooms below;
`rope_parameters` and `decoder_config` need no torch."""
