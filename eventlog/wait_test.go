package eventlog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/queuectl/queuectl/internal/file"
)

// follow reads until n events are there, or ctx ends.
func follow(ctx context.Context, r *Reader, n int) (*ledger, error) {
	got := &ledger{}
	for len(got.lines) < n {
		e, err := r.Next(ctx)
		if errors.Is(err, io.EOF) {
			err = r.Wait(ctx)
			if err == nil {
				continue
			}
		}
		if err != nil {
			return got, err
		}
		if err := got.Fold(e); err != nil {
			return got, err
		}
	}
	return got, nil
}

// TestWait_FollowsWriters has a Reader that waits while several handles append, over many rotations:
// it gets every event once and in order.
func TestWait_FollowsWriters(t *testing.T) {
	both(t, func(t *testing.T, w world) {
		const writers, each = 3, 100
		openIn(t, w, Options{SegmentSize: 2000})
		r, err := w.reader(0)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		type result struct {
			got *ledger
			err error
		}
		done := make(chan result)
		go func() {
			got, err := follow(t.Context(), r, 1+writers*each)
			done <- result{got, err}
		}()
		for i := range writers {
			h := openIn(t, w, Options{SegmentSize: 2000})
			go func() {
				for n := range each {
					h.append(t, fmt.Sprintf("%d.%d", i, n))
				}
			}()
		}
		followed := <-done
		if followed.err != nil {
			t.Fatal(followed.err)
		}
		if want := readLedger(t, w); !bytes.Equal(fmt.Append(nil, followed.got.lines), fmt.Append(nil, want.lines)) {
			t.Errorf("got %q, want %q", followed.got.lines, want.lines)
		}
	})
}

// TestWatch_TellsOfWhatIsDurable looks at the notifications alone.
func TestWatch_TellsOfWhatIsDurable(t *testing.T) {
	both(t, func(t *testing.T, w world) {
		if events, err := fsnotify.NewWatcher(); err != nil {
			t.Skip("needs file notifications: ", err)
		} else {
			events.Close()
		}
		h := openIn(t, w, Options{SegmentSize: 300})
		r, err := w.reader(0)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		quit := make(chan struct{})
		news := r.src.watch(quit)
		for range 20 { // over several rotations
			select { // what came before does not count
			case <-news:
			default:
			}
			h.append(t, "a")
			<-news
		}
		close(quit)
		for range news {
		}
	})
}

// TestWait_PollsWhereNothingTells has no notifications: fake time shows how often it looks.
func TestWait_PollsWhereNothingTells(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &scripted{id: LogID{1}, data: [][]byte{nil}}
		r, err := newReader(src, LogID{1}, 1)
		if err != nil {
			t.Fatal(err)
		}
		var pauses []time.Duration
		for range 9 {
			before := time.Now()
			if err := r.Wait(t.Context()); err != nil {
				t.Fatal(err)
			}
			pauses = append(pauses, time.Since(before).Round(time.Millisecond))
		}
		const want = "[0s 5ms 10ms 20ms 40ms 80ms 160ms 250ms 250ms]"
		if got := fmt.Sprint(pauses); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := r.Wait(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
}

func TestWait_SaysThatTheLogIsGone(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ read, replace bool }{{true, false}, {true, true}, {false, false}} {
		dir := t.TempDir()
		h := openIn(t, dirWorld(dir), Options{})
		if err := h.Close(); err != nil {
			t.Fatal(err)
		}
		r, err := NewReader(dir, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		if tt.read {
			if err := drain(r, nil); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Rename(filepath.Join(dir, logDir), filepath.Join(t.TempDir(), "away")); err != nil {
			t.Skip("needs a system that renames open files")
		}
		if tt.replace {
			openIn(t, dirWorld(dir), Options{})
		}
		if _, err = follow(t.Context(), r, 100); !errors.Is(err, ErrNoLog) {
			t.Errorf("%+v: got %v, want ErrNoLog", tt, err)
		}
	}
}

func TestWait_EndsWithClose(t *testing.T) {
	t.Parallel()
	h := newHandmade(85, 0)
	h.fill(t, 1000)
	r, err := NewReader(h.write(t), 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(r.Wait(t.Context()), r.Close(), r.Close()); err != nil {
		t.Error(err)
	}
	if err := r.Wait(t.Context()); !errors.Is(err, ErrClosed) {
		t.Errorf("got %v", err)
	}
}

// TestNext_SecondLookCanBeLeft: who holds the append lock may be stopped for good.
func TestNext_SecondLookCanBeLeft(t *testing.T) {
	t.Parallel()
	h := newHandmade(86, 0)
	h.noise(t, 100)
	h.noise(t, 100)
	dir := h.write(t)
	promise(t, dir, h)
	bad := bytes.Clone(h.last().data)
	bad[len(bad)-1]++
	put(t, h.path(dir, 0), bad)
	lock, err := file.OpenLock(filepath.Join(dir, logDir, lockFile))
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if err := lock.Exclusive(); err != nil {
		t.Fatal(err)
	}
	r, err := NewReader(dir, 2)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := r.Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("got %v, want the end of ctx", err)
	}
	if err := lock.Unlock(); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Next(t.Context()); !errors.As(err, new(*CorruptError)) {
		t.Errorf("got %v, want the damage", err)
	}
}
