package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// entry is what a test looks at in an archive.
type entry struct {
	name    string
	mode    fs.FileMode
	content string
	at      time.Time
}

func TestPack_GivesTheSameBytesForTheSameFiles(t *testing.T) {
	const epoch = 1_700_000_000
	t.Setenv("SOURCE_DATE_EPOCH", "1700000000")
	want := []entry{
		{"queuectl_1/README.md", 0o644, "read me", time.Unix(epoch, 0).UTC()},
		{"queuectl_1/docs/start.md", 0o644, "start", time.Unix(epoch, 0).UTC()},
		{"queuectl_1/queuectl", 0o755, "binary", time.Unix(epoch, 0).UTC()},
	}
	readers := map[string]func(*testing.T, []byte) []entry{".tar.gz": readTar, ".zip": readZip}
	for suffix, read := range readers {
		first := packed(t, suffix, 0o600, time.Now())
		second := packed(t, suffix, 0o777, time.Now().Add(-time.Hour))
		if !bytes.Equal(first, second) {
			t.Errorf("%s: two archives of the same files differ", suffix)
		}
		if got := read(t, first); !reflect.DeepEqual(got, want) {
			t.Errorf("%s holds\n%v, want\n%v", suffix, got, want)
		}
	}
}

func TestPack_NeedsATime(t *testing.T) {
	t.Setenv("SOURCE_DATE_EPOCH", "")
	err := pack(filepath.Join(t.TempDir(), "a.zip"), t.TempDir())
	if err == nil || !strings.Contains(err.Error(), "SOURCE_DATE_EPOCH") {
		t.Errorf("got %v, want an error that names SOURCE_DATE_EPOCH", err)
	}
}

// packed returns an archive of files that have the given mode and time on disk.
func packed(t *testing.T, suffix string, mode fs.FileMode, at time.Time) []byte {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "queuectl_1")
	files := map[string]string{"queuectl": "binary", "README.md": "read me", "docs/start.md": "start"}
	for name, content := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		err := errors.Join(
			os.MkdirAll(filepath.Dir(path), 0o700),
			os.WriteFile(path, []byte(content), mode),
			os.Chtimes(path, at, at),
		)
		if err != nil {
			t.Fatal(err)
		}
	}
	target := filepath.Join(t.TempDir(), "archive"+suffix)
	if err := pack(target, dir); err != nil {
		t.Fatal(err)
	}
	bytes, err := os.ReadFile(target)
	if err != nil {
		t.Fatal(err)
	}
	return bytes
}

func readTar(t *testing.T, data []byte) (entries []entry) {
	t.Helper()
	unzipped, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	r := tar.NewReader(unzipped)
	for {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			return entries
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		entries = append(entries, entry{header.Name, header.FileInfo().Mode(), string(content), header.ModTime.UTC()})
	}
}

func readZip(t *testing.T, data []byte) (entries []entry) {
	t.Helper()
	r, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range r.File {
		f, err := file.Open()
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(f)
		if err := errors.Join(err, f.Close()); err != nil {
			t.Fatal(err)
		}
		entries = append(entries, entry{file.Name, file.Mode(), string(content), file.Modified.UTC()})
	}
	return entries
}
