package eventlog

import (
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/queuectl/queuectl/internal/file"
)

// callerMeta is as large as a command's usually is.
var callerMeta = Meta{User: "ada", Host: "loom", PID: 4711, Program: "queuectl 1.0", Dir: "/home/ada/src", Path: "/usr/local/bin:/usr/bin:/bin"}

// stateless is a State that takes anything.
type stateless struct{}

func (stateless) Fold(*Entry) error { return nil }
func (stateless) Reset()            {}

func openBench(b *testing.B, dir string) *Log {
	b.Helper()
	l, err := Open(b.Context(), dir, stateless{}, Options{Create: created})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { l.Close() })
	return l
}

// oneEvent returns a proposal of an event of a usual size.
func oneEvent() *Proposal {
	events := []Event{{Kind: 2, Data: make([]byte, 120)}}
	return &Proposal{Meta: callerMeta, Decide: func(Turn) ([]Event, error) { return events, nil }}
}

// BenchmarkAppend appends durably, one at a time, in turns with a loop that writes and syncs as
// many bytes. The metric raw/append says how near it comes to that loop.
func BenchmarkAppend(b *testing.B) {
	dir := b.TempDir()
	l := openBench(b, dir)
	l.Watch() // as a worker does
	p := oneEvent()
	raw, err := os.Create(filepath.Join(dir, "raw"))
	if err != nil {
		b.Fatal(err)
	}
	defer raw.Close()
	bytes := make([]byte, frameRoom(&callerMeta)+eventRoom+120)

	const turn = 50
	var ours, bound time.Duration
	b.ReportAllocs()
	for n := 0; n < b.N; n += turn {
		count := min(turn, b.N-n)
		began := time.Now()
		for range count {
			if err := l.Append(b.Context(), p); err != nil {
				b.Fatal(err)
			}
		}
		ours += time.Since(began)
		b.StopTimer()
		began = time.Now()
		for range count {
			if _, err := raw.Write(bytes); err != nil {
				b.Fatal(err)
			}
			if err := file.Datasync(raw); err != nil {
				b.Fatal(err)
			}
		}
		bound += time.Since(began)
		b.StartTimer()
	}
	b.ReportMetric(float64(bound)/float64(ours), "raw/append")
	b.ReportMetric(float64(bound.Nanoseconds())/float64(b.N), "raw-ns/op")
}

// BenchmarkAppend_Goroutines is 64 of them at once, each with one event at a time.
func BenchmarkAppend_Goroutines(b *testing.B) {
	l := openBench(b, b.TempDir())
	l.Watch()
	b.ReportAllocs()
	var wg sync.WaitGroup
	for i := range 64 {
		wg.Go(func() {
			p := oneEvent()
			for range b.N/64 + min(1, max(0, b.N%64-i)) {
				if err := l.Append(b.Context(), p); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// BenchmarkAppend_TwoHandles lets two processes take turns, so that none can use its handle twice.
func BenchmarkAppend_TwoHandles(b *testing.B) {
	dir := b.TempDir()
	logs := []*Log{openBench(b, dir), openBench(b, dir)}
	p := oneEvent()
	b.ReportAllocs()
	for n := range b.N {
		if err := logs[n%2].Append(b.Context(), p); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkView is one while nothing changes.
func BenchmarkView(b *testing.B) {
	l := openBench(b, b.TempDir())
	b.ReportAllocs()
	for b.Loop() {
		if err := l.View(b.Context(), func(Head) {}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkChanged is from the beginning of one process's append to another's knowing of it.
func BenchmarkChanged(b *testing.B) {
	dir := b.TempDir()
	writer, watcher := openBench(b, dir), openBench(b, dir)
	watcher.Watch()
	p := oneEvent()
	for b.Loop() {
		changed := watcher.Changed()
		if err := writer.Append(b.Context(), p); err != nil {
			b.Fatal(err)
		}
		<-changed
	}
}
