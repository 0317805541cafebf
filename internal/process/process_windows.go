package process

// GroupExists is false: Windows has no process groups.
func GroupExists(int) bool { return false }
