package fuzz

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/queuectl/queuectl/eventlog"
)

// golden returns a file of a small log: seven commits in two segments.
func golden(f *testing.F, name string) []byte {
	f.Helper()
	b, err := os.ReadFile(filepath.Join("..", "eventlog", "testdata", "format1", name))
	if err != nil {
		f.Fatal(err)
	}
	return b
}

const (
	segmentOne = "00000000000000000001"
	segmentTwo = "00000000000000000005"
)

// put makes DIR/log of the given files; a second segment that is empty is left out.
func put(t testing.TB, format, first, second, durable []byte) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "log"), 0o700); err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{"FORMAT": format, "append.lock": nil, "durable": durable, segmentOne: first}
	if len(second) > 0 {
		files[segmentTwo] = second
	}
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(dir, "log", name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// read returns the hashes of the commits that a Reader returns, and what it ends with.
func read(t testing.TB, dir string) (hashes []eventlog.Hash, err error) {
	t.Helper()
	r, err := eventlog.NewReader(dir, 1)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	for {
		e, err := r.Next(t.Context())
		if errors.Is(err, io.EOF) {
			return hashes, nil
		}
		if err != nil {
			return hashes, err
		}
		if hashes = append(hashes, e.Hash); int(e.Commit) != len(hashes) || len(e.Events) == 0 {
			t.Fatalf("commit %d with %d events came as number %d", e.Commit, len(e.Events), len(hashes))
		}
	}
}

// FuzzVerify reads logs of arbitrary bytes. Verify and a Reader must come to an end and agree, and
// show nothing that was not written.
func FuzzVerify(f *testing.F) {
	format, first, second, durable := golden(f, "FORMAT"), golden(f, segmentOne), golden(f, segmentTwo), golden(f, "durable")
	written, err := read(f, put(f, format, first, second, durable))
	if err != nil || len(written) != 7 {
		f.Fatalf("read %d commits: %v", len(written), err)
	}
	f.Add(format, first, second, durable)
	f.Add(format, first, second[:len(second)-1], []byte{})
	f.Add(format, first, append(slices.Clone(second), make([]byte, 600)...), durable)
	f.Add(format, first, []byte{}, []byte{})
	f.Add(format, second, first, durable)
	f.Add([]byte("queuectl log\nformat 2\n"), []byte{}, []byte{}, []byte{})
	f.Fuzz(func(t *testing.T, format, first, second, durable []byte) {
		dir := put(t, format, first, second, durable)
		report, err := eventlog.Verify(context.Background(), dir, eventlog.VerifyOptions{})
		if err != nil {
			if !errors.Is(err, eventlog.ErrNotOurs) && !errors.Is(err, eventlog.ErrNewer) {
				t.Fatal(err)
			}
			return
		}
		got, err := read(t, dir)
		if len(got) > len(written) || !slices.Equal(got, written[:len(got)]) {
			t.Fatalf("%d commits were read, and are not those that were written", len(got))
		}
		var damage *eventlog.CorruptError
		switch {
		case err != nil && !errors.As(err, &damage):
			t.Fatal(err)
		case err != nil && len(report.Damage) == 0:
			t.Fatalf("the Reader ends with %v, and Verify found nothing", err)
		case eventlog.Commit(len(got)) > report.Head.Commit:
			t.Fatalf("%d commits were read, %d verified", len(got), report.Head.Commit)
		case err == nil && len(report.Damage) == 0 && eventlog.Commit(len(got)) < report.Durable:
			t.Fatalf("%d commits were read, %d are durable", len(got), report.Durable)
		}
	})
}
