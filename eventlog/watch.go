package eventlog

import (
	"path/filepath"

	"github.com/fsnotify/fsnotify"
)

// watch follows the directory's notifications. They are hints: where there are none (a limit of the system, a file system without), looking
// from time to time must do.
func (s *dirStore) watch(quit <-chan struct{}, hint func()) (unsure bool) {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return true
	}
	if err := w.Add(s.path("")); err != nil {
		w.Close() // watches nothing
		return true
	}
	s.watching.Add(1)
	go func() {
		defer s.watching.Done()
		defer w.Close() // nothing to lose
		for {
			select {
			case <-quit:
				return
			case e, ok := <-w.Events:
				if !ok {
					return
				}
				if filepath.Base(e.Name) != durableFile {
					hint()
				}
			case _, ok := <-w.Errors:
				if !ok {
					return
				}
				hint() // some were lost
			}
		}
	}()
	return true
}
