package eventlog

import (
	"context"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"
)

// waker is what a Reader needs to be woken.
type waker struct {
	quit  chan struct{}   // nil = nothing is watched
	news  <-chan struct{} // of source.watch
	pause time.Duration   // until the next look without news; 0 = the last look found something
}

// end stops what watch started, and waits for it.
func (w *waker) end() {
	if w.quit == nil {
		return
	}
	close(w.quit)
	for range w.news { // until it is closed
	}
	w.quit = nil
}

// Wait returns when it is worth to call Next again after io.EOF. Notifications of the system are
// hints, which may be late, false or missing: so it returns from time to time without any, and first
// at once, because what came before the watch began brought none. Errors: that of ctx; ErrNoLog if the
// log was deleted or replaced; ErrClosed.
func (r *Reader) Wait(ctx context.Context) error {
	if r.closed {
		return ErrClosed
	}
	w := &r.waker
	if w.quit == nil {
		w.quit = make(chan struct{})
		w.news = r.src.watch(w.quit)
		return ctx.Err()
	}
	w.pause = max(lookFirst, min(2*w.pause, lookMost))
	timer := time.NewTimer(w.pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-w.news:
		return nil
	case <-timer.C:
	}
	if w.pause < lookMost {
		return nil
	}
	return r.src.there()
}

// watch looks at D alone: it is written when commits have become durable, whatever segment they are in.
// A system may have no notifications left, a file system may not know them, and a log may have no D.
func (s dirSource) watch(quit <-chan struct{}) <-chan struct{} {
	news := make(chan struct{}, 1)
	events, err := fsnotify.NewWatcher()
	if err == nil {
		err = events.Add(filepath.Join(s.dir, logDir, durableFile))
	}
	go func() {
		defer close(news)
		if err != nil {
			if events != nil {
				events.Close()
			}
			<-quit
			return
		}
		defer events.Close() // nothing to lose
		for {
			select {
			case <-quit:
				return
			case <-events.Events:
			case <-events.Errors: // some were lost
			}
			select {
			case news <- struct{}{}:
			default: // it has not looked since the last one
			}
		}
	}()
	return news
}
