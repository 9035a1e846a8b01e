"""The steps of image processing, one concept a room: settings, loading, sizes, geometry, values, and ways back."""
