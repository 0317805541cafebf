package file

import (
	"math"

	"golang.org/x/sys/windows"
)

// syncDir: Windows has no such operation; NTFS journals names.
func syncDir(string) error { return nil }

// largest: Windows has no such limit.
func largest() int64 { return math.MaxInt64 }

func network(path string) (string, error) {
	name, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return "", err
	}
	var volume [windows.MAX_PATH + 1]uint16
	if err := windows.GetVolumePathName(name, &volume[0], uint32(len(volume))); err != nil {
		return "", err
	}
	if windows.GetDriveType(&volume[0]) == windows.DRIVE_REMOTE {
		return "network drive", nil
	}
	return "", nil
}
