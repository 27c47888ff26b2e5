"""What `gvideo encode` and `gvideo batch` share: folders, live, ladders, stores, executors."""
