package queue_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/queuectl/queuectl/eventlog"
	"github.com/queuectl/queuectl/internal/effort"
	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/queue"
)

var rooms = effort.New("limits", "rooms", "how many small disks to fill")

// TestRun_InSmallRoomsNothingIsLost has a queue, a worker and somebody who enqueues as long as he may on file systems of
// 16 KiB to 1 MiB, which jobs fill up as well. While a disk is full, each run that has begun must be recorded as it ended,
// and nothing else may be pretended; when there is room, everything that was accepted must have run once.
func TestRun_InSmallRoomsNothingIsLost(t *testing.T) {
	t.Parallel()
	seed, count := rooms.Seed(0), rooms.Count(10)
	t.Logf("seed %d", seed)
	figures := map[string]int{}
	for i := range count {
		r := &room{t: t, seed: seed + uint64(i), ends: map[string]bool{}}
		r.random = rand.New(rand.NewPCG(r.seed, r.seed))
		r.round()
		figures["rooms"]++
		figures["accepted"] += len(r.accepted)
		figures["refused"] += r.refused
		figures["ended on a full disk"] += r.tight
		if t.Failed() {
			break
		}
	}
	effort.Report(t, figures)
}

// room is a small disk with a queue.
type room struct {
	t        *testing.T
	seed     uint64
	disk     string
	accepted []string
	refused  int
	tight    int  // runs that were recorded before there was more room
	roomy    bool // there is: nobody takes it any more, or claims would be refused for ever

	mu     sync.Mutex
	random *rand.Rand
	ends   map[string]bool // of each run that has ended, by its job's id: whether it was good
	begun  int
}

func (r *room) errorf(format string, args ...any) {
	r.t.Helper()
	r.t.Errorf("again: go test ./queue -run SmallRooms -limits.rooms 1 -limits.seed %d: %s", r.seed, fmt.Sprintf(format, args...))
}

func (r *room) intN(n int) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.random.IntN(n)
}

func (r *room) round() {
	kib := 16 << r.intN(7)                 // 16 KiB … 1 MiB
	if kib += r.intN(kib); r.intN(3) > 0 { // below half a MiB nothing is ever accepted
		kib = 512 + r.intN(512)
	}
	kib = min(kib, 1024)
	r.disk = r.t.TempDir()
	if err := unix.Mount("tmpfs", r.disk, "tmpfs", 0, fmt.Sprintf("size=%dk", kib)); err != nil {
		r.t.Skipf("needs the right to mount a tmpfs: %v", err)
	}
	defer unix.Unmount(r.disk, unix.MNT_DETACH)
	r.fill()
	dir := filepath.Join(r.disk, "q")
	q, err := queue.Open(r.t.Context(), dir, queue.Options{})
	switch {
	case err == nil:
		r.live(q)
		if err := q.Close(); err != nil {
			r.errorf("close: %v", err)
		}
	case !errors.Is(err, eventlog.ErrDiskFull) && !errors.Is(err, unix.ENOSPC):
		r.errorf("open on %d KiB: %v", kib, err)
	}
	if err := unix.Mount("tmpfs", r.disk, "tmpfs", unix.MS_REMOUNT, "size=16m"); err != nil {
		r.t.Fatal(err)
	}
	r.recover(dir)
}

