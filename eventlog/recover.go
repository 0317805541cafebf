package eventlog

import (
	"fmt"
	"io"
)

// verdict is one row of the recovery table (docs/internals/format.md has it whole).
//
//	row  found                                                          verdict
//	1    clean end, nothing promised beyond it                          sound
//	2    clean end, a promise beyond it                                 damage
//	3    a bad segment that is not the last, a gap, a misnamed segment  damage (see misplaced)
//	4    bad bytes, a promise beyond them                               damage
//	5    a frame cut by the end of the file, or pieces never written    torn
//	6    bad bytes that neither explains                                damage: it cannot be told
//	7    as 5, and whole frames behind                                  torn
//	8    as 6, and whole frames behind                                  damage: it cannot be told
//	9    empty                                                          sound
type verdict struct {
	row    int
	torn   bool          // what follows the valid prefix was never acknowledged: it may be cut
	reason string        // of torn, for people
	damage *CorruptError // nil if sound or torn; Path is only the segment's name
}

// judge says what the end of the last segment is, after a scan came to t and stopped there.
// promised is the highest Commit known durable from elsewhere. It looks for whole frames behind t;
// the highest that any of them or promised names is returned too.
func judge(r io.ReaderAt, size int64, t tip, why stop, promised Commit) (verdict, Commit, error) {
	if why.kind == stopClean {
		return judgeClean(t, promised), promised, nil
	}
	a := aheads.Get().(*ahead)
	defer aheads.Put(a)
	a.reset(r, size, t)
	a.highest = promised
	if err := a.survey(why); err != nil {
		return verdict{}, 0, err
	}
	v := verdict{row: 6}
	switch {
	case a.highest > t.head.Commit:
		v.row = 4
	case a.stranger || a.tired:
	case a.frames && a.explained:
		v.row, v.torn = 7, true
	case a.frames:
		v.row = 8
	case a.explained:
		v.row, v.torn = 5, true
	}
	v.reason = why.reason
	switch v.row {
	case 4:
		v.reason += fmt.Sprintf("; commit %d is known to have been durable", a.highest)
	case 6, 8:
		v.reason += "; it cannot be told whether it was acknowledged"
	case 7:
		v.reason += "; pieces of the file were never written, though later ones were"
	}
	if !v.torn {
		v.damage = t.damage(v.row, v.reason)
	}
	return v, a.highest, nil
}

func judgeClean(t tip, promised Commit) verdict {
	switch {
	case t.head.Commit < promised:
		reason := fmt.Sprintf("the log ends here, but commit %d is known to have been durable", promised)
		return verdict{row: 2, damage: t.damage(2, reason)}
	case t.offset == 0:
		return verdict{row: 9}
	}
	return verdict{row: 1}
}

// misplaced is row 3 for a segment that is not the last: the scan of it ended at t, and the next
// segment's name is next. It returns nil if all is as it should be.
func misplaced(t tip, why stop, next Commit) *CorruptError {
	switch {
	case why.kind != stopClean:
		return t.damage(3, why.reason+"; later segments follow")
	case next > t.head.Commit+1:
		return t.damage(3, fmt.Sprintf("the next segment begins with commit %d: what is between is missing", next))
	case next <= t.head.Commit:
		return t.damage(3, fmt.Sprintf("the next segment begins with commit %d, which is in this one", next))
	}
	return nil
}

// tornTail describes what the verdict says may be cut: everything from t to the end of the segment.
func tornTail(r io.ReaderAt, size int64, t tip, v verdict) (Repair, error) {
	var w window
	w.reset(r, size)
	crc, err := w.checksum(0, t.offset, size-t.offset)
	return Repair{
		Segment: segmentName(t.segment), Offset: t.offset, Size: size - t.offset, CRC: crc, Verdict: v.String(),
	}, err
}

// String says the verdict in a few words.
func (v verdict) String() string {
	switch {
	case v.torn:
		return fmt.Sprintf("torn tail (row %d): %s", v.row, v.reason)
	case v.damage != nil:
		return fmt.Sprintf("damage (row %d): %s", v.row, v.damage.Reason)
	}
	return fmt.Sprintf("sound (row %d)", v.row)
}
