package eventlog

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"
)

var writeGolden = flag.Bool("write-golden", false, "write testdata/format1 anew; a released format never changes")

// goldenLog is the log in testdata/format1.
func goldenLog(tb testing.TB) *handmade {
	h := newHandmade(1, 1)
	h.append(tb, Event{Kind: 1, Data: []byte("created")})
	long := bytes.Repeat([]byte("long"), 50)
	h.append(tb, Event{Kind: 2, Data: []byte("one")}, Event{Kind: 300}, Event{Kind: 65535, Data: long})
	h.noise(tb, 700)
	h.append(tb, Event{Kind: 4})
	h.rotate()
	h.append(tb, Event{Kind: 5, Data: []byte("in the second segment")})
	h.noise(tb, 20)
	h.noise(tb, 300)
	return h
}

// TestGolden_FormatOneStaysAsItIs: what was written once is read by every later version, and this
// version still writes the same.
func TestGolden_FormatOneStaysAsItIs(t *testing.T) {
	t.Parallel()
	h := goldenLog(t)
	golden := filepath.Join("testdata", "format1")
	if *writeGolden {
		dir := h.write(t)
		promise(t, dir, h)
		if err := os.CopyFS(golden, os.DirFS(filepath.Join(dir, logDir))); err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, logDir), os.DirFS(golden)); err != nil {
		t.Fatal(err)
	}
	report := verify(t, dir)
	if len(report.Damage) > 0 || report.Torn != nil {
		t.Errorf("got %+v, %v", report, report.Damage)
	}
	if report.Head != h.end().head || report.Durable != h.commits() || report.ID != h.id {
		t.Errorf("got %+v, want %+v", report, h.end())
	}
	for i, s := range h.segments {
		got, err := os.ReadFile(h.path(dir, i))
		if err != nil || !bytes.Equal(got, s.data) {
			t.Errorf("segment %d: %v, differs: %v", s.first, err, !bytes.Equal(got, s.data))
		}
	}
	format, err := os.ReadFile(filepath.Join(dir, logDir, formatFile))
	if err != nil || !bytes.Equal(format, encodeFormat(h.id)) {
		t.Errorf("FORMAT: %v, %q", err, format)
	}
}
