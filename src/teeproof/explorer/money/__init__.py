"""Who can do what to an agent's money, what a chain holds, who is owed what of an answer."""
