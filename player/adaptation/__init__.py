"""Which level to fetch next: rules of adaptation, levels to choose from, the buffer, networks on a virtual clock."""
