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
	"math"
	"os"
	"path/filepath"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/queuectl/queuectl/internal/file"
)

// BackupOptions are preferences; the zero value is the production default.
type BackupOptions struct {
	Now      func() int64            // Unix nanoseconds of the wall clock; nil = time.Now
	Progress func(done, total int64) // is told the bytes done and in all, of segments; may be nil
}

// BackupInfo says what is in a backup.
type BackupInfo struct {
	ID       LogID
	Head     Head  // of the log, up to where the backup goes
	Time     int64 // Unix nanoseconds; when it was begun
	Segments int
	Bytes    int64 // of the segments, as they were written
}

// Backup writes everything that is in the log in dir and known to be durable to w, while others append:
// one stream, which says at its end what must be in it, for Restore. All of it is verified while it is
// read: of a damaged log there is no backup, but a *CorruptError. Memory is bounded by the largest
// segment that is archived, and by the list of files.
//
// A log that was pruned is backed up from its base on; if that happens meanwhile the error is ErrPruned.
//
// What is beside the log is not in it: the output of jobs, locks, and what was cut off and is in
// quarantine.
func Backup(ctx context.Context, dir string, w io.Writer, opt BackupOptions) (BackupInfo, error) {
	id, err := readFormat(dir)
	if err != nil {
		return BackupInfo{}, err
	}
	if opt.Now == nil {
		opt.Now = wallClock
	}
	b := backup{dir: dir, src: newDirSource(dir, id), progress: opt.Progress}
	b.list = backupContents{id: id, time: opt.Now()}
	if err := b.run(ctx, w); err != nil {
		return BackupInfo{}, fmt.Errorf("back up: %w", diskFull(err))
	}
	return BackupInfo{id, b.list.head, b.list.time, b.segments, b.done}, nil
}

// BackupPath is where a backup goes.
type BackupPath struct {
	Path  string
	Force bool // replace a file that is there; otherwise that is fs.ErrExist
}

// BackupFile is Backup to a file: it is there wholly, and durable, when BackupFile returns nil; after
// an error it is not there, or what was there before still is.
func BackupFile(ctx context.Context, dir string, to BackupPath, opt BackupOptions) (info BackupInfo, err error) {
	if err := to.vacant(); err != nil {
		return BackupInfo{}, err
	}
	err = file.Publish(to.Path, 0o600, func(f *os.File) error {
		if info, err = Backup(ctx, dir, f, opt); err != nil {
			return err
		}
		return to.vacant() // it took a while
	})
	return info, diskFull(err)
}

func (p BackupPath) vacant() error {
	if _, err := os.Lstat(p.Path); err == nil && !p.Force {
		return fmt.Errorf("%s: %w", p.Path, fs.ErrExist)
	}
	return nil
}

// backup is one call of Backup.
type backup struct {
	dir  string
	src  dirSource
	list backupContents
	tip  tip // of what was verified

	tar     *tar.Writer
	scanner scanner

	segments    int
	done, total int64
	progress    func(done, total int64)
}

func (b *backup) run(ctx context.Context, w io.Writer) error {
	// One at a time, so that it starts no goroutines.
	packed, err := zstd.NewWriter(w, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest))
	if err != nil {
		return err
	}
	b.tar = tar.NewWriter(packed)
	err = b.files(ctx)
	if err == nil {
		list := b.list.encode()
		err = b.add(backupList, bytes.NewReader(list), int64(len(list)))
	}
	if err == nil {
		err = b.tar.Close()
	}
	if err != nil {
		return err
	}
	return packed.Close()
}

// durable is the commit up to which the backup goes: at least all that was acknowledged before.
func (b *backup) durable(ctx context.Context) (Commit, error) {
	known, err := b.src.durable()
	if err != nil || known > 0 {
		return known, err
	}
	r, err := newReader(b.src, b.src.id, math.MaxUint64)
	if err != nil {
		return 0, err
	}
	defer r.Close() // only read
	_, err = r.Next(ctx)
	if errors.Is(err, io.EOF) {
		err = nil // for want of D this is what the segments say
	}
	return max(r.durable, 1), err // the first commit comes with the log
}

// files adds everything that a log's directory needs.
func (b *backup) files(ctx context.Context) error {
	// First of all: the event of this base is durable by then.
	var err error
	if b.tip, err = origin(b.dir, b.src.id); err != nil {
		return err
	}
	// What is durable is asked before the segments are listed: they can only hold more by then.
	through, err := b.durable(ctx)
	if err != nil {
		return err
	}
	format := encodeFormat(b.src.id)
	if err := b.add(logDir+"/"+formatFile, bytes.NewReader(format), int64(len(format))); err != nil {
		return err
	}
	// Segments move from log to sealed and from there to archive: looked for in this order, none is
	// missed.
	live, bad, err := listSegments(b.dir)
	if err != nil {
		return err
	}
	archives, more, err := listArchives(b.dir)
	if err != nil {
		return err
	}
	if bad = append(bad, more...); len(bad) > 0 {
		return bad[0]
	}
	// After the archives: whoever has pruned before that had a base.
	if err := b.base(); err != nil {
		return err
	}
	groups, archived, err := b.groups(archives)
	if err != nil {
		return err
	}
	through = max(through, complete(live))
	var rest []segmentInfo
	for _, s := range live {
		if s.first > archived && s.first <= through {
			rest = append(rest, s)
			b.total += s.size
		}
	}
	for _, g := range groups {
		if err := b.group(ctx, g); err != nil {
			return err
		}
	}
	for i, s := range rest {
		dir := sealedDir
		if i >= len(rest)-2 { // as wherever somebody appends
			dir = logDir
		}
		if err := b.segment(ctx, dir, s, through); err != nil {
			return err
		}
	}
	if b.tip.head.Commit < through || len(rest) == 0 { // an archive is never the end of a log
		return b.missing()
	}
	b.list.head = b.tip.head
	return nil
}

