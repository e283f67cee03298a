"""Where `history_ship` can ship to. To add a target, add a module and a line to `targets`."""
