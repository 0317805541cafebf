//go:build !linux && !darwin && !windows

package disk

func mountOf(string) (Mount, error) { return Mount{}, nil }

func spaceOf(string) (Space, bool, error) { return Space{}, false, nil }
