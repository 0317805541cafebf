package eventlog

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
)

// verifier reads a whole log, frame by frame, and goes on behind what is bad.
type verifier struct {
	src      verifySource
	begins   Commit // with which the first segment begins
	segments []segmentInfo
	tip      tip
	lost     bool // the rest of the segment before the next cannot be read
	broken   bool // frames are missing before tip
	scanner  scanner
	search   ahead // for whole frames behind a bad spot
	last     Head  // of the last sound frame
	gap      *Gap  // that is open: no sound frame was found behind it yet; nil = none
	pins     *pins
	report   Report

	passEntry func(*Entry) error // nil = nobody wants them
	passGap   func(Gap) error    // nil = they are gathered in the report

	progress    func(done, total int64)
	done, total int64 // bytes; done without the segment that is being read
}

// verifySource is a source whose bad names are told apart from its segments.
type verifySource interface {
	origin() (tip, error)
	list() (segments []segmentInfo, bad []*CorruptError, err error)
	open(first Commit) (segmentFile, error)
	promised() (Commit, error)
	still(ctx context.Context, fn func() error) error
}

func newVerifier(src verifySource, id LogID) *verifier {
	return &verifier{src: src, tip: firstTip(id), pins: newPins(nil), report: Report{ID: id}}
}

// prepare looks what there is to read.
func (v *verifier) prepare() (err error) {
	// First of all: the event of this base is in the log by then.
	v.tip, err = v.src.origin()
	if d := damaged(err); d != nil {
		v.broken = true // checkBase names it
	} else if err != nil {
		return err
	}
	v.begins = v.tip.segment
	// What is durable is read before the segments: what they hold by then can only be more.
	if v.report.Durable, err = v.src.promised(); err != nil {
		return err
	}
	var bad []*CorruptError
	if v.segments, bad, err = v.src.list(); err != nil {
		return err
	}
	if v.pruned() {
		return errMeanwhile
	}
	if v.tip.segment > 1 {
		v.last = v.tip.head
		v.pins.begin(v.last)
	}
	v.segments = slices.DeleteFunc(v.segments, func(s segmentInfo) bool { return s.first < v.tip.segment })
	for _, s := range v.segments {
		v.total += s.size
	}
	v.report.Segments, v.report.Bytes = len(v.segments), v.total
	v.report.Damage = append(v.report.Damage, bad...) // which hides nothing
	return nil
}

// pruned says that the log begins elsewhere by now.
func (v *verifier) pruned() bool {
	begins, _ := v.src.origin() // what is wrong with the base was seen
	return begins.segment > v.begins
}

func (v *verifier) run(ctx context.Context) error {
	v.report.Head = v.tip.head
	if len(v.segments) == 0 {
		v.breakOff(v.tip.damage(3, "the segment is missing"))
	}
	next, end := openAhead(v.src, v.segments)
	defer end()
	for i, s := range v.segments {
		v.begin(s.first)
		f, err := next()
		if d := damaged(err); d != nil { // of an archive
			v.breakOff(d)
			v.tip = midTip(v.tip.id, s.last+1)
			v.tip.segment = s.first
			v.done += s.size
			continue
		}
		if errors.Is(err, fs.ErrNotExist) && v.pruned() {
			err = errMeanwhile
		}
		if err != nil {
			return fmt.Errorf("open segment %d: %w", s.first, err)
		}
		packed, archived := f.(*archivedSegment)
		switch last := i == len(v.segments)-1; {
		case archived:
			err = v.archived(ctx, packed, last)
		case last:
			err = v.lastSegment(ctx, f)
		default:
			err = v.segment(ctx, f)
		}
		f.Close() // only read
		if err != nil {
			return err
		}
		v.done += s.size
	}
	v.tell(0)
	return v.closeGap(0, 0)
}

// begin moves the tip to the beginning of a segment.
func (v *verifier) begin(first Commit) {
	clean := stop{kind: stopClean} // or else it is lost
	switch d := misplaced(v.tip, clean, first); {
	case v.lost:
		v.tip = midTip(v.tip.id, first)
	case d != nil:
		v.breakOff(d)
		v.tip = midTip(v.tip.id, first)
	default:
		v.tip = v.tip.next()
	}
	v.lost = false
}

// segment reads a segment that others follow.
func (v *verifier) segment(ctx context.Context, f segmentFile) error {
	why, err := v.read(ctx, f)
	for err == nil && why.kind != stopClean {
		v.breakOff(v.tip.damage(3, why.reason+"; later segments follow"))
		why, err = v.readOn(ctx, f)
	}
	return v.unreadable(err)
}

// archived reads a segment from an archive, of which the log's last is none.
func (v *verifier) archived(ctx context.Context, s *archivedSegment, last bool) error {
	if err := v.segment(ctx, s); err != nil {
		return err
	}
	if d := s.misfit(v.tip); d != nil && v.gap == nil {
		v.breakOff(d)
	}
	if last {
		v.breakOff(v.tip.damage(3, "the segment that follows the archive is missing"))
	}
	return nil
}

