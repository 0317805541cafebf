package disk

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

func TestSpreadOf_CountsFromTheSmallest(t *testing.T) {
	t.Parallel()
	var values []time.Duration
	for n := range 101 {
		values = append(values, time.Duration(100-n))
	}
	if got, want := SpreadOf(values), (Spread{N: 101, P50: 50, P99: 99, Max: 100}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got, want := SpreadOf([]time.Duration{7}), (Spread{N: 1, P50: 7, P99: 7, Max: 7}); got != want {
		t.Errorf("of one value: got %+v, want %+v", got, want)
	}
	if got := SpreadOf(nil); got != (Spread{}) {
		t.Errorf("of nothing: got %+v", got)
	}
}

func TestSyncLatency_LeavesNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, m := range []Measure{{Syncs: 5, Most: time.Hour}, {Syncs: 5}} {
		got, err := SyncLatency(t.Context(), dir, m)
		if want := map[bool]int{true: 5, false: 1}[m.Most > 0]; err != nil || got.N != want || got.P50 <= 0 || got.Max < got.P50 {
			t.Errorf("%+v: got %+v (%v), want %d syncs", m, got, err, want)
		}
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := SyncLatency(over, dir, Measure{Syncs: 5, Most: time.Hour}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: got %v", err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("it left %v (%v)", left, err)
	}
	if _, err := SyncLatency(t.Context(), filepath.Join(dir, "none"), Measure{Syncs: 1}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("in no directory: got %v", err)
	}
}

func TestMount_SaysWhatIsNotKept(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		mount            Mount
		vanishes, unsafe bool
	}{
		{Mount{Kind: "ext4", Options: []string{"rw", "noatime"}}, false, false},
		{Mount{Kind: "ext4", Options: []string{"rw", "barrier=0"}}, false, true},
		{Mount{Kind: "xfs", Options: []string{"nobarrier"}}, false, true},
		{Mount{Kind: "tmpfs"}, true, false},
		{Mount{Kind: "overlay", Options: []string{"volatile"}}, true, true},
		{Mount{}, false, false},
	} {
		if got := tt.mount.Vanishes() != ""; got != tt.vanishes {
			t.Errorf("%+v vanishes: got %v", tt.mount, got)
		}
		if got := tt.mount.Unsafe() != ""; got != tt.unsafe {
			t.Errorf("%+v is unsafe: got %v", tt.mount, got)
		}
	}
}

func TestSame_ADirectoryAndWhatIsInIt(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	inside := filepath.Join(dir, "inside")
	if err := os.Mkdir(inside, 0o700); err != nil {
		t.Fatal(err)
	}
	if same, known, err := Same(dir, inside); err != nil || known && !same {
		t.Errorf("got %v, %v (%v)", same, known, err)
	}
	if _, _, err := Same(dir, filepath.Join(dir, "none")); err == nil {
		t.Error("nothing is on the same file system")
	}
}

func TestSpaceOf_IsNotMoreThanThereIs(t *testing.T) {
	t.Parallel()
	s, known, err := SpaceOf(t.TempDir())
	if err != nil || known && (s.Total == 0 || s.Free > s.Total || s.Files > s.TotalFiles && s.TotalFiles > 0) {
		t.Errorf("got %+v (%v)", s, err)
	}
	if _, known, err := SpaceOf(filepath.Join(t.TempDir(), "none")); known && err == nil {
		t.Error("there is space in a directory that is not there")
	}
}

func TestOwnerOf_Root(t *testing.T) {
	t.Parallel()
	info, err := os.Stat(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	if o, known := OwnerOf(info); known && o.Root != (o.Name() == "root" || o.Name() == "0") {
		t.Errorf("%s belongs to %+v", os.DevNull, o)
	}
}

func TestOwnerOf_AnOwnFile(t *testing.T) {
	t.Parallel()
	info, err := os.Stat(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if o, known := OwnerOf(info); known && (!o.Me || o.Name() == "" || o.Root != (os.Geteuid() == 0)) {
		t.Errorf("got %+v", o)
	}
}

func TestNearest_IsThere(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, path := range []string{dir, filepath.Join(dir, "a"), filepath.Join(dir, "a", "b", "c")} {
		if got := Nearest(path); got != dir {
			t.Errorf("%s: got %s, want %s", path, got, dir)
		}
	}
}

func TestMountOf_KnowsWhereADirectoryIs(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	m, err := MountOf(dir)
	if err != nil || m.ReadOnly() || slices.Contains(m.Options, "") {
		t.Errorf("got %+v (%v)", m, err)
	}
	if _, err := MountOf(filepath.Join(dir, "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("of nothing: got %v", err)
	}
}
