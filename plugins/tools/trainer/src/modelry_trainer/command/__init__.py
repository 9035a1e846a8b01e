"""`modelry train CONFIG.yaml`: a training from a file. Reads settings and data, and leaves the training to Trainer."""
