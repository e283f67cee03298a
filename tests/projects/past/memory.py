"""What an import takes of memory, page by page."""

import tracemalloc


def memory_of(pages):
    """Return the most bytes that each page took, and how far the last one had come."""
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
