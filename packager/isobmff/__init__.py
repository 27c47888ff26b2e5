"""ISO base media file format (ISO/IEC 14496-12): boxes that are written and read by one definition each."""
