"""What the explorer's console does, with the same functions as the commands."""
