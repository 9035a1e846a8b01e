"""Rows for a training: of files, folders of pictures, data sets of the hub, and the settings. Torch-free."""
