package projection_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/projection"
	"github.com/queuectl/queuectl/scheduler"
)

// pendingBytes returns what a pending job with a command of 100 bytes takes in memory, with its place
// in the timeline. It is not for parallel tests: it measures the whole heap.
func pendingBytes(n int, id func(job.Position) string) float64 {
	var before, after runtime.MemStats
	command := strings.Repeat("x", 100)
	runtime.GC()
	runtime.ReadMemStats(&before)
	p, timeline := projection.New(), scheduler.NewTimeline()
	retries := uint32(3)
	for key := range job.Position(n) {
		key++
		e := &job.JobEnqueued{Spec: job.Spec{ID: id(key), Command: command, MaxRetries: &retries}}
		timeline.Put(p.Fold(job.At{Position: key, Time: 1e18}, e).Schedule)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	runtime.KeepAlive(p)
	runtime.KeepAlive(timeline)
	return float64(after.HeapAlloc-before.HeapAlloc) / float64(n)
}

func madeID(key job.Position) string   { return job.MadeID(key, uint64(key)*31) }
func chosenID(key job.Position) string { return fmt.Sprintf("chosen-%06d", key) }

func TestProjection_APendingJobTakesAtMost250Bytes(t *testing.T) {
	for name, test := range map[string]struct {
		id    func(job.Position) string
		bytes float64
	}{"made ids": {madeID, 250}, "chosen ids": {chosenID, 300}} {
		if got := pendingBytes(100_000, test.id); got > test.bytes {
			t.Errorf("%s: %.0f bytes a job, want at most %.0f", name, got, test.bytes)
		}
	}
}

func BenchmarkPendingJobBytes(b *testing.B) {
	for _, n := range []int{1e3, 1e5, 1e6} {
		for name, id := range map[string]func(job.Position) string{"made": madeID, "chosen": chosenID} {
			b.Run(fmt.Sprintf("jobs=%d/ids=%s", n, name), func(b *testing.B) {
				for b.Loop() {
					b.ReportMetric(pendingBytes(n, id), "B/job")
				}
			})
		}
	}
}

func TestBrief_DoesNotAllocate(t *testing.T) {
	h := thousand()
	key := h.Key("job999")
	if allocs := testing.AllocsPerRun(100, func() { h.Brief(key) }); allocs != 0 {
		t.Errorf("%v allocations, want 0", allocs)
	}
}
