package eventlog

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// backedUp is a backup of the log in dir.
func backedUp(tb testing.TB, dir string) ([]byte, BackupInfo) {
	tb.Helper()
	var b bytes.Buffer
	info, err := Backup(tb.Context(), dir, &b, BackupOptions{})
	if err != nil {
		tb.Fatal(err)
	}
	return b.Bytes(), info
}

// restored makes a directory of a backup.
func restored(tb testing.TB, backup []byte) string {
	tb.Helper()
	dir := filepath.Join(tb.TempDir(), "q")
	if _, err := Restore(tb.Context(), bytes.NewReader(backup), dir, RestoreOptions{disk: &quickDisk}); err != nil {
		tb.Fatal(err)
	}
	return dir
}

func TestBackup_IsTheLogUpToWhatIsDurable(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name     string
		segments int
		archived []int // through which segments
		durable  Commit
	}{
		{name: "one segment", segments: 1},
		{name: "two", segments: 2},
		{name: "many", segments: 7},
		{name: "archived, too", segments: 9, archived: []int{2, 5}},
		{name: "all but two archived", segments: 6, archived: []int{4}},
		{name: "not all is durable", segments: 5, durable: 2},
		{name: "archived, and not all is durable", segments: 5, archived: []int{2}, durable: 1},
	} {
		h := manySegments(t, 720, row.segments)
		dir := h.write(t)
		through := h.commits() - row.durable
		promiseUpTo(t, dir, h, through)
		for _, i := range row.archived {
			archiveOf(t, dir, h.segments[i].first-1)
		}
		want, _ := lines(dir, 1)
		backup, info := backedUp(t, dir)
		if info.ID != h.id || info.Head != h.tips[through].head || info.Segments != row.segments {
			t.Errorf("%s: got %+v, want head %+v", row.name, info, h.tips[through].head)
		}
		copied := restored(t, backup)
		if r := verify(t, copied); len(r.Damage) > 0 || r.Torn != nil || r.Head != info.Head || r.Segments != row.segments || r.Bytes != info.Bytes {
			t.Errorf("%s: restored, it is %+v, %v", row.name, r, r.Damage)
		}
		got, damage := folded(t, copied)
		if damage != nil || len(got) != int(through) || got[through-1] != info.Head.Hash {
			t.Errorf("%s: a Log folds %d commits, %v, want %d", row.name, len(got), damage, through)
		}
		if n := len(segmentsIn(t, filepath.Join(copied, logDir))); n != min(2, row.segments) {
			t.Errorf("%s: %d segments are in log", row.name, n)
		}
		// What is written goes on there.
		state := &ledger{}
		l, err := Open(t.Context(), copied, state, Options{disk: &quickDisk})
		if err != nil {
			t.Fatal(err)
		}
		a := &handle{Log: l, state: state}
		if err := a.Append(t.Context(), a.proposes("after")); err != nil {
			t.Errorf("%s: append: %v", row.name, err)
		}
		l.Close()
		after, err := lines(copied, 1)
		if err != nil || len(after) != int(through)+1 || !slices.Equal(after[:through], want[:through]) {
			t.Errorf("%s: then %d commits are read, %v", row.name, len(after), err)
		}
	}
}

// promiseUpTo records in the D file that the log is durable up to a commit of its last segment.
func promiseUpTo(tb testing.TB, dir string, h *handmade, through Commit) {
	tb.Helper()
	var slot [slotSize]byte
	markOf(h.tips[through]).encode(&slot, h.id)
	put(tb, filepath.Join(dir, logDir, durableFile), slot[:])
}

func TestBackup_WithoutADFileHasWhatTheSegmentsSay(t *testing.T) {
	t.Parallel()
	h := manySegments(t, 721, 1)
	_, info := backedUp(t, h.write(t))
	if info.Head.Commit != h.commits()-1 { // its last frame promises all before it
		t.Errorf("got %+v, want %d", info, h.commits()-1)
	}
	one := newHandmade(722, 0)
	one.noise(t, 5)
	if _, info := backedUp(t, one.write(t)); info.Head != one.end().head {
		t.Errorf("of a new log: got %+v", info)
	}
}

