"""Several processes that train one model, started by torchrun: the data dealt out, the model copied or sharded.

Who is who is in `environment`, how processes talk in `world` and `messages`, what becomes of a lost one in `watching`;
`sizes` and `options` read the arguments, `spreading` copies (DDP) or shards (FSDP2, tensor parallelism) a model;
`pieces` is how sharded tensors come to files and back.
"""
