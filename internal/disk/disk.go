// Package disk says what lies below a directory: the kind of its file system, the room that is left, whose it is, and
// how long a sync takes there.
//
// It promises to say that something is not known rather than to guess: not every system tells everything. It changes
// nothing, but for the file that [SyncLatency] writes and removes.
//
// It cannot see whether a disk that reports a sync has done one. Only a power cut shows that.
package disk

import (
	"errors"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"slices"
)

// Mount is the file system that a path is on.
type Mount struct {
	Kind    string   // "ext4", "tmpfs", "overlay", …; "" = not known
	Point   string   // where it is mounted; "" = not known
	Options []string // "ro", "nobarrier", …; nil also if they are not known
}

// MountOf returns the file system that a path is on. The error is that the path cannot be looked at.
func MountOf(path string) (Mount, error) {
	path, err := filepath.EvalSymlinks(path)
	if err == nil {
		path, err = filepath.Abs(path)
	}
	if err != nil {
		return Mount{}, err
	}
	return mountOf(path)
}

// Vanishes says why what is on the file system does not outlast the machine, or what it runs in: "" if nothing is known
// to take it away.
func (m Mount) Vanishes() string {
	switch m.Kind {
	case "tmpfs", "ramfs":
		return "it is in memory, and gone after a restart of the machine"
	case "overlay", "aufs":
		return "it is the writable layer of a container, and gone with the container"
	}
	return ""
}

// Unsafe returns the option by which the file system does without what makes a sync outlast a power cut, "" if it has
// none: mount(8), ext4(5), xfs(5), btrfs(5).
func (m Mount) Unsafe() string {
	i := slices.IndexFunc(m.Options, func(o string) bool {
		return slices.Contains([]string{"nobarrier", "barrier=0", "barrier=none", "volatile"}, o)
	})
	if i < 0 {
		return ""
	}
	return m.Options[i]
}

// ReadOnly says that nobody may write to the file system.
func (m Mount) ReadOnly() bool { return slices.Contains(m.Options, "ro") }

// Space is the room that a file system has for this user.
type Space struct {
	Free, Total       uint64 // bytes
	Files, TotalFiles uint64 // inodes; TotalFiles 0 = it has no such limit, or it is not known
}

// SpaceOf returns the room on the file system that a path is on. known is false where the system does not say.
func SpaceOf(path string) (s Space, known bool, err error) { return spaceOf(path) }

// Same says whether two paths are on one file system. known is false where the system does not say.
func Same(a, b string) (same, known bool, err error) { return sameFS(a, b) }

// Owner is who a file belongs to.
type Owner struct {
	Me   bool // it is the user of this process
	Root bool // it may do anything anyway

	id string
}

// Name returns the name of the user, or the number if it has no name. It may take long: some systems ask others.
func (o Owner) Name() string {
	if u, err := user.LookupId(o.id); err == nil {
		return u.Username
	}
	return o.id
}

// OwnerOf returns whose a file is. known is false where files have no such owner.
func OwnerOf(info fs.FileInfo) (o Owner, known bool) { return ownerOf(info) }

// Nearest returns the path itself, or the nearest directory above it that is there.
func Nearest(path string) string {
	for {
		parent := filepath.Dir(path)
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) || parent == path {
			return path
		}
		path = parent
	}
}
