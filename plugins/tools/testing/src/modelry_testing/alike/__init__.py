"""What several families keep alike beyond the contract of every model. Their tests call it with their own classes."""
