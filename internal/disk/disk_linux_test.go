package disk

import (
	"reflect"
	"testing"
)

func TestFindMount_TheLastOfTheLongest(t *testing.T) {
	t.Parallel()
	const mountinfo = `21 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw,barrier=0
22 21 0:20 / /data rw,nosuid - tmpfs tmpfs rw,size=64k
23 22 0:21 / /data rw master:3 propagate_from:2 - xfs /dev/vdb rw,inode64
24 21 0:22 / /with\040blank ro - squashfs /dev/loop0 ro
25 21 0:23 /sub /database rw shared:4 - btrfs /dev/vdc
broken
`
	for path, want := range map[string]Mount{
		"/home/ada":     {"ext4", "/", []string{"rw", "relatime", "rw", "barrier=0"}},
		"/data":         {"xfs", "/data", []string{"rw", "rw", "inode64"}},
		"/data/q":       {"xfs", "/data", []string{"rw", "rw", "inode64"}},
		"/database/q":   {"btrfs", "/database", []string{"rw"}},
		"/with blank/q": {"squashfs", "/with blank", []string{"ro", "ro"}},
	} {
		if got := findMount(mountinfo, path); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, want %+v", path, got, want)
		}
	}
}
