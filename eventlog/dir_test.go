package eventlog

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/queuectl/queuectl/internal/file"
)

// openDirLog is openIn for a directory.
func openDirLog(t testing.TB, dir string, opt Options) *handle {
	t.Helper()
	return openIn(t, dirWorld(dir), opt)
}

// wantSound fails the test if the log in dir is not sound. It returns the report.
func wantSound(t testing.TB, dir string) *Report {
	t.Helper()
	report, err := Verify(t.Context(), dir, VerifyOptions{})
	if err != nil {
		t.Fatalf("verify: %v", err)
	}
	for _, damage := range report.Damage {
		t.Errorf("verify: %v", damage)
	}
	return report
}

// listing lists the files below dir with their modes.
func listing(t testing.TB, dir string) (names []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		name, _ := filepath.Rel(dir, path)
		names = append(names, fmt.Sprintf("%v %s", info.Mode(), filepath.ToSlash(name)))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func segmentsIn(t testing.TB, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if _, ok := parseSegmentName(entry.Name()); ok {
			names = append(names, entry.Name())
		}
	}
	return names
}

func TestOpen_MakesParentsAndPrivateFiles(t *testing.T) {
	t.Parallel()
	top := t.TempDir()
	dir := filepath.Join(top, "a", "b")
	h := openDirLog(t, dir, Options{})
	h.append(t, "x")
	h.Close()
	want := []string{
		"drwx------ a",
		"drwx------ a/b",
		"drwx------ a/b/log",
		"-rw------- a/b/log/00000000000000000001",
		"-rw------- a/b/log/FORMAT",
		"-rw------- a/b/log/append.lock",
		"-rw------- a/b/log/durable",
	}
	if got := listing(t, top)[1:]; !slices.Equal(got, want) {
		t.Errorf("there is %q, want %q", got, want)
	}
	wantSound(t, dir)
}

func TestOpen_DirectoryMayHoldWhatIsOurs(t *testing.T) {
	t.Parallel()
	for _, name := range append(neighbours, tempPrefix+"123") {
		dir := t.TempDir()
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
		openDirLog(t, dir, Options{}).append(t, "x")
	}
}

func TestOpen_RefusesOtherDirectories(t *testing.T) {
	t.Parallel()
	isDamage := func(err error) bool { return damaged(err) != nil }
	is := func(target error) func(error) bool { return func(err error) bool { return errors.Is(err, target) } }
	for _, row := range []struct {
		name  string
		files []string // a slash at the end makes a directory
		want  func(error) bool
	}{
		{"with a file", []string{"notes.txt"}, is(ErrNotOurs)},
		{"with a log of something else", []string{"log/", "log/access.log"}, is(ErrNotOurs)},
		{"with an empty log", []string{"log/"}, is(ErrNotOurs)},
		{"with a FORMAT that is none", []string{"log/", "log/FORMAT"}, is(ErrNotOurs)},
		{"whose log is gone", []string{"sealed/"}, isDamage},
		{"whose log is gone after a repair", []string{"quarantine/"}, isDamage},
	} {
		dir := t.TempDir()
		for _, name := range row.files {
			path := filepath.Join(dir, name)
			if strings.HasSuffix(name, "/") {
				if err := os.Mkdir(path, 0o700); err != nil {
					t.Fatal(err)
				}
			} else {
				put(t, path, []byte("x"))
			}
		}
		before := listing(t, dir)
		l, err := Open(t.Context(), dir, &ledger{}, Options{Create: created})
		if err == nil {
			l.Close()
		}
		if !row.want(err) {
			t.Errorf("directory %s: %v", row.name, err)
		}
		if after := listing(t, dir); !slices.Equal(before, after) {
			t.Errorf("directory %s: changed from %q to %q", row.name, before, after)
		}
	}
}

func TestOpen_OfAFileIsAnError(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "file")
	put(t, path, nil)
	if _, err := Open(t.Context(), path, &ledger{}, Options{Create: created}); err == nil {
		t.Error("a file was opened as a directory")
	}
}

