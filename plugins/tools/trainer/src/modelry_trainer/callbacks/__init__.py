"""What listens to a training: the events, who calls them, and the callbacks that every training has."""
