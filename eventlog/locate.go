package eventlog

import (
	"errors"
	"fmt"
	"io/fs"
)

// locatePosition returns the first commit of the segment that holds the position: of those that
// begin at it or before, the last. Segments are sorted by their positions, too, so that a binary
// search opens only a few of them. One that does not begin with a sound frame (the last may be empty)
// says nothing; reading tells what is wrong with it. It is 0 if the position is before all of them.
func locatePosition(src source, id LogID, segments []segmentInfo, p Position) (Commit, error) {
	found := Commit(0)
	for low, high := 0, len(segments); low < high; {
		mid := (low + high) / 2
		begins, at := Position(0), mid
		for ; at >= low; at-- {
			var err error
			if begins = segments[at].from; begins == 0 {
				begins, err = firstPosition(src, id, segments[at].first)
			}
			if err != nil {
				return 0, err
			}
			if begins != 0 {
				break
			}
		}
		switch {
		case begins > p:
			high = at
		default:
			low = mid + 1
			if begins != 0 {
				found = segments[at].first
			}
		}
	}
	return found, nil
}

// firstPosition returns the position of the first event in a segment, 0 if no sound frame says it.
func firstPosition(src source, id LogID, first Commit) (Position, error) {
	f, err := src.open(first)
	if errors.Is(err, fs.ErrNotExist) || damaged(err) != nil { // of an archive
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer f.Close() // only read
	size, err := f.Size()
	if err != nil {
		return 0, fmt.Errorf("read segment: %w", err)
	}
	s := scanners.Get().(*scanner)
	defer scanners.Put(s)
	s.reset(f, size)
	t := midTip(id, first)
	e, _, err := s.next(&t)
	if e == nil {
		if errors.Is(err, ErrNewer) {
			err = nil
		}
		return 0, err
	}
	return e.First, nil
}