// lastSegment reads the last segment and judges its end. What does not end well may be an append or a
// rotation under way: it is looked at again while nobody appends.
func (v *verifier) lastSegment(ctx context.Context, f segmentFile) error {
	why, err := v.read(ctx, f)
	switch {
	case err != nil:
		return v.unreadable(err)
	case why.kind == stopClean:
		return v.judge(ctx, f, why)
	}
	return v.src.still(ctx, func() error {
		segments, _, err := v.src.list()
		if err != nil {
			return err
		}
		why, err := v.read(ctx, f)
		if err != nil {
			return v.unreadable(err)
		}
		d, later := later(segments, v.tip, why)
		if d != nil {
			v.breakOff(d)
		}
		if later {
			return nil
		}
		return v.judge(ctx, f, why)
	})
}

// judge says what the end of the last segment is, and reads what is sound behind damage.
func (v *verifier) judge(ctx context.Context, f segmentFile, why stop) error {
	verdict, highest, err := judge(f, v.scanner.size, v.tip, why, v.report.Durable)
	if err != nil {
		return v.unreadable(err)
	}
	// Before a segment is made, the one before it is synced.
	v.report.Durable = max(highest, v.tip.segment-1)
	if verdict.torn {
		torn, err := tornTail(f, v.scanner.size, v.tip, verdict)
		if err != nil {
			return err
		}
		v.report.Torn = &torn
	}
	damage := verdict.damage
	for err == nil && damage != nil {
		v.breakOff(damage)
		if why.kind != stopClean {
			why, err = v.readOn(ctx, f)
		}
		damage = nil
		if err == nil && why.kind != stopClean {
			damage = v.tip.damage(verdict.row, why.reason)
		}
	}
	return v.unreadable(err)
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
		if err := v.take(e); err != nil {
			return stop{}, err
		}
		if v.tip.offset-told >= progressStep {
			told = v.tip.offset
			v.tell(told)
		}
	}
}

// readOn goes on behind a bad spot at the tip, with the next whole frame of the segment. It comes to
// a clean end, with lost set, if there is none.
func (v *verifier) readOn(ctx context.Context, f segmentFile) (stop, error) {
	bad := v.tip.offset
	v.search.reset(f, v.scanner.size, v.tip)
	for from := bad; ; {
		next, err := v.search.find(from)
		if err != nil {
			return stop{}, err
		}
		if next.size == 0 {
			v.lost = true
			return stop{kind: stopClean}, nil
		}
		v.tip.offset, v.tip.unlinked = next.offset, true
		v.tip.head = Head{Commit: next.commit - 1}
		why, err := v.read(ctx, f)
		if err != nil || v.tip.offset > next.offset {
			return why, err
		}
		from = next.offset + 1 // whole, and yet no frame that anybody could have written
	}
}

// take counts a sound frame.
func (v *verifier) take(e *Entry) error {
	v.report.Events += uint64(len(e.Events))
	v.report.Durable = max(v.report.Durable, e.SyncedThrough)
	if v.gap != nil {
		if err := v.closeGap(e.Commit, e.First); err != nil {
			return err
		}
	}
	v.last = v.tip.head
	if !v.broken {
		v.report.Head = v.last
	}
	v.pins.meet(e)
	if v.passEntry != nil {
		return v.passEntry(e)
	}
	return nil
}

// breakOff takes damage after which the prefix is no longer whole.
func (v *verifier) breakOff(d *CorruptError) {
	locate(d, v.segments)
	v.report.Damage = append(v.report.Damage, d)
	v.broken = true
	if v.gap == nil {
		v.gap = &Gap{After: v.last}
	}
	v.gap.Damage = append(v.gap.Damage, d)
}

// closeGap ends the gap with the sound commit that follows it; 0 = none does.
func (v *verifier) closeGap(next Commit, first Position) error {
	if v.gap == nil {
		return nil
	}
	g := *v.gap
	g.Commit, g.First = next, first
	if next != 0 {
		v.gap = nil
	}
	if v.passGap != nil {
		return v.passGap(g)
	}
	v.report.Gaps = append(v.report.Gaps, g)
	return nil
}

// unreadable makes damage of bytes that the disk does not give back; the rest of their segment is
// left out. Other errors it returns.
func (v *verifier) unreadable(err error) error {
	var failed *fs.PathError
	if !errors.As(err, &failed) || failed.Op != "read" {
		return err
	}
	v.breakOff(v.tip.damage(0, "it cannot be read: "+failed.Err.Error()))
	v.lost = true
	return nil
}

func (v *verifier) tell(offset int64) {
	if v.progress != nil {
		v.progress(min(v.done+offset, v.total), v.total)
	}
}
