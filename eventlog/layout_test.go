package eventlog

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestFormat_IsAText(t *testing.T) {
	t.Parallel()
	id := LogID{0x6b, 0x1f, 0x0c, 0x9a, 0xd2, 0xe8, 0x4c, 0x5f, 0x9d, 0x3e, 0x7a, 0x1b, 0x2c, 0x4d, 0x5e, 0x6f}
	const want = "queuectl log\nformat 1\nid 6b1f0c9ad2e84c5f9d3e7a1b2c4d5e6f\ncrc "
	got := string(encodeFormat(id))
	if !strings.HasPrefix(got, want) || strings.Count(got, "\n") != 4 {
		t.Errorf("got %q, want %q and a checksum", got, want)
	}
	if back, err := decodeFormat([]byte(got)); err != nil || back != id {
		t.Errorf("decoded %v, %v", back, err)
	}
}

func TestFormat_EveryFlipAndEveryTruncationIsRefused(t *testing.T) {
	t.Parallel()
	whole := encodeFormat(LogID{1, 2, 3})
	for i := range whole {
		if _, err := decodeFormat(whole[:i]); !errors.Is(err, ErrNotOurs) {
			t.Errorf("cut to %d: got %v", i, err)
		}
		for bit := range 8 {
			b := slices.Clone(whole)
			b[i] ^= 1 << bit
			if _, err := decodeFormat(b); !errors.Is(err, ErrNotOurs) {
				t.Errorf("byte %d bit %d: got %v", i, bit, err)
			}
		}
	}
	if _, err := decodeFormat(append(whole, '\n')); !errors.Is(err, ErrNotOurs) {
		t.Errorf("a byte more: got %v", err)
	}
}

func TestFormat_LaterVersionIsToldFromDamage(t *testing.T) {
	t.Parallel()
	seal := func(s string) []byte { return sealFormat([]byte(s)) }
	tests := []struct {
		name string
		b    []byte
		want error
	}{
		{"format 2", seal("queuectl log\nformat 2\nid 00\nmore: of it\n"), ErrNewer},
		{"format 1000", seal("queuectl log\nformat 1000\n"), ErrNewer},
		{"format 2 without a checksum", []byte("queuectl log\nformat 2\nid 00\n"), ErrNotOurs},
		{"format 0", seal("queuectl log\nformat 0\nid 00\n"), ErrNotOurs},
		{"format -1", seal("queuectl log\nformat -1\n"), ErrNotOurs},
		{"format 01", seal("queuectl log\nformat 01\nid 00000000000000000000000000000000\n"), ErrNotOurs},
		{"short id", seal("queuectl log\nformat 1\nid 00\n"), ErrNotOurs},
		{"no id", seal("queuectl log\nformat 1\n"), ErrNotOurs},
		{"another line", seal("queuectl log\nformat 1\nid 00000000000000000000000000000000\nmore\n"), ErrNotOurs},
		{"another program's", seal("format 2\n"), ErrNotOurs},
		{"empty", nil, ErrNotOurs},
	}
	for _, tt := range tests {
		if _, err := decodeFormat(tt.b); !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v, want %v", tt.name, err, tt.want)
		}
	}
}

// FuzzDecodeFormat: what is accepted encodes to the same bytes, whatever is refused is told apart, and a file that
// somebody else put there costs no memory. The checksum is made right, for the rest to be looked at.
func FuzzDecodeFormat(f *testing.F) {
	f.Add(encodeFormat(someID))
	f.Add([]byte("queuectl log\nformat 2\nid 00\nmore: of it\ncrc 00000000\n"))
	f.Add([]byte("queuectl log\nformat 01\nid 00000000000000000000000000000000\ncrc \ncrc 00000000\n"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		if end := bytes.LastIndex(b, []byte("\ncrc ")) + 1; end > 0 {
			b = sealFormat(bytes.Clone(b[:end]))
		}
		id, err := decodeFormat(b)
		switch {
		case err == nil && !bytes.Equal(encodeFormat(id), b):
			t.Errorf("%q decodes, and encodes to %q", b, encodeFormat(id))
		case err != nil && errors.Is(err, ErrNewer) == errors.Is(err, ErrNotOurs):
			t.Errorf("%q: got %v, want one of two reasons", b, err)
		case errors.Is(err, ErrNewer) && !bytes.HasPrefix(b, []byte(formatTitle+"format ")):
			t.Errorf("%q: got %v", b, err)
		}
	})
}

func TestReadFormat_TellsNoLogFromNotOurs(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	check := func(name string, want error) {
		t.Helper()
		if _, err := readFormat(dir); !errors.Is(err, want) {
			t.Errorf("%s: got %v, want %v", name, err, want)
		}
	}
	check("empty directory", ErrNoLog)
	if err := os.Mkdir(filepath.Join(dir, logDir), 0o700); err != nil {
		t.Fatal(err)
	}
	check("a log directory of somebody else", ErrNotOurs)
	put(t, filepath.Join(dir, logDir, formatFile), make([]byte, 1<<20))
	check("a large file", ErrNotOurs)
	put(t, filepath.Join(dir, logDir, formatFile), encodeFormat(someID))
	check("ours", nil)
	dir = filepath.Join(dir, "absent")
	check("no directory", ErrNoLog)
}

