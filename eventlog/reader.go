package eventlog

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
)

// Reader reads commits in order. It takes no lock while all is well, changes nothing, and returns
// only what is known durable. For a second look at what seems to be damage it waits for the append
// lock, so that no append is under way. Not safe for concurrent use.
//
// A Reader that starts at the first commit checks the whole hash chain; one that starts later
// checks it from there on.
type Reader struct {
	src     source
	from    Commit   // what comes before it is passed over,
	since   Position // and so is a commit that ends before it
	durable Commit   // known durable. Invariant: known before anything that scanner holds was read
	written Position // of the last whole frame that was seen, durable or not; 0 = none was
	tip     tip
	file    segmentFile // that of tip.segment; nil before the first step and after Close
	scanner scanner
	waker   waker
	closed  bool
}

// NewReader starts at the given commit of the log in dir (0: at the first that was not pruned). The commit need not
// be there yet. Errors: ErrNoLog, ErrNotOurs, ErrNewer, ErrPruned, *CorruptError if a segment's name is wrong.
func NewReader(dir string, from Commit) (*Reader, error) {
	id, err := readFormat(dir)
	if err != nil {
		return nil, err
	}
	return newReader(newDirSource(dir, id), id, from)
}

// NewReaderAt starts at the commit that holds the given position of the log in dir (0: at the first that was not
// pruned): for the events before it in that commit, see [Entry.First]. It reads nothing of the segments
// before that commit's. The position need not be there yet, but Next returns ErrBeyond if it is not
// the next one either. Errors as of NewReader.
func NewReaderAt(dir string, from Position) (*Reader, error) {
	id, err := readFormat(dir)
	if err != nil {
		return nil, err
	}
	return newReaderAt(newDirSource(dir, id), id, from)
}

func newReader(src source, id LogID, from Commit) (*Reader, error) {
	begins, segments, err := beginning(src, from > 0)
	if err != nil {
		return nil, err
	}
	if from > 0 && from < begins.segment {
		return nil, errPruned("commit", uint64(from), uint64(begins.segment))
	}
	r := &Reader{src: src, from: from, tip: begins, durable: complete(segments)}
	for _, s := range segments {
		if begins.segment < s.first && s.first <= from {
			r.tip = midTip(id, s.first)
		}
	}
	return r, nil
}

func newReaderAt(src source, id LogID, from Position) (*Reader, error) {
	begins, segments, err := beginning(src, from > 0)
	if err != nil {
		return nil, err
	}
	if from > 0 && from <= begins.head.Position {
		return nil, errPruned("position", uint64(from), uint64(begins.head.Position+1))
	}
	first, err := locatePosition(src, id, segments, from)
	if err != nil {
		return nil, err
	}
	r := &Reader{src: src, since: from, tip: begins, durable: complete(segments)}
	if first > begins.segment {
		r.tip = midTip(id, first)
	}
	return r, nil
}

// beginning returns where a log begins, and its segments from there on. Who reads behind that can do so, even if it
// cannot be told in full.
func beginning(src source, behind bool) (begins tip, segments []segmentInfo, err error) {
	for try := 1; ; try++ {
		begins, err = src.origin()
		if err != nil && !(behind && damaged(err) != nil) {
			return tip{}, nil, err
		}
		if segments, err = src.segments(); err != nil {
			return tip{}, nil, err
		}
		if len(segments) == 0 || segments[0].first <= begins.segment || try == listTries { // or else it was pruned meanwhile
			return begins, segments, nil
		}
	}
}

// complete returns the last commit of the complete segments: before a segment is made, the one
// before it is synced. An archive holds only such.
func complete(segments []segmentInfo) Commit {
	if len(segments) == 0 {
		return 0
	}
	last := segments[len(segments)-1]
	return max(last.first-1, last.last)
}

