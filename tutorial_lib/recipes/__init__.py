"""Recipes: scripts that train the checkpoints that chapters load. Each runs on its own, or on
several processes under `torchrun`."""
