package eventlog

import (
	"bytes"
	"errors"
	"math"
	"reflect"
	"testing"

	"pgregory.net/rapid"
)

// someManifest draws a manifest as an archive may have it.
func someManifest(t *rapid.T) *manifest {
	m := &manifest{id: LogID(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "id"))}
	end := Head{Commit: Commit(rapid.Uint32().Draw(t, "before"))}
	end.Position = Position(end.Commit) + Position(rapid.Uint32().Draw(t, "events before"))
	offset := int64(0)
	for range rapid.IntRange(1, 70).Draw(t, "segments") {
		r := manifestEntry{first: end.Commit + 1, from: end.Position + 1, offset: offset}
		r.last = r.first + Commit(rapid.Uint16().Draw(t, "commits"))
		r.to = r.from + Position(r.last-r.first) + Position(rapid.Uint16().Draw(t, "events"))
		r.size = rapid.Int64Range(1, maxSegmentSize).Draw(t, "size")
		r.packed = rapid.Int64Range(1, r.size).Draw(t, "packed")
		r.crc = rapid.Uint32().Draw(t, "crc")
		copy(r.sum[:], rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "sum"))
		copy(r.hash[:], rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "hash"))
		offset += r.packed
		end = Head{Commit: r.last, Position: r.to}
		m.rows = append(m.rows, r)
	}
	return m
}

func TestManifest_DecodesWhatWasEncoded(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := someManifest(t)
		file := append(make([]byte, 10), want.encode()...)
		b, err := readManifest(bytes.NewReader(file), int64(len(file)))
		if err != nil {
			t.Fatal(err)
		}
		got, err := decodeManifest(b)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("got %+v, %v, want %+v", got, err, want)
		}
	})
}

func TestManifest_EveryFlipIsNoticed(t *testing.T) {
	t.Parallel()
	m := rapid.Custom(someManifest).Example(3)
	file := append(make([]byte, 10), m.encode()...)
	for i := 10 * 8; i < 8*len(file); i++ {
		file[i/8] ^= 1 << (i % 8)
		b, err := readManifest(bytes.NewReader(file), int64(len(file)))
		if err == nil {
			_, err = decodeManifest(b)
		}
		if !errors.As(err, new(badManifest)) {
			t.Fatalf("bit %d: got %v", i, err)
		}
		file[i/8] ^= 1 << (i % 8)
	}
}

func TestManifest_OfALaterVersionIsTold(t *testing.T) {
	t.Parallel()
	m := rapid.Custom(someManifest).Example(4)
	for _, offset := range []int{manOffFormat, manOffFlags} {
		b := m.encode()[skippableSize:]
		b[offset]++
		resealManifest(b)
		if _, err := decodeManifest(b); !errors.Is(err, ErrNewer) {
			t.Errorf("offset %d: got %v", offset, err)
		}
	}
}

func TestManifest_ImpossibleRowsAreRefused(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(r *manifestEntry){
		"commit 0":            func(r *manifestEntry) { r.first = 0 },
		"no commits":          func(r *manifestEntry) { r.last = r.first - 1 },
		"no events":           func(r *manifestEntry) { r.to = r.from - 1 },
		"position too low":    func(r *manifestEntry) { r.from = Position(r.first) - 1 },
		"no size":             func(r *manifestEntry) { r.size = 0 },
		"a size that is huge": func(r *manifestEntry) { r.size = math.MaxInt64 },
		"no frame":            func(r *manifestEntry) { r.packed = -1 },
		"a gap in the file":   func(r *manifestEntry) { r.offset++ },
		"a gap in the log":    func(r *manifestEntry) { r.first++ },
		"a gap in positions":  func(r *manifestEntry) { r.from++ },
	} {
		m := &manifest{rows: []manifestEntry{
			{first: 1, last: 5, from: 1, to: 9, size: 10, packed: 10},
			{first: 6, last: 6, from: 10, to: 10, size: 1, packed: 1, offset: 10},
		}}
		spoil(&m.rows[1])
		if _, err := decodeManifest(m.encode()[skippableSize:]); !errors.As(err, new(badManifest)) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestParseArchiveName_TakesOnlyNames(t *testing.T) {
	t.Parallel()
	first, last, ok := parseArchiveName(archiveName(7, 1234))
	if first != 7 || last != 1234 || !ok {
		t.Errorf("got %d, %d, %v", first, last, ok)
	}
	for _, name := range []string{
		"", archiveSuffix, segmentName(1), segmentName(1) + archiveSuffix, archiveName(5, 4), archiveName(0, 4),
		archiveName(1, 2) + "x", "x" + archiveName(1, 2), unfinished, archiveLock,
	} {
		if _, _, ok := parseArchiveName(name); ok {
			t.Errorf("%q is taken for one", name)
		}
	}
}

// FuzzDecodeManifest: what is accepted encodes to the same bytes.
func FuzzDecodeManifest(f *testing.F) {
	f.Add(rapid.Custom(someManifest).Example(1).encode()[skippableSize:])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > manTrailerSize {
			resealManifest(b)
		}
		m, err := decodeManifest(b)
		if err == nil && !bytes.Equal(m.encode()[skippableSize:], b) {
			t.Errorf("%x decodes, and encodes to %x", b, m.encode()[skippableSize:])
		}
	})
}
