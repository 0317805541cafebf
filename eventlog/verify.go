package eventlog

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Report is what Verify found.
type Report struct {
	ID       LogID
	Head     Head   // of the longest sound prefix
	Durable  Commit // known durable
	Segments int
	Events   uint64          // in all sound frames, also behind damage
	Bytes    int64           // of all segments
	Repairs  int             // files in quarantine
	Torn     *Repair         // an unfinished frame at the end: the next writer cuts it; nil = none
	Damage   []*CorruptError // empty = sound
}

// Verify checks every frame of the log in dir: lengths, checksums, numbers, hash chain, the names
// of the segments, and that nothing is missing that is known to have been durable. After damage it
// goes on with the next segment. It changes nothing and takes no lock, except for a second look at
// a tail that seems bad; memory stays bounded by the largest frame. progress, if not nil, is told
// the bytes read and the bytes in all.
//
// Damage is in the Report; the error is what kept Verify from its work: ErrNoLog, ErrNotOurs,
// ErrNewer, that of ctx, or of a file.
func Verify(ctx context.Context, dir string, progress func(done, total int64)) (*Report, error) {
	id, err := readFormat(dir)
	if err != nil {
		return nil, err
	}
	v := verifier{src: dirSource{dir: dir, id: id}, tip: firstTip(id), progress: progress}
	v.report.ID = id
	// What is durable is read before the segments: what they hold by then can only be more.
	if v.report.Durable, err = v.src.durable(); err != nil {
		return nil, err
	}
	var bad []*CorruptError
	if v.segments, bad, err = listSegments(dir); err != nil {
		return nil, err
	}
	for _, damage := range bad {
		v.damage(damage)
	}
	if v.report.Repairs, err = countFiles(filepath.Join(dir, quarantineDir)); err != nil {
		return nil, err
	}
	if err := v.run(ctx); err != nil {
		return nil, err
	}
	return &v.report, nil
}

func countFiles(dir string) (int, error) {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, fmt.Errorf("count repairs: %w", err)
	}
	return len(entries), nil
}

type verifier struct {
	src      dirSource
	segments []segmentInfo
	tip      tip
	broken   bool // frames are missing before tip
	scanner  scanner
	report   Report

	progress    func(done, total int64)
	done, total int64 // bytes; done without the segment that is being read
}

// damage takes what is wrong with the names of segments.
func (v *verifier) damage(d *CorruptError) {
	locate(d, v.segments)
	v.report.Damage = append(v.report.Damage, d)
}

// breakOff takes damage after which the prefix is no longer whole.
func (v *verifier) breakOff(d *CorruptError) {
	v.damage(d)
	v.broken = true
}

func (v *verifier) run(ctx context.Context) error {
	for _, s := range v.segments {
		v.total += s.size
	}
	v.report.Segments, v.report.Bytes, v.report.Head = len(v.segments), v.total, v.tip.head
	if len(v.segments) == 0 {
		v.breakOff(v.tip.damage(3, "the segment is missing"))
		return nil
	}
	var why stop // before segment 1, all is clean
	for i, s := range v.segments {
		if d := misplaced(v.tip, why, s.first); d != nil {
			v.breakOff(d)
			v.tip = midTip(v.tip.id, s.first)
		} else {
			v.tip = v.tip.next()
		}
		f, err := v.src.open(s.first)
		if err != nil {
			return fmt.Errorf("open segment %d: %w", s.first, err)
		}
		why, err = v.read(ctx, f)
		if err == nil && i == len(v.segments)-1 {
			err = v.end(ctx, f, why)
		}
		f.Close() // only read
		if err != nil {
			return err
		}
		v.done += s.size
	}
	v.tell(0)
	return nil
}

// progressStep is how many bytes are read between two calls of progress.
const progressStep = 1 << 20

// read scans a segment from tip on.
func (v *verifier) read(ctx context.Context, f segmentFile) (stop, error) {
	size, err := f.Size()
	if err != nil {
		return stop{}, fmt.Errorf("read segment: %w", err)
	}
	v.scanner.reset(f, size)
	for told := v.tip.offset; ; {
		if err := ctx.Err(); err != nil {
			return stop{}, err
		}
		e, why, err := v.scanner.next(&v.tip)
		if e == nil {
			return why, err
		}
		v.report.Events += uint64(len(e.Events))
		v.report.Durable = max(v.report.Durable, e.SyncedThrough)
		if !v.broken {
			v.report.Head = v.tip.head
		}
		if v.tip.offset-told >= progressStep {
			told = v.tip.offset
			v.tell(told)
		}
	}
}

func (v *verifier) tell(offset int64) {
	if v.progress != nil {
		v.progress(min(v.done+offset, v.total), v.total)
	}
}

// end judges the end of the last segment. What does not end well may be an append or a rotation
// under way: it is looked at again while nobody appends.
func (v *verifier) end(ctx context.Context, f segmentFile, why stop) error {
	if why.kind == stopClean {
		return v.judge(f, why)
	}
	return v.src.still(ctx, func() error {
		segments, _, err := listSegments(v.src.dir)
		if err != nil {
			return err
		}
		why, err := v.read(ctx, f)
		if err != nil {
			return err
		}
		d, later := later(segments, v.tip, why)
		if d != nil {
			v.breakOff(d)
		}
		if later {
			return nil
		}
		return v.judge(f, why)
	})
}

func (v *verifier) judge(f segmentFile, why stop) error {
	verdict, highest, err := judge(f, v.scanner.size, v.tip, why, v.report.Durable)
	if err != nil {
		return err
	}
	// Before a segment is made, the one before it is synced.
	v.report.Durable = max(highest, v.tip.segment-1)
	if verdict.damage != nil {
		v.breakOff(verdict.damage)
	}
	if verdict.torn {
		torn, err := tornTail(f, v.scanner.size, v.tip, verdict)
		if err != nil {
			return err
		}
		v.report.Torn = &torn
	}
	return nil
}