func TestOpen_RefusesANetworkFileSystem(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "q")
	d := realDisk
	d.network = func(string) (string, error) { return "nfs", nil }
	if _, err := Open(t.Context(), dir, &ledger{}, Options{Create: created, disk: &d}); !errors.Is(err, ErrNetworkFS) {
		t.Errorf("open: %v, want ErrNetworkFS", err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the directory was made: %v", err)
	}
	openDirLog(t, dir, Options{AllowNetworkFS: true, disk: &d}).append(t, "x")
}

func TestOpen_ManyAtOnceMakeOneLog(t *testing.T) {
	t.Parallel()
	for range 10 {
		dir := filepath.Join(t.TempDir(), "q")
		ids := make([]LogID, 8)
		var wg sync.WaitGroup
		for i := range ids {
			wg.Go(func() {
				l, err := Open(t.Context(), dir, &ledger{}, Options{Create: created})
				if err != nil {
					t.Errorf("open: %v", err)
					return
				}
				ids[i] = l.ID()
				l.Close()
			})
		}
		wg.Wait()
		if ids = slices.Compact(ids); len(ids) != 1 {
			t.Fatalf("there were several logs: %v", ids)
		}
		if names := listing(t, dir); len(names) != 6 {
			t.Errorf("left in the directory: %q", names)
		}
		if report := wantSound(t, dir); report.Head.Commit != 1 {
			t.Errorf("head is %+v, want commit 1", report.Head)
		}
	}
}

func TestOpen_OfAnExistingLogChangesNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	h := openDirLog(t, dir, Options{SegmentSize: 512})
	for range 20 {
		h.append(t, "some event")
	}
	h.Close()
	before := contents(t, dir)
	s, err := openDir(dir, &Options{SegmentSize: 512})
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := s.tryLock(); !ok || err != nil {
		t.Fatal(ok, err)
	}
	// The lock is ours, so nobody who wants it can be served.
	late := openDirLog(t, dir, Options{})
	if lines, _ := late.view(t); len(lines) != 21 {
		t.Errorf("%d events, want 21", len(lines))
	}
	late.Close()
	s.unlock()
	if err := s.close(); err != nil {
		t.Fatal(err)
	}
	if after := contents(t, dir); !slices.Equal(before, after) {
		t.Error("reading changed something")
	}
}

// contents lists the files below dir, with what is in them.
func contents(t testing.TB, dir string) (files []string) {
	t.Helper()
	for _, name := range listing(t, dir) {
		_, path, _ := strings.Cut(name, " ")
		data, _ := os.ReadFile(filepath.Join(dir, path)) // not of a directory
		files = append(files, name+"\n"+string(data))
	}
	return files
}

func TestAppend_ToADirectoryThatIsGone(t *testing.T) {
	t.Parallel()
	for _, replace := range []bool{false, true} {
		dir := filepath.Join(t.TempDir(), "q")
		h := openDirLog(t, dir, Options{})
		h.append(t, "x")
		if err := os.RemoveAll(dir); err != nil {
			t.Skipf("needs a system that removes open files: %v", err)
		}
		if replace {
			openDirLog(t, dir, Options{}).append(t, "another log's")
		}
		err := h.Append(t.Context(), h.proposes("y"))
		if !errors.Is(err, ErrNoLog) || !errors.Is(err, ErrNotCommitted) {
			t.Errorf("replaced %v: append: %v, want ErrNoLog and ErrNotCommitted", replace, err)
		}
		if err := h.View(t.Context(), func(Head) {}); !errors.Is(err, ErrNoLog) {
			t.Errorf("replaced %v: view: %v, want ErrNoLog", replace, err)
		}
		if replace {
			openDirLog(t, dir, Options{}).wantLines(t, "1:created", "2:another log's")
		}
	}
}

