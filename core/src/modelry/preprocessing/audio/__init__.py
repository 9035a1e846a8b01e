"""Sound: from files, bytes and arrays to waveforms at a model's sampling rate, and from there to its inputs.

Torch-free. soundfile, soxr and av are the extra `modelry-core[audio]`, imported when a file is read or resampled.
"""