// Next returns the next commit, valid until the next call; io.EOF when there is none yet (a later
// call may return one, see Wait); ErrBeyond if the log ends before the position that the Reader
// starts at; ErrPruned if what comes next was pruned meanwhile; ErrNewer if the commit is of a later version; a
// *CorruptError where the log is damaged.
// ctx ends a long way to the first commit, and the wait for a second look at what seems to be
// damage; the Reader can still be used then.
func (r *Reader) Next(ctx context.Context) (*Entry, error) {
	for {
		if r.closed {
			return nil, ErrClosed
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		e, err := r.step(ctx)
		if errors.Is(err, io.EOF) && r.since > r.written+1 {
			return nil, fmt.Errorf("position %d %w: its last is %d", r.since, ErrBeyond, r.written)
		}
		if err != nil {
			return nil, err
		}
		if e != nil && e.Commit >= r.from && e.Head().Position >= r.since {
			r.waker.pause = 0
			return e, nil
		}
	}
}

// ID returns the id of the log.
func (r *Reader) ID() LogID { return r.tip.id }

// SkipToEnd passes over everything that is known durable, without reading more than the end of it,
// and returns the Head there: Next goes on with what comes after it. Errors as of Next, with the Head of
// what was read before.
func (r *Reader) SkipToEnd(ctx context.Context) (Head, error) {
	if r.closed {
		return Head{}, ErrClosed
	}
	segments, err := r.src.segments()
	if err != nil {
		return Head{}, err
	}
	last, err := locatePosition(r.src, r.tip.id, segments, math.MaxUint64)
	if err != nil {
		return Head{}, err
	}
	if last > r.tip.segment {
		r.tip = midTip(r.tip.id, last)
	}
	if r.file != nil {
		r.file.Close() // only read; what was read of it is forgotten
		r.file = nil
	}
	r.from, r.since, r.durable = 0, 0, max(r.durable, complete(segments))
	for {
		if _, err := r.Next(ctx); errors.Is(err, io.EOF) {
			return r.tip.head, nil
		} else if err != nil {
			return r.tip.head, err
		}
	}
}

// Close frees the reader's files. Next returns ErrClosed from then on.
func (r *Reader) Close() error {
	r.closed = true
	r.waker.end()
	if r.file == nil {
		return nil
	}
	err := r.file.Close()
	r.file = nil
	return err
}

// step returns the next durable commit, or nothing if it only got nearer to it.
func (r *Reader) step(ctx context.Context) (*Entry, error) {
	if r.file == nil {
		f, err := r.src.open(r.tip.segment)
		if err != nil {
			return nil, r.absent(err)
		}
		r.file = f
		if err := r.measure(); err != nil {
			return nil, err
		}
	}
	before := r.tip
	e, why, err := r.scanner.next(&r.tip)
	switch {
	case err != nil:
		return nil, err
	case e == nil:
		return nil, r.stopped(ctx, why)
	case e.Commit > r.durable:
		r.tip = before
		return nil, r.await()
	}
	r.written = max(r.written, r.tip.head.Position)
	return e, nil
}

// measure takes the size of the segment as it is now, and forgets what was read of it: an
// unfinished or not yet durable frame may have been replaced since.
func (r *Reader) measure() error {
	size, err := r.file.Size()
	if err != nil {
		return fmt.Errorf("read segment: %w", err)
	}
	r.scanner.reset(r.file, size)
	return nil
}

// await finds out whether the commit after tip, which is there, is durable by now; io.EOF if not.
func (r *Reader) await() error {
	known, err := r.src.durable()
	if err == nil && known <= r.tip.head.Commit {
		known, err = r.promised()
	}
	if err != nil {
		return err
	}
	if err := r.measure(); err != nil {
		return err
	}
	if known <= r.tip.head.Commit {
		return io.EOF
	}
	r.durable = max(r.durable, known)
	return nil
}

// promised returns the highest commit that the rest of the segment proves durable: by what its
// frames say, or by being complete.
func (r *Reader) promised() (Commit, error) {
	if err := r.measure(); err != nil {
		return 0, err
	}
	t, highest := r.tip, Commit(0)
	for {
		e, why, err := r.scanner.next(&t)
		switch {
		case err != nil:
			return 0, err
		case e != nil:
			highest = max(highest, e.SyncedThrough)
			r.written = max(r.written, t.head.Position)
			continue
		case why.kind != stopClean: // frames behind a bad spot promise, too
			_, highest, err = judge(r.file, r.scanner.size, t, why, highest)
			return highest, err
		}
		f, err := r.src.open(t.next().segment)
		if errors.Is(err, fs.ErrNotExist) {
			return highest, nil
		}
		if err != nil {
			return 0, err
		}
		return t.head.Commit, f.Close()
	}
}

// stopped goes on from the end of the sound frames in the segment; io.EOF if that is the end of the
// log.
func (r *Reader) stopped(ctx context.Context, why stop) error {
	size := r.scanner.size
	if err := r.measure(); err != nil {
		return err
	}
	if r.scanner.size != size {
		return nil // it grew, or was cut
	}
	if why.kind == stopClean && r.tip.offset > 0 {
		f, err := r.src.open(r.tip.next().segment)
		if err == nil {
			return r.enter(f)
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	known, err := r.src.durable()
	if err != nil {
		return err
	}
	_, archived := r.file.(*archivedSegment)
	if why.kind != stopBad && max(known, r.durable) <= r.tip.head.Commit && !archived {
		return io.EOF
	}
	return r.src.still(ctx, r.lookAgain)
}

// enter goes on with the next segment.
func (r *Reader) enter(f segmentFile) error {
	err := r.file.Close()
	r.file, r.tip = f, r.tip.next()
	if err != nil {
		return fmt.Errorf("close segment: %w", err)
	}
	return r.measure()
}

// lookAgain is the second look at what seems to be damage, while nobody appends: only it may say
// so.
func (r *Reader) lookAgain() error {
	known, err := r.src.durable()
	if err != nil {
		return err
	}
	segments, err := r.src.segments()
	if err != nil {
		return err
	}
	if err := r.pruned(); err != nil {
		return err
	}
	if err := r.measure(); err != nil {
		return err
	}
	t := r.tip
	e, why, err := r.scanner.next(&t)
	if err != nil {
		return err
	}
	if e != nil {
		return r.measure()
	}
	damage, later := later(segments, t, why)
	if later && damage == nil {
		return nil // it ends well, and its successor is there: both came about since the first look
	}
	if _, archived := r.file.(*archivedSegment); archived && damage == nil {
		damage = t.damage(3, "the segment that follows the archive is missing")
	}
	if damage == nil {
		v, _, err := judge(r.file, r.scanner.size, t, why, max(known, r.durable))
		if err != nil {
			return err
		}
		damage = v.damage
	}
	if damage == nil {
		return io.EOF // a torn tail, which the next writer cuts
	}
	locate(damage, segments)
	return damage
}

// absent is what it means that the segment at tip cannot be opened.
func (r *Reader) absent(err error) error {
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := r.src.there(); err != nil {
		return err
	}
	if err := r.pruned(); err != nil {
		return err
	}
	return r.tip.damage(3, "the segment is missing")
}

// pruned returns ErrPruned if what comes next was pruned since the Reader began.
func (r *Reader) pruned() error {
	begins, err := r.src.origin()
	if next := r.tip.head.Commit + 1; next < begins.segment {
		return errPruned("commit", uint64(next), uint64(begins.segment))
	}
	if damaged(err) != nil {
		err = nil // it is not in the way here
	}
	return err
}

// later says whether a segment follows that of t, where the scan stopped so, and if one does, what
// is wrong with that.
func later(segments []segmentInfo, t tip, why stop) (*CorruptError, bool) {
	for _, s := range segments {
		if s.first > t.segment {
			return misplaced(t, why, s.first), true
		}
	}
	return nil, false
}

// locate makes a path of the segment's name in the damage.
func locate(damage *CorruptError, segments []segmentInfo) {
	for _, s := range segments {
		if segmentName(s.first) == damage.Path {
			damage.Path = s.path
			if s.last > 0 {
				damage.Reason += fmt.Sprintf(" (the offset is that in segment %d, which is in this archive)", s.first)
			}
		}
	}
}
