package eventlog

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// smallDisk returns a directory on a file system of that many KiB.
func smallDisk(t *testing.T, kib int) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%dk", kib)); err != nil {
		t.Skipf("needs the right to mount a tmpfs: %v", err)
	}
	t.Cleanup(func() { unix.Unmount(dir, unix.MNT_DETACH) })
	return dir
}

// fill uses up all space in dir, and returns the file that does.
func fill(t *testing.T, dir string) string {
	t.Helper()
	path := filepath.Join(dir, "fill")
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for block := make([]byte, 4096); ; {
		if _, err := f.Write(block); err != nil {
			return path
		}
	}
}

func TestFullDisk_OnlyEssentialsAreWritten(t *testing.T) {
	t.Parallel()
	disk := smallDisk(t, 1024)
	dir := filepath.Join(disk, "q")
	const size = 8 << 10
	h := openDirLog(t, dir, Options{SegmentSize: size})
	h.append(t, "a")
	filler := fill(t, disk)

	// What is reserved for the tail may be used up by anybody: more is refused when the next
	// segment begins.
	decided := 0
	filling := h.proposes(strings.Repeat("f", 500))
	decide := filling.Decide
	filling.Decide = func(turn Turn) ([]Event, error) { decided++; return decide(turn) }
	var err error
	for err == nil {
		err = h.Append(t.Context(), filling)
	}
	before := decided
	for range 3 {
		if err := h.Append(t.Context(), filling); !errors.Is(err, ErrDiskFull) {
			t.Fatalf("append: %v, want ErrDiskFull", err)
		}
	}
	if decided != before {
		t.Error("it was decided, though it could not be written")
	}
	if before > 2*size/500 {
		t.Errorf("%d appends of 500 bytes before a full disk was noticed", before)
	}
	fill(t, disk) // nothing was given back that somebody else could take

	tail, _ := tailOf(t, dir)
	outcome := h.proposes(strings.Repeat("o", 1000))
	outcome.Essential = true
	for i := range outcomeReserve / 2 / 1000 {
		if err := h.Append(t.Context(), outcome); err != nil {
			t.Fatalf("outcome %d: %v", i, err)
		}
	}
	if now, _ := tailOf(t, dir); now != tail {
		t.Errorf("%s was begun on a full disk: it has nothing reserved", filepath.Base(now))
	}
	lines, _ := h.view(t)

	// Another process is bound by the same rule.
	late := openDirLog(t, dir, Options{SegmentSize: size})
	if err := late.Append(t.Context(), late.proposes("x")); !errors.Is(err, ErrDiskFull) {
		t.Errorf("append: %v, want ErrDiskFull", err)
	}

	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	for range 100 {
		h.append(t, strings.Repeat("x", 500))
	}
	if more, _ := late.view(t); len(more) != len(lines)+100 {
		t.Errorf("%d events, want %d", len(more), len(lines)+100)
	}
	h.Close()
	late.Close()
	wantSound(t, dir)
	if n := len(segmentsIn(t, filepath.Join(dir, sealedDir))); n == 0 {
		t.Error("no segments were sealed, so the size of a segment is not what it was")
	}
}

func TestFullDisk_LargeCommitIsCutOff(t *testing.T) {
	t.Parallel()
	disk := smallDisk(t, 1024)
	dir := filepath.Join(disk, "q")
	h := openDirLog(t, dir, Options{SegmentSize: 8 << 10})
	h.append(t, "a")
	_, before := tailOf(t, dir)
	err := h.Append(t.Context(), h.proposes(strings.Repeat("x", 2<<20)))
	if !errors.Is(err, ErrNotCommitted) || !errors.Is(err, ErrDiskFull) {
		t.Errorf("append: %v, want ErrNotCommitted and ErrDiskFull", err)
	}
	if _, after := tailOf(t, dir); !bytes.Equal(before, after) {
		t.Errorf("the segment has %d bytes, want %d", len(after), len(before))
	}
	h.append(t, "b")
	h.wantLines(t, "1:created", "2:a", "3:b")
	wantSound(t, dir)
}

func TestFullDisk_CreatingALogLeavesNothing(t *testing.T) {
	t.Parallel()
	disk := smallDisk(t, 64)
	fill(t, disk)
	dir := filepath.Join(disk, "q")
	if _, err := Open(t.Context(), dir, &ledger{}, Options{Create: created}); !errors.Is(err, unix.ENOSPC) {
		t.Fatalf("open: %v, want ENOSPC", err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 0 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}

func TestReserve_IsGivenBackWhenASegmentIsComplete(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	h := openDirLog(t, dir, Options{SegmentSize: 4096})
	for range 100 {
		h.append(t, strings.Repeat("x", 500))
	}
	h.Close()
	for _, sub := range []string{logDir, sealedDir} {
		names := segmentsIn(t, filepath.Join(dir, sub))
		for i, name := range names {
			var st unix.Stat_t
			if err := unix.Stat(filepath.Join(dir, sub, name), &st); err != nil {
				t.Fatal(err)
			}
			if last := sub == logDir && i == len(names)-1; !last && st.Blocks*512 > st.Size+8192 {
				t.Errorf("%s/%s has %d bytes and %d allocated", sub, name, st.Size, st.Blocks*512)
			}
		}
	}
}
