"""What every layer stands on: errors, digests, bounded reading, time and place."""
