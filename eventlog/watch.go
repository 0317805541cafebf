package eventlog

import (
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"
)

// watchRest is how long after a notification the next is looked at: those of our own appends come in thousands a second.
const watchRest = 200 * time.Microsecond

// watch follows the directory's notifications. They are hints: where there are none (a limit of the system, a file system without), looking
// from time to time must do.
func (s *dirStore) watch(quit <-chan struct{}, hint func(bool)) (unsure bool) {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return true
	}
	if err := w.Add(s.path("")); err != nil {
		w.Close() // watches nothing
		return true
	}
	marks := s.noWrit // then it is D that says what may be shown
	s.watching.Add(1)
	go func() {
		defer s.watching.Done()
		rest := time.NewTimer(0)
		defer rest.Stop()
		defer w.Close() // nothing to lose
		for {
			select {
			case <-quit:
				return
			case e, ok := <-w.Events:
				if !ok {
					return
				}
				if filepath.Base(e.Name) == durableFile && !marks {
					continue
				}
				hint(!e.Has(fsnotify.Write))
				rest.Reset(watchRest)
				select {
				case <-rest.C:
				case <-quit:
				}
			case _, ok := <-w.Errors:
				if !ok {
					return
				}
				hint(true) // some were lost
			}
		}
	}()
	return true
}

// stirred looks at the tail only: when another segment is begun, the hint is sure.
func (s *dirStore) stirred() bool {
	if s.tail.f == nil || s.noWrit {
		return true
	}
	info, err := s.tail.f.Stat()
	return err != nil || info.Size() != s.tip.offset
}
