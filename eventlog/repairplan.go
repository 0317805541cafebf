package eventlog

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
)

// Plan is what a repair does to a damaged log: what stays, and what goes to quarantine.
type Plan struct {
	Head    Head            // of what stays: the longest history from commit 1 on whose chain is whole
	Durable Commit          // known durable; of these, the commits behind Head are lost
	Damage  []*CorruptError // what was found; empty = nothing has to go
	Torn    *Repair         // an unfinished frame, which the next writer cuts off anyway; nil = none
	Pieces  []Piece         // what goes, in the order of the log
	// Snapshot is the last commit of the newest snapshot file that goes; 0 = none does. While that file and
	// all that follows it are sound, the State can be had from them, and a Log that begins there be written:
	// only the history before it is damaged.
	Snapshot Commit

	tail  tip  // where what stays ends
	empty bool // nothing stays, not even a file
}

// Piece is what a repair takes out of one file.
type Piece struct {
	Repair
	Path string // of the file
	kind pieceKind
}

type pieceKind uint8

const (
	pieceRest  pieceKind = iota // of a segment, what is in it from Offset on
	pieceWhole                  // the file with all that is in it
	pieceMarks                  // what the D file says; another takes its place
)

// MakePlan looks what a repair of the log in dir would do. It changes nothing; for a second look at
// what seems to be damage it waits for the append lock. Errors: ErrNoLog, ErrNotOurs, ErrNewer, that
// of ctx, or of a file that cannot be read.
func MakePlan(ctx context.Context, dir string) (*Plan, error) {
	return planOn(ctx, dir, nil)
}

func planOn(ctx context.Context, dir string, d *disk) (*Plan, error) {
	id, err := readFormat(dir)
	if err != nil {
		return nil, err
	}
	src := newDirSource(dir, id)
	src.disk = d
	plan, err := makePlan(ctx, src)
	if err != nil || len(plan.Damage) == 0 && plan.Torn == nil {
		return plan, err
	}
	err = src.still(ctx, func() error {
		plan, err = makePlan(ctx, src)
		return err
	})
	return plan, err
}

// planner makes a plan. What it finds is for sure only while nobody appends.
type planner struct {
	src  dirSource
	plan *Plan
	rest []segmentInfo // that were not reached

	begins Commit // the last one of the base; 0 = there is none
}

func makePlan(ctx context.Context, src dirSource) (*Plan, error) {
	promised, err := src.promised()
	if err != nil {
		return nil, err
	}
	segments, bad, err := src.list()
	if err != nil {
		return nil, err
	}
	begins, err := src.origin()
	if d := damaged(err); d != nil {
		return nil, beyondRepair(d)
	}
	if err != nil {
		return nil, err
	}
	p := &planner{src: src, plan: &Plan{Durable: promised, tail: begins}, rest: segments}
	p.begins = begins.head.Commit
	if err := p.follow(ctx); err != nil {
		return nil, err
	}
	for _, s := range p.rest {
		if s.last > 0 {
			return nil, beyondRepair(p.plan.Damage[len(p.plan.Damage)-1])
		}
	}
	for _, s := range p.rest {
		if err := p.whole(ctx, s); err != nil {
			return nil, err
		}
	}
	for _, b := range bad {
		if err := p.misnamed(b); err != nil {
			return nil, err
		}
	}
	p.plan.Head = p.plan.tail.head
	return p.plan, p.beyond()
}

// beyond takes what rests on commits that go: what the D file says, and snapshot files.
func (p *planner) beyond() error {
	last := p.plan.Head.Commit
	known, err := p.src.durable()
	if err == nil && known > last {
		err = p.marks(known)
	}
	if err != nil || len(p.plan.Damage) == 0 {
		return err
	}
	spans, err := listSnapshots(p.src.dir)
	if err != nil {
		return err
	}
	for _, s := range spans {
		if s.through <= last {
			continue
		}
		piece := Piece{Path: s.path(p.src.dir), kind: pieceWhole}
		piece.Segment = filepath.Base(piece.Path)
		piece.Verdict = fmt.Sprintf("it rests on commit %d, which does not stay", s.through)
		if piece.Size, piece.CRC, err = fileChecksum(piece.Path); err != nil {
			return fmt.Errorf("look at snapshot: %w", err)
		}
		p.plan.Pieces, p.plan.Snapshot = append(p.plan.Pieces, piece), max(p.plan.Snapshot, s.through)
	}
	return nil
}

