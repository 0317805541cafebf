package eventlog

import (
	"errors"
	"io/fs"
	"sync/atomic"
	"testing"
)

// shelf is a source whose segments count themselves.
type shelf struct {
	verifySource
	missing Commit
	opens   atomic.Int32
	closes  atomic.Int32
}

type book struct {
	segmentFile
	first Commit
	shelf *shelf
}

func (s *shelf) open(first Commit) (segmentFile, error) {
	if first == s.missing {
		return nil, fs.ErrNotExist
	}
	s.opens.Add(1)
	return book{first: first, shelf: s}, nil
}

func (b book) Close() error {
	b.shelf.closes.Add(1)
	return nil
}

// TestOpenAhead_InOrderAndClosesWhatNobodyTook: at most one is open that nobody has asked for.
func TestOpenAhead_InOrderAndClosesWhatNobodyTook(t *testing.T) {
	t.Parallel()
	segments := []segmentInfo{{first: 1}, {first: 5}, {first: 7}, {first: 9}, {first: 11}}
	for taken := range len(segments) + 1 {
		s := &shelf{missing: 5}
		next, end := openAhead(s, segments)
		for i := range taken {
			f, err := next()
			if segments[i].first == s.missing {
				if !errors.Is(err, fs.ErrNotExist) {
					t.Fatalf("segment %d: %v", s.missing, err)
				}
				continue
			}
			if err != nil || f.(book).first != segments[i].first {
				t.Fatalf("%v, %v; want segment %d", f, err, segments[i].first)
			}
			f.Close()
		}
		end()
		if opens, closes := s.opens.Load(), s.closes.Load(); opens != closes || int(opens) > taken+1 {
			t.Errorf("of %d segments %d were opened and %d closed", taken, opens, closes)
		}
	}
}