// base adds both files of the base, if there is one. It is still the one that the backup begins with.
func (b *backup) base() error {
	check, bad, err := checkBase(b.dir, b.src.id)
	if err != nil || check == nil && len(bad) == 0 {
		return err
	}
	if len(bad) > 0 {
		return bad[0]
	}
	if check.Head != b.tip.head {
		return errMeanwhile
	}
	for _, path := range basePaths(b.dir, check.Head.Commit) {
		f, err := os.Open(path)
		if errors.Is(err, fs.ErrNotExist) {
			if check.Files == 1 && path != check.Path {
				continue
			}
			err = errMeanwhile
		}
		if err != nil {
			return fmt.Errorf("open base: %w", err)
		}
		info, err := f.Stat()
		if err == nil {
			err = b.add(baseDir+"/"+filepath.Base(path), f, info.Size())
		}
		f.Close() // only read
		if err != nil {
			return err
		}
	}
	return nil
}

// groups reads the manifests of the archives, and returns the last commit in them.
func (b *backup) groups(archives []archiveFile) (groups []*group, last Commit, err error) {
	for _, a := range archives {
		g, err := readGroup(a, b.src.id)
		if errors.Is(err, fs.ErrNotExist) {
			err = errMeanwhile
		}
		if err != nil {
			return nil, 0, err
		}
		for _, r := range g.rows {
			b.total += r.size
		}
		groups, last = append(groups, g), g.last()
	}
	return groups, last, nil
}

// begin goes on with the segment that begins with that commit.
func (b *backup) begin(first Commit) error {
	if b.segments > 0 {
		b.tip = b.tip.next()
	}
	b.segments++
	if first != b.tip.segment {
		return b.missing()
	}
	return nil
}

func (b *backup) missing() error {
	d := b.tip.damage(3, "the segment is missing")
	if b.tip.offset > 0 {
		d = b.tip.damage(2, "the log ends here, but later commits are known to have been durable")
	}
	locate(d, []segmentInfo{{first: b.tip.segment, path: filepath.Join(b.dir, logDir, segmentName(b.tip.segment))}})
	return d
}

// group adds an archive as it is, after a look at all of its segments.
func (b *backup) group(ctx context.Context, g *group) error {
	f, err := os.Open(g.path)
	if errors.Is(err, fs.ErrNotExist) {
		return errMeanwhile
	}
	if err != nil {
		return fmt.Errorf("open archive: %w", err)
	}
	defer f.Close() // only read
	for _, r := range g.rows {
		if err := b.begin(r.first); err != nil {
			return err
		}
		s, err := b.src.archive.unpack(g, r)
		if errors.Is(err, fs.ErrNotExist) {
			err = errMeanwhile
		}
		if err != nil {
			return err
		}
		why, err := b.verify(ctx, s, math.MaxUint64)
		if err != nil {
			return err
		}
		d := misplaced(b.tip, why, r.last+1)
		if d == nil {
			d = s.misfit(b.tip)
		}
		if d != nil {
			locate(d, []segmentInfo{{first: r.first, last: r.last, path: g.path}})
			return d
		}
		b.done += r.size
		b.tell()
	}
	info, err := f.Stat()
	if err != nil {
		return err
	}
	return b.add(archiveDir+"/"+filepath.Base(g.path), f, info.Size())
}

// segment adds a segment, up to the end of the given commit if that is in it.
func (b *backup) segment(ctx context.Context, dir string, s segmentInfo, through Commit) error {
	if err := b.begin(s.first); err != nil {
		return err
	}
	f, err := b.src.open(s.first)
	if err != nil {
		return fmt.Errorf("open segment %d: %w", s.first, err)
	}
	defer f.Close() // only read
	why, err := b.verify(ctx, f, through)
	if err != nil {
		return err
	}
	if why.kind != stopClean && b.tip.head.Commit < through {
		d := b.tip.damage(4, why.reason)
		locate(d, []segmentInfo{s})
		return d
	}
	b.done += b.tip.offset
	b.tell()
	return b.add(dir+"/"+segmentName(s.first), io.NewSectionReader(f, 0, b.tip.offset), b.tip.offset)
}

// verify reads a segment from tip on, up to the end of the given commit.
func (b *backup) verify(ctx context.Context, f segmentFile, through Commit) (stop, error) {
	size, err := f.Size()
	if err != nil {
		return stop{}, fmt.Errorf("read segment: %w", err)
	}
	b.scanner.reset(f, size)
	for b.tip.head.Commit < through {
		if err := ctx.Err(); err != nil {
			return stop{}, err
		}
		e, why, err := b.scanner.next(&b.tip)
		if e == nil {
			return why, err
		}
	}
	return stop{}, nil
}

func (b *backup) tell() {
	if b.progress != nil {
		b.progress(min(b.done, b.total), b.total)
	}
}

// add adds a file of that size.
func (b *backup) add(path string, r io.Reader, size int64) error {
	h := &tar.Header{Name: path, Mode: 0o600, Size: size, ModTime: time.Unix(0, b.list.time), Format: tar.FormatUSTAR}
	if err := b.tar.WriteHeader(h); err != nil {
		return err
	}
	sum := sha256.New()
	if _, err := io.CopyN(io.MultiWriter(b.tar, sum), r, size); err != nil {
		return fmt.Errorf("copy %s: %w", path, err)
	}
	b.list.files = append(b.list.files, backupFile{path, [sha256.Size]byte(sum.Sum(nil))})
	return nil
}
