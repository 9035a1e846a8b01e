"""Looking for good arguments of a training: many trainings, and the best of them."""
