package eventlog

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/klauspost/compress/zstd"
)

// RestoreOptions are preferences; the zero value is the production default.
type RestoreOptions struct {
	// Finish is called when all is there and verified, with the directory in which it is as long as it
	// does not have its name: it may open the log and append to it. Its error ends Restore.
	Finish         func(dir string, info BackupInfo) error
	AllowNetworkFS bool

	disk *disk // nil = the real one
}

// Restore reads a backup, verifies all of it, and makes the directory dir of it, which must not exist,
// or be empty: ErrNotEmpty. dir is there wholly, and durable, when Restore returns nil; after an error
// or a power cut it is as it was. A backup that is cut short, changed or not one is ErrBadBackup, one of
// a later version ErrNewer.
//
// It is unpacked beside dir, under a name that begins with a dot and that of dir; so dir's parent must
// be writable, and dir cannot be a mount point. Memory is bounded as for Backup.
func Restore(ctx context.Context, r io.Reader, dir string, opt RestoreOptions) (BackupInfo, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return BackupInfo{}, err
	}
	s := restore{dir: dir, opt: opt, disk: realDisk}
	if opt.disk != nil {
		s.disk = *opt.disk
	}
	info, err := s.run(ctx, r)
	if err != nil {
		return BackupInfo{}, fmt.Errorf("restore: %w", diskFull(err))
	}
	return info, nil
}

// restore is one call of Restore.
type restore struct {
	dir  string // absolute
	opt  RestoreOptions
	disk disk
}

func (s *restore) run(ctx context.Context, r io.Reader) (BackupInfo, error) {
	if !s.opt.AllowNetworkFS {
		if err := s.disk.local(s.dir); err != nil {
			return BackupInfo{}, err
		}
	}
	if err := s.empty(); err != nil {
		return BackupInfo{}, err
	}
	parent := filepath.Dir(s.dir)
	store := dirStore{disk: s.disk}
	if err := store.makeParents(parent); err != nil {
		return BackupInfo{}, err
	}
	temp, err := os.MkdirTemp(parent, "."+filepath.Base(s.dir)+".restoring-")
	if err != nil {
		return BackupInfo{}, err
	}
	defer os.RemoveAll(temp) // nothing, once it has its name
	info, err := s.build(ctx, r, temp)
	if err != nil {
		return BackupInfo{}, err
	}
	if err := os.Remove(s.dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return BackupInfo{}, errors.Join(s.empty(), err) // it may have been filled meanwhile
	}
	// D must not say that anything is durable as long as the name of the directory is not: see syncTail.
	mark, err := s.takeMark(temp, info.ID)
	if err != nil {
		return BackupInfo{}, err
	}
	if err := os.Rename(temp, s.dir); err != nil {
		return BackupInfo{}, err
	}
	if err := s.disk.syncDir(parent); err != nil {
		return BackupInfo{}, fmt.Errorf("%w: %s is there, but may be gone after a power cut: %w", ErrUnknown, s.dir, err)
	}
	marks := durableMarks{id: info.ID, writeAt: s.disk.writeAt}
	if err := marks.open(s.dir, os.O_RDWR|os.O_CREATE); err == nil { // D only ever saves work
		_ = marks.advance(mark)
		marks.close()
	}
	return info, nil
}

// takeMark removes the D file that Finish has made, and returns what it says.
func (s *restore) takeMark(dir string, id LogID) (mark, error) {
	marks := durableMarks{id: id}
	if err := marks.open(dir, os.O_RDONLY); err != nil {
		return mark{}, err
	}
	defer marks.close()
	if marks.f == nil {
		return mark{}, nil
	}
	if err := os.Remove(marks.f.Name()); err != nil {
		return mark{}, err
	}
	return marks.highest(), s.disk.syncDir(filepath.Join(dir, logDir))
}

// empty returns an error if dir has something in it.
func (s *restore) empty() error {
	entries, err := os.ReadDir(s.dir)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(entries) == 0 {
		return nil
	}
	if err == nil {
		err = fmt.Errorf("%s: %w", s.dir, ErrNotEmpty)
	}
	return err
}