func TestBackup_AnyTarProgramMakesAQueueOfIt(t *testing.T) {
	t.Parallel()
	h := manySegments(t, 723, 6)
	dir := h.write(t)
	promise(t, dir, h)
	archiveOf(t, dir, h.segments[2].first-1)
	backup, info := backedUp(t, dir)
	packed, err := zstd.NewReader(bytes.NewReader(backup))
	if err != nil {
		t.Fatal(err)
	}
	defer packed.Close()
	copied := t.TempDir()
	files := tar.NewReader(packed)
	var last string
	for {
		f, err := files.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(files)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(copied, f.Name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		put(t, path, data)
		last = f.Name
	}
	if last != backupList {
		t.Errorf("the last file is %s", last)
	}
	if r := verify(t, copied); len(r.Damage) > 0 || r.Head != info.Head {
		t.Errorf("got %+v", r)
	}
}

func TestBackup_OfADamagedLogIsNone(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(h *handmade, dir string, archive string) error{
		"a flip in log":         func(h *handmade, dir, _ string) error { return flipAt(h.path(dir, 6), 100) },
		"a flip in sealed":      func(h *handmade, dir, _ string) error { return flipAt(h.path(dir, 4), 100) },
		"a flip in an archive":  func(_ *handmade, _, archive string) error { return flipAt(archive, 100) },
		"a flip in a manifest":  func(_ *handmade, _, archive string) error { return flipAt(archive, -100) },
		"an archive is missing": func(_ *handmade, _, archive string) error { return os.Remove(archive) },
		"a segment is missing":  func(h *handmade, dir, _ string) error { return os.Remove(h.path(dir, 4)) },
		"the end is missing":    func(h *handmade, dir, _ string) error { return os.Remove(h.path(dir, 6)) },
		"the last two are missing": func(h *handmade, dir, _ string) error {
			return errors.Join(os.Remove(h.path(dir, 6)), os.Remove(h.path(dir, 5)), os.Remove(h.path(dir, 4)))
		},
		"the end is cut": func(h *handmade, dir, _ string) error {
			return os.Truncate(h.path(dir, 6), h.tips[h.commits()-1].offset)
		},
	} {
		h := manySegments(t, 724, 7)
		dir := h.write(t)
		promise(t, dir, h)
		archiveOf(t, dir, h.segments[4].first-1)
		archive := filepath.Join(dir, archiveDir, archiveName(1, h.segments[4].first-1))
		if err := spoil(h, dir, archive); err != nil {
			t.Fatal(err)
		}
		if _, err := Backup(t.Context(), dir, io.Discard, BackupOptions{}); damaged(err) == nil {
			t.Errorf("%s: got %v", name, err)
		}
		path := filepath.Join(t.TempDir(), "backup")
		if _, err := BackupFile(t.Context(), dir, BackupPath{Path: path}, BackupOptions{}); damaged(err) == nil {
			t.Errorf("%s: to a file: got %v", name, err)
		}
		if left := names(t, filepath.Dir(path), ""); len(left) > 0 {
			t.Errorf("%s: left is %v", name, left)
		}
	}
}

// flipAt flips a bit, at an offset from the end if that is negative.
func flipAt(path string, offset int) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if offset < 0 {
		offset += len(data)
	}
	data[offset] ^= 1
	return os.WriteFile(path, data, 0o600)
}

func TestBackupFile_ReplacesNothingUnlessForced(t *testing.T) {
	t.Parallel()
	h := manySegments(t, 725, 3)
	dir := h.write(t)
	path := filepath.Join(t.TempDir(), "backup")
	put(t, path, []byte("precious"))
	if _, err := BackupFile(t.Context(), dir, BackupPath{Path: path}, BackupOptions{}); !errors.Is(err, fs.ErrExist) {
		t.Errorf("got %v", err)
	}
	if data, _ := os.ReadFile(path); string(data) != "precious" {
		t.Errorf("it was replaced by %d bytes", len(data))
	}
	var told int64
	progress := func(done, total int64) {
		if done < told || done > total {
			t.Errorf("progress went from %d to %d of %d", told, done, total)
		}
		told = done
	}
	info, err := BackupFile(t.Context(), dir, BackupPath{Path: path, Force: true}, BackupOptions{Progress: progress})
	if err != nil || info.Segments != 3 || told != info.Bytes {
		t.Errorf("got %+v, %v, and progress ended at %d", info, err, told)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if r := verify(t, restored(t, data)); r.Head != info.Head {
		t.Errorf("got %+v", r)
	}
}

func TestBackup_EndsWithItsContext(t *testing.T) {
	t.Parallel()
	dir := manySegments(t, 726, 3).write(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Backup(ctx, dir, io.Discard, BackupOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	backup, _ := backedUp(t, dir)
	to := filepath.Join(t.TempDir(), "q")
	if _, err := Restore(ctx, bytes.NewReader(backup), to, RestoreOptions{disk: &quickDisk}); !errors.Is(err, context.Canceled) {
		t.Errorf("restore: got %v", err)
	}
	if left := names(t, filepath.Dir(to), ""); len(left) > 0 {
		t.Errorf("left is %v", left)
	}
}

// TestBackup_WhileOthersWorkOnIt: each backup is a log as it was at some moment.
func TestBackup_WhileOthersWorkOnIt(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	state := &ledger{}
	l, err := Open(t.Context(), dir, state, Options{disk: &quickDisk, Create: created, SegmentSize: 500})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() // nothing is left to lose
	h := &handle{Log: l, state: state}
	var wait sync.WaitGroup
	stop := make(chan struct{})
	busy := func(do func() error) {
		wait.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					if err := do(); err != nil {
						t.Error(err)
						return
					}
				}
			}
		})
	}
	var acked Commit
	var mu sync.Mutex
	busy(func() error {
		err := h.Append(t.Context(), h.proposes(strings.Repeat("x", 200)))
		mu.Lock()
		defer mu.Unlock()
		acked++
		return err
	})
	busy(func() error {
		_, err := Archive(t.Context(), dir, math.MaxUint64, ArchiveOptions{})
		return err
	})
	last := Head{}
	for range 30 / min(sample(), 5) {
		mu.Lock()
		before := acked
		mu.Unlock()
		backup, info := backedUp(t, dir)
		if info.Head.Commit < before || info.Head.Commit < last.Commit {
			t.Errorf("it goes up to %d, after %d was acknowledged", info.Head.Commit, before)
		}
		if r := verify(t, restored(t, backup)); len(r.Damage) > 0 || r.Head != info.Head {
			t.Errorf("got %+v, %v", r, r.Damage)
		}
		last = info.Head
	}
	close(stop)
	wait.Wait()
}
