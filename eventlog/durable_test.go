package eventlog

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// openMarks makes an empty D file.
func openMarks(t *testing.T) (*durableMarks, string) {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, logDir), 0o700); err != nil {
		t.Fatal(err)
	}
	d := &durableMarks{id: memoryID, datasync: func(*os.File) error { return nil }, writeAt: realDisk.writeAt}
	if err := d.open(dir, os.O_RDWR|os.O_CREATE); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.close)
	return d, dir
}

func wantDurable(t *testing.T, dir string, want Commit) {
	t.Helper()
	if got, err := readDurable(dir, memoryID); got != want || err != nil {
		t.Errorf("readDurable() = %d, %v; want %d", got, err, want)
	}
}

func TestMark_SlotIsWhatTheFormatSays(t *testing.T) {
	t.Parallel()
	m := mark{commit: 0x0102030405060708, segment: 0x1112131415161718, end: 0x2122232425262728}
	copy(m.hash[:], bytes.Repeat([]byte{0x33}, 32))
	var b [slotSize]byte
	m.encode(&b, memoryID)
	want := []byte("only in memory  " + "\x18\x17\x16\x15\x14\x13\x12\x11" + "\x08\x07\x06\x05\x04\x03\x02\x01" + "\x28\x27\x26\x25\x24\x23\x22\x21" + "333333333333")
	if !bytes.Equal(b[:slotBoot], want) {
		t.Errorf("slot is %q, want %q", b[:slotBoot], want)
	}
	if got := decodeMark(b[:], memoryID); got != m {
		t.Errorf("decoded %+v, want %+v", got, m)
	}
	if got := decodeMark(b[:], LogID{}); got != (mark{}) {
		t.Errorf("another log's slot says %+v", got)
	}
	for bit := range 8 * slotSize {
		b[bit/8] ^= 1 << (bit % 8)
		if got := decodeMark(b[:], memoryID); got != (mark{}) {
			t.Fatalf("with bit %d flipped it says %+v", bit, got)
		}
		b[bit/8] ^= 1 << (bit % 8)
	}
}

func TestDurable_AbsentEmptyAndShortAreZero(t *testing.T) {
	t.Parallel()
	d, dir := openMarks(t)
	wantDurable(t, dir, 0)
	if err := d.advance(mark{commit: 7}); err != nil {
		t.Fatal(err)
	}
	wantDurable(t, dir, 7)
	path := filepath.Join(dir, logDir, durableFile)
	for _, size := range []int64{127, 64, 63, 0} {
		if err := os.Truncate(path, size); err != nil {
			t.Fatal(err)
		}
		wantDurable(t, dir, 0) // the first mark is in the second slot
	}
	if err := os.Remove(path); err != nil {
		t.Skipf("needs a system that removes open files: %v", err)
	}
	wantDurable(t, dir, 0)
}

func TestDurable_OnlyGoesUpAndKeepsTheOneBefore(t *testing.T) {
	t.Parallel()
	d, dir := openMarks(t)
	for _, c := range []Commit{3, 2, 9, 9, 4} {
		if err := d.advance(mark{commit: c}); err != nil {
			t.Fatal(err)
		}
	}
	wantDurable(t, dir, 9)
	path := filepath.Join(dir, logDir, durableFile)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []Commit{3, 9} { // what is left when one slot is torn
		for _, slot := range []int{0, 1} {
			torn := bytes.Clone(data)
			torn[slot*slotSize+slotCommit+3] ^= 0x40
			put(t, path, torn)
			if got, _ := readDurable(dir, memoryID); got == want {
				break
			}
			if slot == 1 {
				t.Errorf("no torn slot leaves %d (%d)", want, i)
			}
		}
	}
}

func TestDurable_IsSyncedOnlyIfWritten(t *testing.T) {
	t.Parallel()
	d, _ := openMarks(t)
	syncs := 0
	d.datasync = func(*os.File) error { syncs++; return nil }
	for _, c := range []Commit{5, 5, 4} {
		if err := d.advance(mark{commit: c}); err != nil {
			t.Fatal(err)
		}
		if err := d.sync(); err != nil {
			t.Fatal(err)
		}
	}
	if syncs != 1 {
		t.Errorf("%d syncs, want 1", syncs)
	}
}

// TestDurable_AnOverwrittenMarkComesBack: of two processes that write at the same moment the one that knows less may be
// the last.
func TestDurable_AnOverwrittenMarkComesBack(t *testing.T) {
	t.Parallel()
	d, dir := openMarks(t)
	path := filepath.Join(dir, logDir, durableFile)
	for _, c := range []Commit{7, 8} {
		if err := d.advance(mark{commit: c}); err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	first, second := data[:slotSize], data[slotSize:]
	if decodeMark(first, memoryID).commit == 8 {
		copy(first, second)
	} else {
		copy(second, first)
	}
	put(t, path, data)
	wantDurable(t, dir, 7)
	if err := d.sync(); err != nil {
		t.Fatal(err)
	}
	wantDurable(t, dir, 8)
}