// live enqueues until it is refused, while a worker runs what was accepted, and then waits until nothing runs.
func (r *room) live(q *queue.Queue) {
	ctx, stop := context.WithCancel(r.t.Context())
	worked := make(chan error, 1)
	opt := queue.WorkerOptions{Slots: 1 + r.intN(4), NoShell: true, Handlers: map[string]queue.Handler{"k": r.handle}}
	go func() { worked <- q.Run(ctx, opt) }()
	for n := 0; n < 120 && r.refused < 3; n++ {
		spec := job.Spec{ID: fmt.Sprint("job", n), Kind: "k", MaxRetries: new(uint32)}
		spec.Tags = map[string]string{"long": strings.Repeat("x", r.intN(200))}
		spec.Payload = []byte(fmt.Sprintf("%q", strings.Repeat("x", r.intN(1<<(5+r.intN(11))))))
		switch _, err := q.Enqueue(r.t.Context(), spec); {
		case err == nil:
			r.accepted = append(r.accepted, spec.ID)
		case errors.Is(err, eventlog.ErrDiskFull):
			r.refused++
		default:
			r.errorf("enqueue: %v", err)
			n = 1000
		}
	}
	stop() // gracefully: what runs is recorded
	full := func(err error) bool { return errors.Is(err, eventlog.ErrDiskFull) || errors.Is(err, unix.ENOSPC) }
	if err := <-worked; err != nil && !(full(err) && r.begun == 0) {
		r.errorf("the worker ended with %v", err) // one that could not even begin may say so
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for id, good := range r.ends {
		j, err := q.Job(r.t.Context(), id)
		if err != nil || (j.State == job.Completed) != good || !j.State.Ended() {
			r.errorf("%s ended, well: %v; on the full disk it is %v (%v)", id, good, j.State, err)
		}
	}
	r.tight = len(r.ends)
}

// handle is a run. Some take room of the disk.
func (r *room) handle(_ context.Context, j job.Job) error {
	r.mu.Lock()
	r.begun++
	r.mu.Unlock()
	if !r.roomy && r.intN(8) == 0 {
		r.fill()
	}
	good := r.intN(3) > 0
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, twice := r.ends[j.Spec.ID]; twice {
		r.errorf("%s runs twice", j.Spec.ID)
	}
	r.ends[j.Spec.ID] = good
	if !good {
		return errors.New("no luck")
	}
	return nil
}

// fill takes some of the room that is left, or all.
func (r *room) fill() {
	blocks, all := r.intN(64), r.intN(4) == 0
	f, err := os.CreateTemp(r.disk, "filler")
	if err != nil {
		return // not even for a name
	}
	defer f.Close() // it is only there to take room
	for block := make([]byte, 4096); blocks > 0 || all; blocks-- {
		if _, err := f.Write(block); err != nil {
			return
		}
	}
}

// recover opens the queue when there is room, runs what waits, and looks for everything.
func (r *room) recover(dir string) {
	r.roomy = true
	q, err := queue.Open(r.t.Context(), dir, queue.Options{})
	if err != nil {
		r.errorf("open with room: %v", err)
		return
	}
	defer q.Close() // below it is only read
	opt := queue.WorkerOptions{Slots: 2, NoShell: true, UntilEmpty: true, Handlers: map[string]queue.Handler{"k": r.handle}}
	patience, cancel := context.WithTimeout(r.t.Context(), time.Minute)
	defer cancel()
	if err := q.Run(patience, opt); err != nil || patience.Err() != nil {
		status, _ := q.Status(r.t.Context()) // says more than a test that hangs
		r.errorf("run with room: %v, %v; jobs %v, workers %+v", err, patience.Err(), status.Counts, status.Workers)
	}
	status, err := q.Status(r.t.Context())
	total := 0
	for _, n := range status.Counts {
		total += n
	}
	if err != nil || total != len(r.accepted) || len(status.Workers) > 0 {
		r.errorf("%d jobs and %d workers, want %d and none (%v)", total, len(status.Workers), len(r.accepted), err)
	}
	for _, id := range r.accepted {
		j, err := q.Job(r.t.Context(), id)
		if good, ran := r.ends[id]; err != nil || !ran || (j.State == job.Completed) != good || !j.State.Ended() || j.Runs != 1 {
			r.errorf("%s: ran %v, well %v; it is %v after %d runs (%v)", id, ran, good, j.State, j.Runs, err)
		}
	}
	report, err := queue.Verify(r.t.Context(), dir, eventlog.VerifyOptions{})
	if err != nil || len(report.Damage) > 0 {
		r.errorf("verify: %v, %v", err, report)
	}
}
