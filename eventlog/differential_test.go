package eventlog

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/tidwall/wal"

	"github.com/queuectl/queuectl/internal/effort"
)

var differentials = effort.New("differential", "logs", "how many logs of each kind to have read by others")

// TestDifferential_IndependentReader has a log read by a program in another language, which knows
// the format only from its description.
func TestDifferential_IndependentReader(t *testing.T) {
	t.Parallel()
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("needs python3")
	}
	first := differentials.Seed(90)
	for i := range differentials.Count(1) {
		h := threeSegments(t, first+uint64(i))
		h.rotate()
		dir := h.write(t)
		promise(t, dir, h)
		readByBoth(t, python, dir)
		archiveOf(t, dir, math.MaxUint64)
		pruneAt(t, dir, h.commitsBefore(2))
		readByBoth(t, python, dir)
	}
	effort.Report(t, map[string]int{"logs": 2 * differentials.Count(1)})
}

func readByBoth(t *testing.T, python, dir string) {
	t.Helper()
	var stderr bytes.Buffer
	cmd := exec.Command(python, "-B", filepath.Join("testdata", "reader.py"), dir)
	cmd.Stderr = &stderr
	theirs, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, stderr.Bytes())
	}
	var ours bytes.Buffer
	err = readLog(dir, 0, func(e *Entry) {
		m := e.Meta
		fmt.Fprintf(&ours, "%d|%d|%d|%d", e.Commit, e.First, e.Time, e.SyncedThrough)
		fmt.Fprintf(&ours, "|%s|%s|%d|%s|%s|%s|%s", m.User, m.Host, m.PID, m.Program, m.Reason, m.Dir, m.Path)
		for _, ev := range e.Events {
			fmt.Fprintf(&ours, "|%d:%x", ev.Kind, ev.Data)
		}
		ours.WriteByte('\n')
	})
	if err != nil {
		t.Fatal(err)
	}
	head := verify(t, dir).Head
	fmt.Fprintf(&ours, "head %d %d %s\n", head.Commit, head.Position, head.Hash)
	a, b := bytes.Split(ours.Bytes(), []byte("\n")), bytes.Split(theirs, []byte("\n"))
	for i := range max(len(a), len(b)) {
		if i >= len(a) || i >= len(b) || !bytes.Equal(a[i], bytes.TrimSuffix(b[i], []byte("\r"))) {
			t.Fatalf("line %d of %d and %d differs", i+1, len(a), len(b))
		}
	}
}

// TestDifferential_WAL writes with tidwall/wal, and reads with it and with ours.
func TestDifferential_WAL(t *testing.T) {
	t.Parallel()
	first := differentials.Seed(91)
	for i := range differentials.Count(1) {
		readByWAL(t, newHandmade(first+uint64(i), 2))
	}
	effort.Report(t, map[string]int{"logs": differentials.Count(1)})
}

func readByWAL(t *testing.T, h *handmade) {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, logDir), 0o700); err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(dir, logDir, formatFile), encodeFormat(h.id))
	const segmentSize = 4 << 10
	opts := wal.Options{SegmentSize: segmentSize, NoSync: true, FilePerms: 0o600}
	log, err := wal.Open(filepath.Join(dir, logDir), &opts)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close() // only for a test that fails
	var frames [][]byte
	for n := range 100 {
		data := make([]byte, h.rng.IntN(1000))
		frame, next := h.encode(t, Event{Kind: uint16(n), Data: data}, Event{Kind: 2, Data: []byte("second")})
		if err := log.Write(uint64(n)+1, frame); err != nil {
			t.Fatal(err)
		}
		frames = append(frames, frame)
		if h.tips = append(h.tips, next); next.offset >= segmentSize {
			h.rotate()
		}
	}
	if err := log.Sync(); err != nil {
		t.Fatal(err)
	}
	promise(t, dir, h)
	n := 0
	err = readLog(dir, 1, func(e *Entry) {
		n++
		theirs, err := log.Read(uint64(e.Commit))
		if err != nil || !bytes.Equal(theirs, frames[e.Commit-1]) {
			t.Fatalf("wal.Read(%d): %v, and %d bytes", e.Commit, err, len(theirs))
		}
		if e.Head() != h.tips[e.Commit].head || e.Size != len(theirs) {
			t.Errorf("commit %d: got %+v, want %+v", e.Commit, e.Head(), h.tips[e.Commit].head)
		}
	})
	if err != nil || n != len(frames) {
		t.Errorf("read %d commits of %d: %v", n, len(frames), err)
	}
	report := verify(t, dir)
	if len(report.Damage) > 0 || report.Torn != nil || report.Segments != len(h.segments) || report.Head != h.end().head {
		t.Errorf("got %+v, want %d segments and %+v", report, len(h.segments), h.end().head)
	}
}
