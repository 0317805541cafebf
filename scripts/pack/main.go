// Command pack puts a directory into a .tar.gz or .zip archive whose bytes depend on nothing but the
// names and contents of its files and SOURCE_DATE_EPOCH: not on the machine, the user, or the order in
// which a file system lists names. It is a part of scripts/release.
package main

import (
	"archive/tar"
	"archive/zip"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: pack ARCHIVE DIRECTORY")
		os.Exit(2)
	}
	if err := pack(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "pack:", err)
		os.Exit(1)
	}
}

// archive takes files one after the other.
type archive interface {
	add(name string, mode fs.FileMode, content []byte) error
	Close() error
}

// pack writes the files below dir into the archive target, under the name of dir.
func pack(target, dir string) (err error) {
	seconds, err := strconv.ParseInt(os.Getenv("SOURCE_DATE_EPOCH"), 10, 64)
	if err != nil {
		return fmt.Errorf("read SOURCE_DATE_EPOCH: %w", err)
	}
	file, err := os.Create(target)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	to := newArchive(target, file, time.Unix(seconds, 0).UTC())
	// WalkDir goes through the names in lexical order.
	err = filepath.WalkDir(dir, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, name)
		if err != nil {
			return err
		}
		mode := fs.FileMode(0o644)
		if strings.TrimSuffix(rel, ".exe") == "queuectl" {
			mode = 0o755
		}
		return to.add(path.Join(filepath.Base(dir), filepath.ToSlash(rel)), mode, content)
	})
	return errors.Join(err, to.Close())
}

func newArchive(name string, w io.Writer, at time.Time) archive {
	if strings.HasSuffix(name, ".zip") {
		return zipArchive{zip.NewWriter(w), at}
	}
	zipped, _ := gzip.NewWriterLevel(w, gzip.BestCompression) // fails for unknown levels only
	return tarArchive{tar.NewWriter(zipped), zipped, at}
}

type tarArchive struct {
	*tar.Writer
	zipped *gzip.Writer
	at     time.Time
}

func (a tarArchive) add(name string, mode fs.FileMode, content []byte) error {
	header := &tar.Header{
		Typeflag: tar.TypeReg, Name: name, Mode: int64(mode), Size: int64(len(content)), ModTime: a.at,
	}
	if err := a.WriteHeader(header); err != nil {
		return err
	}
	_, err := a.Write(content)
	return err
}

func (a tarArchive) Close() error { return errors.Join(a.Writer.Close(), a.zipped.Close()) }

type zipArchive struct {
	*zip.Writer
	at time.Time
}

func (a zipArchive) add(name string, mode fs.FileMode, content []byte) error {
	header := &zip.FileHeader{Name: name, Method: zip.Deflate, Modified: a.at}
	header.SetMode(mode)
	w, err := a.CreateHeader(header)
	if err != nil {
		return err
	}
	_, err = w.Write(content)
	return err
}
