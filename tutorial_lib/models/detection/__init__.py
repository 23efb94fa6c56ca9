"""Survey section 2.2, object detection: models that turn an image into a set of boxes."""
