"""Chapter 19, PointNet: what is asked, how it is tried, and what people get wrong."""

from tutorial_lib.exercises import in_files

FILES = {  # in the order of the chapter: an exercise and the file that holds it
    "global_feature": "features",
    "PointNet": "module",
    "training_step": "training",
    "critical_points": "features",
    "pointnet_from_nothing": "from_nothing",
    "farthest_points": "sampling",
    "ball_query": "balls",
    "SetAbstraction": "abstraction",
    "max_pool_backward": "backward",
    "point_features": "debugging",
    "same_answer": "invariances",
    "orthogonality": "tnet",
    "interpolate": "propagation",
    "voxelize": "voxels",
}
__all__, __getattr__, __dir__ = in_files(__name__, FILES)