// take removes a segment from the rest. Its name must be first.
func (p *planner) take(first Commit) (segmentInfo, bool) {
	for i, s := range p.rest {
		if s.first == first {
			p.rest = append(p.rest[:i:i], p.rest[i+1:]...)
			return s, true
		}
	}
	return segmentInfo{}, false
}

// next returns the name of the segment behind the tail, 0 if it is the last. Segments that begin with
// what stays do not belong there.
func (p *planner) next() Commit {
	for _, s := range p.rest {
		if s.first > max(p.plan.tail.segment, p.plan.tail.head.Commit) {
			return s.first
		}
	}
	return 0
}

// follow goes along the chain. Where a segment goes bad behind its last commit, and the segment that
// must come next is there, only what is between them goes: the chain shows that nothing is missing.
func (p *planner) follow(ctx context.Context) error {
	t := &p.plan.tail
	for {
		s, ok := p.take(t.segment)
		if !ok {
			p.plan.empty = true
			p.plan.Damage = append(p.plan.Damage, t.damage(3, "the segment is missing"))
			return nil
		}
		more, err := p.segment(ctx, s)
		if err != nil || !more {
			return err
		}
		*t = t.next()
	}
}

// beyondRepair is the answer to damage of an archive or the base, or before one. What a repair takes away is all that
// comes after the damage, and that would be most of the log.
func beyondRepair(damage *CorruptError) error {
	return fmt.Errorf("no repair can mend an archive or a base; put it back from a backup: %w", damage)
}

// archived goes along an archived segment, which must be whole: another follows it.
func (p *planner) archived(ctx context.Context, s segmentInfo) error {
	f, err := p.src.open(s.first)
	if d := damaged(err); d != nil {
		return beyondRepair(d)
	}
	if err != nil {
		return fmt.Errorf("open segment: %w", err)
	}
	defer f.Close() // only read
	t := &p.plan.tail
	why, err := scan(f, s.size, t, func(*Entry) error { return ctx.Err() })
	if err != nil {
		return err
	}
	if d := misplaced(*t, why, s.last+1); d != nil {
		locate(d, []segmentInfo{s})
		return beyondRepair(d)
	}
	return nil
}

// segment goes along one segment. It reports whether the next one is there.
func (p *planner) segment(ctx context.Context, s segmentInfo) (bool, error) {
	if s.last > 0 {
		return true, p.archived(ctx, s)
	}
	f, size, err := p.open(s.path)
	if err != nil {
		return false, err
	}
	defer f.Close() // only read
	t := &p.plan.tail
	why, err := scan(f, size, t, func(e *Entry) error {
		p.plan.Durable = max(p.plan.Durable, e.SyncedThrough)
		return ctx.Err()
	})
	if err != nil {
		return false, err
	}
	next := p.next()
	more := next == t.head.Commit+1
	var damage *CorruptError
	switch {
	case more && why.kind == stopClean:
		return true, nil
	case more:
		damage = t.damage(3, why.reason+"; the next segment goes on where it must")
	case next > 0:
		damage = misplaced(*t, why, next)
	default:
		v, highest, err := judge(f, size, *t, why, p.plan.Durable)
		if err != nil {
			return false, err
		}
		p.plan.Durable = highest
		damage = v.damage
		if v.torn {
			torn, err := tornTail(f, size, *t, v)
			p.plan.Torn = &torn
			return false, err
		}
	}
	if damage == nil {
		return false, nil
	}
	damage.Path = s.path
	p.plan.Damage = append(p.plan.Damage, damage)
	if why.kind == stopClean {
		return more, nil
	}
	return more, p.add(ctx, f, *t, Piece{Path: s.path, Repair: Repair{
		Segment: segmentName(s.first), Offset: t.offset, Size: size - t.offset, Verdict: verdict{damage: damage, row: damage.Row}.String(),
	}})
}