func TestSegmentName_HasTwentyDigits(t *testing.T) {
	t.Parallel()
	for first, name := range map[Commit]string{
		1:         "00000000000000000001",
		421:       "00000000000000000421",
		1<<64 - 1: "18446744073709551615",
	} {
		if got := segmentName(first); got != name {
			t.Errorf("segmentName(%d) = %s", first, got)
		}
		if got, ok := parseSegmentName(name); !ok || got != first {
			t.Errorf("parseSegmentName(%s) = %d, %v", name, got, ok)
		}
	}
	for _, name := range []string{
		"", "1", "00000000000000000000", "0000000000000000001", "000000000000000000001",
		"18446744073709551616", "+0000000000000000001", "-0000000000000000001", "0000000000000000000x", "00000000000000000001.START", "0_000000000000000001",
	} {
		if got, ok := parseSegmentName(name); ok {
			t.Errorf("parseSegmentName(%q) = %d", name, got)
		}
	}
}

func TestListSegments_BothDirectoriesInOrder(t *testing.T) {
	t.Parallel()
	h := newHandmade(40, 0)
	for range 5 {
		h.noise(t, 10)
		h.rotate()
	}
	dir := h.write(t)
	put(t, filepath.Join(dir, logDir, "notes"), nil) // not ours to judge
	segments, bad, err := listSegments(dir)
	if err != nil || len(bad) > 0 || len(segments) != 6 {
		t.Fatalf("got %v, %v, %v", segments, bad, err)
	}
	for i, s := range segments {
		want := segmentInfo{first: Commit(i + 1), path: h.path(dir, i), size: int64(len(h.segments[i].data)), sealed: i < 4}
		if s != want {
			t.Errorf("got %+v, want %+v", s, want)
		}
	}
}

func TestListSegments_WithoutSealed(t *testing.T) {
	t.Parallel()
	dir := newHandmade(41, 0).write(t)
	if err := os.Remove(filepath.Join(dir, sealedDir)); err != nil {
		t.Fatal(err)
	}
	if segments, bad, err := listSegments(dir); err != nil || len(bad) > 0 || len(segments) != 1 {
		t.Errorf("got %v, %v, %v", segments, bad, err)
	}
}

func TestListSegments_WrongNamesAreRowThree(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		spoil func(dir string) (path string, err error)
	}{
		{"twice", func(dir string) (string, error) {
			path := filepath.Join(dir, sealedDir, segmentName(1))
			return path, os.WriteFile(path, nil, 0o600)
		}},
		{"leftover of a cut", func(dir string) (string, error) {
			path := filepath.Join(dir, logDir, segmentName(1)+".START")
			return path, os.WriteFile(path, nil, 0o600)
		}},
		{"commit 0", func(dir string) (string, error) {
			path := filepath.Join(dir, logDir, segmentName(0))
			return path, os.WriteFile(path, nil, 0o600)
		}},
		{"a directory", func(dir string) (string, error) {
			path := filepath.Join(dir, logDir, segmentName(9))
			return path, os.Mkdir(path, 0o700)
		}},
	}
	for _, tt := range tests {
		h := newHandmade(42, 0)
		h.noise(t, 10)
		dir := h.write(t)
		path, err := tt.spoil(dir)
		if err != nil {
			t.Fatal(err)
		}
		_, bad, err := listSegments(dir)
		if err != nil || len(bad) != 1 || bad[0].Path != path || bad[0].Row != 3 {
			t.Errorf("%s: got %v, %v; want %s", tt.name, bad, err, path)
		}
		if report := verify(t, dir); len(report.Damage) != 1 || report.Head != h.end().head {
			t.Errorf("%s: Verify found %v, head %+v", tt.name, report.Damage, report.Head)
		}
		if _, err := NewReader(dir, 1); !errors.As(err, new(*CorruptError)) {
			t.Errorf("%s: NewReader returned %v", tt.name, err)
		}
	}
}

// TestListSegments_MissesNoneThatMoves lists while segments are sealed, begun and sealed.
func TestListSegments_MissesNoneThatMoves(t *testing.T) {
	t.Parallel()
	const count = 150
	h := newHandmade(43, 0)
	h.noise(t, 1)
	h.rotate()
	dir := h.write(t)
	done := make(chan error, 1)
	go func() {
		for n := Commit(3); n < count; n++ {
			err := os.WriteFile(filepath.Join(dir, logDir, segmentName(n)), nil, 0o600)
			if err == nil {
				err = os.Rename(filepath.Join(dir, logDir, segmentName(n-2)), filepath.Join(dir, sealedDir, segmentName(n-2)))
			}
			if err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	for last := 0; ; {
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
			return
		default:
		}
		segments, bad, err := listSegments(dir)
		if err != nil || len(bad) > 0 {
			t.Fatalf("got %v, %v", bad, err)
		}
		if len(segments) < last {
			t.Fatalf("%d segments were listed, %d before", len(segments), last)
		}
		last = len(segments)
	}
}
