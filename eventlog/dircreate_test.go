package eventlog

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
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
		"syncdir " + filepath.Base(filepath.Dir(root)), "syncdir " + filepath.Base(root), "syncdir a",
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

// Whoever made the directories that are there may have died before their names were durable.
func TestOpen_SyncsTheNameOfTheDirectoryThatItFinds(t *testing.T) {
	t.Parallel()
	top := t.TempDir()
	for _, row := range []struct {
		there string
		want  []string // directories that are synced before anything is made in the last
	}{
		{"a", []string{filepath.Base(top), "a", "b"}},
		{"a/b", []string{"a", "b"}},
		{"a/b/c", []string{"b"}},
	} {
		dir := filepath.Join(top, "a", "b", "c")
		if err := os.MkdirAll(filepath.Join(top, filepath.FromSlash(row.there)), 0o700); err != nil {
			t.Fatal(err)
		}
		w := &watchedDisk{}
		openDirLog(t, dir, Options{disk: w.disk()}).Close()
		var got []string
		for _, call := range w.take() {
			name, synced := strings.CutPrefix(call, "syncdir ")
			if !synced {
				break
			}
			got = append(got, name)
		}
		if !slices.Equal(got, row.want) {
			t.Errorf("with %s, synced are %q, want %q", row.there, got, row.want)
		}
		if err := os.RemoveAll(filepath.Join(top, "a")); err != nil {
			t.Fatal(err)
		}
	}
}

func TestOpen_InADirectoryWhoseParentCannotBeRead(t *testing.T) {
	t.Parallel()
	if os.Getuid() == 0 {
		t.Skip("needs a user whom file modes bind")
	}
	top := t.TempDir()
	dir := filepath.Join(top, "parent", "q")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Dir(dir), 0o300); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Chmod(filepath.Dir(dir), 0o700) })
	openDirLog(t, dir, Options{}).append(t, "x")
	wantSound(t, dir)
}
