"""What videos need beside the steps of images: settings, sampling of frames, decoding, and lists of frames."""
