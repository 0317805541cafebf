package eventlog

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
)

func TestOpen_NewLogIsSyncedFromTheInsideOut(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	dir := filepath.Join(root, "a", "b")
	w := &watchedDisk{}
	temp := regexp.MustCompile(regexp.QuoteMeta(tempPrefix) + `\d+$`)
	w.setFail(func(call string) error {
		_, err := os.Stat(filepath.Join(dir, logDir))
		if there := err == nil; there != (call == "syncdir b") {
			t.Errorf("at %s: the log has its name: %v", call, there)
		} else if there {
			if d, _, _ := markIn(t, dir); d != 0 {
				t.Errorf("D is %d before the log's name is durable", d)
			}
		}
		return nil
	})
	openDirLog(t, dir, Options{disk: w.disk()})
	calls := w.take()
	for i, call := range calls {
		calls[i] = temp.ReplaceAllString(call, "TEMP")
	}
	want := []string{
		"syncdir " + filepath.Base(root), "syncdir a",
		"datasync FORMAT", "datasync append.lock", "datasync durable", "datasync 00000000000000000001",
		"syncdir TEMP", "syncdir b",
	}
	if !slices.Equal(calls, want) {
		t.Errorf("calls are %q, want %q", calls, want)
	}
	if d, _, _ := markIn(t, dir); d != 1 {
		t.Errorf("D is %d, want 1", d)
	}
}
