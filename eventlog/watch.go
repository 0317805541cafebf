package eventlog

import (
	"time"

	"github.com/fsnotify/fsnotify"
)

// watchRest is how long after a notification that was no news the next is looked at: those of our
// own appends come in thousands a second. Who appends that often finds what others have appended
// all the same.
const watchRest = time.Millisecond

// watcher gets notifications of one file: the tail or, for those who may show only what is durable,
// D. Watching the directory would be simpler, but then each D that is written wakes every process
// that watches, which costs the writer a tenth of a sync.
type watcher struct {
	events *fsnotify.Watcher // nil = none
	path   string            // that is watched
}

// move watches another file from now on. What is written to it before that is for the caller to
// find.
func (w *watcher) move(path string) {
	if w.events == nil || w.path == path {
		return
	}
	if w.path != "" {
		_ = w.events.Remove(w.path) // it may be gone, and its watch with it
	}
	w.path = path
	_ = w.events.Add(path) // they are hints: without them, looking from time to time must do
}

// watch asks for notifications. A system may have none left, a file system may not know them.
func (s *dirStore) watch(quit <-chan struct{}, hint func(sure bool) bool) (unsure bool) {
	events, err := fsnotify.NewWatcher()
	if err != nil {
		return true
	}
	s.watcher.events = events
	s.watchTail()
	s.watching.Add(1)
	go func() {
		defer s.watching.Done()
		defer events.Close() // nothing to lose
		rest := time.NewTimer(0)
		defer rest.Stop()
		for {
			sure := true
			select {
			case <-quit:
				return
			case e, ok := <-events.Events:
				if !ok {
					return
				}
				sure = !e.Has(fsnotify.Write)
			case <-events.Errors: // some were lost
			}
			if hint(sure) {
				continue
			}
			rest.Reset(watchRest)
			select {
			case <-rest.C:
			case <-quit:
			}
		}
	}()
	return true
}

// watchTail is called when there is another tail, before it is read. When the next segment is begun
// the tail shows that, too: by the write that has filled it, or by its being set to its size.
func (s *dirStore) watchTail() {
	if s.noWrit {
		s.watcher.move(s.path(durableFile))
	} else {
		s.watcher.move(s.path(segmentName(s.tip.segment)))
	}
}

// stirred looks at the tail only. A full one will be followed by another, or has been.
func (s *dirStore) stirred() bool {
	if s.tail.f == nil || s.noWrit {
		return true
	}
	info, err := s.tail.f.Stat()
	return err != nil || info.Size() != s.tip.offset || info.Size() >= int64(s.opt.SegmentSize)
}
