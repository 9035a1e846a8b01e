"""The checks of a model family, one concept a file. Each takes the family's `Subject` and raises ContractBroken."""
