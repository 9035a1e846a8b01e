"""A small language model, its tokenizer and its files: what tasks, decoders and quantizers are checked with."""
