"""Measure the memory of an import."""

import tracemalloc


def memory_of(pages):
    """Return the peak of bytes for each page, and the progress of the last one."""
    peaks, told_of = [], None
    tracemalloc.start()
    try:
        for progress in pages:
            peaks.append(tracemalloc.get_traced_memory()[1])
            told_of = (progress.rows, progress.entries)
            tracemalloc.reset_peak()
    finally:
        tracemalloc.stop()
    return peaks, told_of