func (p *planner) open(path string) (osSegment, int64, error) {
	f, err := os.Open(path)
	if err != nil {
		return osSegment{}, 0, fmt.Errorf("open segment: %w", err)
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return osSegment{}, 0, fmt.Errorf("open segment: %w", err)
	}
	return osSegment{f}, info.Size(), nil
}

// add takes a piece of a segment, which begins at the tip, into the plan.
func (p *planner) add(ctx context.Context, f osSegment, at tip, piece Piece) error {
	var w window
	w.reset(f, at.offset+piece.Size)
	crc, err := w.checksum(0, at.offset, piece.Size)
	if err != nil {
		return err
	}
	piece.CRC = crc
	v := newVerifier(nil, at.id)
	v.tip = at
	v.scanner.reset(f, at.offset+piece.Size)
	v.passEntry = func(e *Entry) error {
		piece.Frames.add(e)
		p.plan.Durable = max(p.plan.Durable, e.SyncedThrough)
		return nil
	}
	for err == nil && !v.lost && v.tip.offset < at.offset+piece.Size {
		_, err = v.readOn(ctx, f)
	}
	p.plan.Pieces = append(p.plan.Pieces, piece)
	return err
}

// whole takes a segment that cannot stay.
func (p *planner) whole(ctx context.Context, s segmentInfo) error {
	f, size, err := p.open(s.path)
	if err != nil {
		return err
	}
	defer f.Close() // only read
	last := p.plan.tail.head.Commit
	verdict := fmt.Sprintf("it does not follow commit %d, with which the sound history ends", last)
	switch {
	case last == p.begins:
		verdict = "the beginning of the log is not sound"
	case s.first <= last:
		verdict = fmt.Sprintf("it begins with commit %d, which another segment has", s.first)
		p.plan.Damage = append(p.plan.Damage, &CorruptError{Path: s.path, Commit: s.first, Row: 3, Reason: verdict})
	}
	return p.add(ctx, f, midTip(p.src.id, s.first), Piece{Path: s.path, kind: pieceWhole, Repair: Repair{
		Segment: segmentName(s.first), Size: size, Verdict: verdict,
	}})
}

// misnamed takes a file that tidwall/wal would take for a segment.
func (p *planner) misnamed(bad *CorruptError) error {
	p.plan.Damage = append(p.plan.Damage, bad)
	piece := Piece{Path: bad.Path, kind: pieceWhole, Repair: Repair{Segment: filepath.Base(bad.Path), Verdict: bad.Reason}}
	info, err := os.Lstat(bad.Path)
	if err == nil && info.Mode().IsRegular() {
		piece.Size, piece.CRC, err = fileChecksum(bad.Path)
	}
	if err != nil {
		return fmt.Errorf("look at misnamed file: %w", err)
	}
	p.plan.Pieces = append(p.plan.Pieces, piece)
	return nil
}

// fileChecksum returns the size of a file and the CRC32C of all that is in it.
func fileChecksum(path string) (int64, uint32, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, 0, err
	}
	defer f.Close() // only read
	sum := crc32.New(castagnoli)
	n, err := io.Copy(sum, f)
	return n, sum.Sum32(), err
}

// marks takes back what the D file promises and what is not there.
func (p *planner) marks(promised Commit) error {
	path := filepath.Join(p.src.dir, logDir, durableFile)
	size, crc, err := fileChecksum(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	p.plan.Pieces = append(p.plan.Pieces, Piece{Path: path, kind: pieceMarks, Repair: Repair{
		Segment: durableFile, Size: size, CRC: crc,
		Verdict: fmt.Sprintf("it says that commit %d is durable, which is lost", promised),
	}})
	return err
}
