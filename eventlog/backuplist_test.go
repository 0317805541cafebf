package eventlog

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"pgregory.net/rapid"
)

func TestBackupContents_DecodeToWhatWasEncoded(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := someContents(t)
		got, err := decodeContents(want.encode())
		if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("got %+v, %v, want %+v", got, err, want)
		}
	})
	c := rapid.Custom(someContents).Example(1)
	later := bytes.Replace(c.encode(), []byte("format 1"), []byte("format 2"), 1)
	later = sealFormat(later[:bytes.LastIndex(later, []byte("\ncrc "))+1])
	if _, err := decodeContents(later); !errors.Is(err, ErrNewer) {
		t.Errorf("of a later version: got %v", err)
	}
}

func someContents(t *rapid.T) *backupContents {
	c := &backupContents{id: LogID(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "id")), time: rapid.Int64Range(0, 4e18).Draw(t, "time")}
	c.head = Head{Commit(rapid.Uint64().Draw(t, "commit")), Position(rapid.Uint64().Draw(t, "position")), Hash(rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "hash"))}
	for range rapid.IntRange(0, 5).Draw(t, "files") {
		c.files = append(c.files, backupFile{segmentName(Commit(rapid.Uint64().Draw(t, "name"))), Hash(rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "sum"))})
	}
	return c
}

// FuzzDecodeContents: what is accepted encodes to the same bytes.
func FuzzDecodeContents(f *testing.F) {
	f.Add(rapid.Custom(someContents).Example(1).encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		if end := bytes.LastIndex(b, []byte("\ncrc ")) + 1; end > 0 {
			b = sealFormat(bytes.Clone(b[:end]))
		}
		c, err := decodeContents(b)
		if err == nil && !bytes.Equal(c.encode(), b) {
			t.Errorf("%q decodes, and encodes to %q", b, c.encode())
		}
	})
}
