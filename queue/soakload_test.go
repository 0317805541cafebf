package queue_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"time"

	"github.com/queuectl/queuectl/internal/storm"
	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/queue"
)

// clockVar names the file that says by how much the wall clock of a process is off: see steppedOptions.
const clockVar = "QUEUE_TEST_CLOCK"

// steppedOptions are those of a process whose wall clock is set by others, together with the clocks of all processes
// that have the file, and at once. Its monotonic clock goes on.
func steppedOptions(path string) (queue.Options, error) {
	f, err := os.Open(path)
	if err != nil {
		return queue.Options{}, err
	}
	began := time.Now()
	return queue.Options{
		Now: func() time.Time {
			var b [8]byte
			if _, err := f.ReadAt(b[:], 0); err != nil {
				panic(fmt.Sprintf("the clock of a soak: %v", err))
			}
			return time.Now().Round(0).Add(time.Duration(binary.LittleEndian.Uint64(b[:])))
		},
		Elapsed: func() time.Duration { return time.Since(began) },
	}, nil
}

// stepClocks sets the wall clocks of all processes that have the file.
func stepClocks(f *os.File, off time.Duration) error {
	_, err := f.WriteAt(binary.LittleEndian.AppendUint64(nil, uint64(off)), 0)
	return err
}

// The jobs of a soak, by what their ids say.
const (
	failing   = "fail"   // dies
	cancelled = "cancel" // is cancelled by somebody, sooner or later
)

// soakPace is how long a writer of a soak waits between two jobs: a modest rate, which lets no job wait for long.
const soakPace = 75 * time.Millisecond

// soakJob is the nth job of a writer: of sixteen about half are plain, and the others have something about them.
func soakJob(n int) job.Spec {
	spec := job.Spec{ID: "plain", Command: stormCommand}
	retries, base := uint32(1), 1.0
	switch n % 16 {
	case 1:
		spec.ID, spec.Delay = "delay", time.Second
	case 3:
		spec.ID, spec.Command, spec.MaxRetries, spec.BackoffBase = failing, stormCommand+"\nexit 3", &retries, &base
	case 5:
		spec.ID, spec.Command, spec.BackoffBase = "flaky", stormCommand+"\n[ $QUEUECTL_ATTEMPT -gt 1 ]", &base
	case 7:
		spec.ID, spec.Command, spec.Delay = cancelled, stormCommand+"\nsleep 1", time.Duration(n/16%2)*time.Second
	case 9, 10:
		spec.ID, spec.Queue = "narrow", narrow
	case 12:
		spec.ID, spec.ConcurrencyKey = "key", "one at a time"
	case 14:
		spec.ID, spec.Command = "print", stormCommand+"\nhead -c 3000 /dev/zero | tr '\\0' x"
	}
	return spec
}

// soakMay says how a job of a soak may end without having completed.
func soakMay(id, how string) bool {
	return how == "dead" && strings.Contains(id, "-"+failing) ||
		how == "cancelled" && strings.Contains(id, "-"+cancelled)
}

// playMixer is a writer of a soak.
func playMixer(ctx context.Context, q *queue.Queue) error {
	load := storm.Load{Name: os.Getenv(nameVar), Pace: soakPace, Spec: soakJob}
	return storm.PlaceOf(q.Dir()).Write(ctx, q, load)
}

// between returns a time between two.
func between(r *rand.Rand, least, most time.Duration) time.Duration {
	return least + time.Duration(r.Int64N(int64(most-least)))
}