// build makes the directory of the backup in temp, for good but for its name.
func (s *restore) build(ctx context.Context, r io.Reader, temp string) (BackupInfo, error) {
	list, err := s.unpack(ctx, r, temp)
	if err != nil {
		return BackupInfo{}, err
	}
	report, err := Verify(ctx, temp, VerifyOptions{})
	switch {
	case errors.Is(err, ErrNotOurs) || errors.Is(err, ErrNoLog):
		return BackupInfo{}, badBackup("%v", err)
	case err != nil:
		return BackupInfo{}, err
	case len(report.Damage) > 0:
		return BackupInfo{}, badBackup("%v", report.Damage[0])
	case report.ID != list.id || report.Head != list.head || report.Torn != nil:
		return BackupInfo{}, badBackup("the log in it ends with commit %d, %v, and should with %d, %v",
			report.Head.Commit, report.Head.Hash, list.head.Commit, list.head.Hash)
	}
	for _, name := range []string{logDir, sealedDir, archiveDir, baseDir, "."} {
		if err := s.disk.syncDir(filepath.Join(temp, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return BackupInfo{}, err
		}
	}
	info := BackupInfo{list.id, list.head, list.time, report.Segments, report.Bytes}
	if s.opt.Finish == nil {
		return info, nil
	}
	return info, s.opt.Finish(temp, info)
}

// unpack puts the files of the backup into temp, durably, and returns its list, which they agree with.
func (s *restore) unpack(ctx context.Context, r io.Reader, temp string) (*backupContents, error) {
	// One at a time, so that it starts no goroutines. Backup's windows are much smaller.
	packed, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(32<<20))
	if err != nil {
		return nil, err
	}
	defer packed.Close()
	files := tar.NewReader(packed)
	var found []backupFile
	for {
		h, err := files.Next()
		switch {
		case errors.Is(err, io.EOF):
			return nil, badBackup("it ends before its list")
		case err != nil:
			return nil, fmt.Errorf("%w: %w", ErrBadBackup, err)
		case h.Typeflag != tar.TypeReg:
			return nil, badBackup("%q is no file", h.Name)
		case h.Name == backupList:
			return readList(packed, files, found)
		case !restorable(h.Name):
			return nil, badBackup("%q does not belong into one", h.Name)
		}
		f := backupFile{path: h.Name}
		if f.sum, err = s.write(ctx, files, filepath.Join(temp, filepath.FromSlash(h.Name))); err != nil {
			return nil, err
		}
		found = append(found, f)
	}
}

// readList reads the list, which comes last, and compares it with what was found.
func readList(packed io.Reader, files *tar.Reader, found []backupFile) (*backupContents, error) {
	b, err := io.ReadAll(io.LimitReader(files, backupListMax))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBadBackup, err)
	}
	list, err := decodeContents(b)
	if err != nil {
		return nil, err
	}
	for i, f := range list.files {
		if i < len(found) && found[i] != f {
			return nil, badBackup("%s is not what its list says", found[i].path)
		}
	}
	if len(found) != len(list.files) {
		return nil, badBackup("it has %d files, and its list says %d", len(found), len(list.files))
	}
	if _, err := files.Next(); !errors.Is(err, io.EOF) {
		return nil, badBackup("something follows its list")
	}
	// The checksum of the stream comes at its very end.
	rest := make([]byte, 4096)
	for {
		n, err := packed.Read(rest)
		if bytes.Count(rest[:n], []byte{0}) != n {
			return nil, badBackup("something follows its end")
		}
		if errors.Is(err, io.EOF) {
			return list, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrBadBackup, err)
		}
	}
}

// restorable says if a backup may have a file of that name: none leads out of the directory.
func restorable(path string) bool {
	dir, name, _ := strings.Cut(path, "/")
	_, segment := parseSegmentName(name)
	_, _, archive := parseArchiveName(name)
	_, base := baseFile(name)
	return path == logDir+"/"+formatFile || slices.Contains([]string{logDir, sealedDir}, dir) && segment || dir == archiveDir && archive || dir == baseDir && base
}

// write makes a file of a log that does not have its name yet.
func (s *restore) write(ctx context.Context, r io.Reader, path string) (sum [sha256.Size]byte, err error) {
	dir := filepath.Dir(path)
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return sum, err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return sum, badBackup("%s is in it twice", filepath.Base(path))
	}
	if err != nil {
		return sum, err
	}
	hash := sha256.New()
	err = copyBackup(ctx, io.MultiWriter(f, hash), r)
	if err == nil {
		err = s.disk.datasync(f)
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	return [sha256.Size]byte(hash.Sum(nil)), err
}

// copyBackup is io.Copy that tells who failed, and can be left.
func copyBackup(ctx context.Context, w io.Writer, r io.Reader) error {
	b := make([]byte, windowSize)
	for {
		n, err := r.Read(b)
		if _, err := w.Write(b[:n]); err != nil {
			return err
		}
		if errors.Is(err, io.EOF) {
			return ctx.Err()
		}
		if err != nil {
			return fmt.Errorf("%w: %w", ErrBadBackup, err)
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
}