func TestAppend_AfterOthersWentOnByManySegments(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	idle, reading := openDirLog(t, dir, Options{SegmentSize: 512}), openDirLog(t, dir, Options{SegmentSize: 512})
	idle.append(t, "first")
	reading.view(t)
	busy := openDirLog(t, dir, Options{SegmentSize: 512})
	for range 100 {
		busy.append(t, "more")
	}
	busy.Close()
	if n := len(segmentsIn(t, filepath.Join(dir, logDir))); n != 2 {
		t.Fatalf("%d segments in log: the test needs that of the idle one to be sealed", n)
	}
	idle.append(t, "last")
	lines, _ := reading.view(t)
	if len(lines) != 103 || lines[102] != "103:last" {
		t.Errorf("%d events, the last is %q", len(lines), lines[len(lines)-1])
	}
	wantSound(t, dir)
}

func TestAppend_WithDifferentSegmentSizes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	handles := []*handle{
		openDirLog(t, dir, Options{SegmentSize: 100_000}),
		openDirLog(t, dir, Options{SegmentSize: 300}), // finds a tail that is too large already
		openDirLog(t, dir, Options{SegmentSize: 5000}),
	}
	for i := range 150 {
		handles[i*i%7%3].append(t, strings.Repeat("x", i))
	}
	if lines, _ := handles[0].view(t); len(lines) != 151 {
		t.Errorf("%d events, want 151", len(lines))
	}
	for _, h := range handles {
		h.Close()
	}
	wantSound(t, dir)
}

func TestReadOnly_NeedsNoWritableFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	h := openDirLog(t, dir, Options{})
	h.append(t, "x")
	h.Close()
	if err := os.Remove(filepath.Join(dir, logDir, lockFile)); err != nil {
		t.Fatal(err)
	}
	before := contents(t, dir)
	openDirLog(t, dir, Options{ReadOnly: true}).wantLines(t, "1:created", "2:x")
	if after := contents(t, dir); !slices.Equal(before, after) {
		t.Error("reading changed something")
	}
}

func TestAppend_WaitingForTheLockOfADirectoryThatIsReplaced(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "q")
	h := openDirLog(t, dir, Options{})
	h.append(t, "x")
	busy, err := file.OpenExistingLock(filepath.Join(dir, logDir, lockFile))
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	if err := busy.Exclusive(); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Skipf("needs a system that removes open files: %v", err)
	}
	other := openDirLog(t, dir, Options{})
	other.append(t, "another log's")
	if err := h.Append(t.Context(), h.proposes("y")); !errors.Is(err, ErrNoLog) || !errors.Is(err, ErrNotCommitted) {
		t.Errorf("append: %v, want ErrNoLog and ErrNotCommitted", err)
	}
	other.append(t, "more")
	other.wantLines(t, "1:created", "2:another log's", "3:more")
	wantSound(t, dir)
}

func TestAppend_AfterTheLockCouldNotBeLetGo(t *testing.T) {
	t.Parallel()
	for _, replace := range []bool{false, true} {
		dir := filepath.Join(t.TempDir(), "q")
		h := openDirLog(t, dir, Options{})
		h.append(t, "x")
		h.core.store.(*dirStore).lock.Close() // as unlock does then
		if replace {
			if err := os.RemoveAll(dir); err != nil {
				t.Skipf("needs a system that removes open files: %v", err)
			}
			openDirLog(t, dir, Options{}).append(t, "another log's")
			if err := h.Append(t.Context(), h.proposes("y")); !errors.Is(err, ErrNoLog) {
				t.Errorf("append: %v, want ErrNoLog", err)
			}
			openDirLog(t, dir, Options{}).wantLines(t, "1:created", "2:another log's")
			continue
		}
		h.append(t, "y")
		other := openDirLog(t, dir, Options{})
		other.append(t, "z")
		h.append(t, "more")
		h.wantLines(t, "1:created", "2:x", "3:y", "4:z", "5:more")
	}
}
