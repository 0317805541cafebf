package eventlog

import (
	"bytes"
	"os"
	"testing"
)

// TestRepairLog_APromiseThatComesLateCountsForNothing has a process sync an append, and find that nobody has repaired the
// log; then somebody does, and takes that append away, before the process writes into D that it is durable.
func TestRepairLog_APromiseThatComesLateCountsForNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	late, meanwhile := quickDisk, func() {}
	late.writeAt = func(f *os.File, b []byte, offset int64) (int, error) {
		meanwhile()
		return f.WriteAt(b, offset)
	}
	h := openDirLog(t, dir, Options{disk: &late})
	h.append(t, "line 1")
	h.append(t, "line 2")
	path, data := tailOf(t, dir)
	data[bytes.Index(data, []byte("line 1"))] ^= 1
	put(t, path, data)
	meanwhile = func() {
		meanwhile = func() {}
		repaired(t, dir)
	}
	h.append(t, "line 3") // which was durable when that was looked at
	other := openDirLog(t, dir, Options{})
	if damage := other.Damage(); damage != nil {
		t.Fatalf("after the repair: %v", damage)
	}
	h.append(t, "line 4")
	h.wantLines(t, "1:created", "2:repaired", "3:line 4")
	wantSound(t, dir)
}
