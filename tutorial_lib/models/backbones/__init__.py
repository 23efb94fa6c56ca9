"""Survey section 2.1, backbones: models that turn an image into features and a class."""
