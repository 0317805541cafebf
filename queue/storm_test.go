package queue_test

import (
	"errors"
	"io"
	"math/rand/v2"
	"os/exec"
	"testing"
	"time"

	"github.com/queuectl/queuectl/internal/effort"
	"github.com/queuectl/queuectl/internal/storm"
	"github.com/queuectl/queuectl/queue"
)

var storms = effort.New("storm", "kills", "how many processes to kill")

// stormCommand does what storm.Place.Witness does, in a shell whose children are part of the run: it says so in a file
// if another run of the same job is alive.
const stormCommand = `place="$QUEUECTL_DIR/.."
saw() { echo "$1 $QUEUECTL_JOB_ID $QUEUECTL_RUN" >>"$place/seen"; }
exec 9>>"$place/locks/$QUEUECTL_JOB_ID"
flock -n 9 || saw overlap
saw began
sleep 0.0$((QUEUECTL_RUN % 10))
saw ended`

// TestStorm_KillsLoseNothingAndRunNothingTwiceAtOnce kills writers and workers at random, a hundred
// times, and then proves from the log and from what the processes saw: every acknowledged job is there,
// each has completed, no two runs of one job overlapped, nothing is left, and the log is sound.
func TestStorm_KillsLoseNothingAndRunNothingTwiceAtOnce(t *testing.T) {
	if _, err := exec.LookPath("flock"); err != nil {
		t.Skip("needs the program flock (util-linux)")
	}
	seed, count := storms.Seed(0), storms.Count(100)
	t.Logf("seed %d", seed)
	place := storm.Place(effort.Dir(t))
	if err := place.Prepare(t.Context(), queue.Options{}); err != nil {
		t.Fatal(err)
	}
	s := &storm.Storm{
		Random: rand.New(rand.NewPCG(seed, seed)), Writers: 4, Workers: 3, Pause: 30 * time.Millisecond, Kills: count,
		Command: func(role storm.Role, name string) *exec.Cmd {
			return roleCommand(t, string(role), place.Queue(), nameVar+"="+name)
		},
	}
	kills, err := s.Rage(t.Context())
	if err = errors.Join(err, s.Drain(t.Context())); err != nil {
		t.Fatal(err)
	}
	report, err := place.Check(t.Context(), kills)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d jobs, %d acknowledged, %d events, %d runs of which %d were lost; found lost after %v (p50), %v (p99)",
		report.Jobs, report.Acknowledged, report.Events, report.Runs, report.LostRuns, report.Reclaim.P50, report.Reclaim.P99)
	if !report.Sound() {
		t.Errorf("damage %v, lost %v, unfinished %v, unseen %v, overlaps %v, orphans %v, left %v", report.Damage, report.Lost,
			report.Unfinished, report.Unseen, report.Overlaps, report.Orphans, report.Left)
	}
	if len(kills) != count || report.Acknowledged == 0 || report.LostRuns == 0 {
		t.Errorf("%d kills, %d acknowledged, %d lost runs: that was no storm", len(kills), report.Acknowledged, report.LostRuns)
	}
	effort.Report(t, map[string]int{"kills": len(kills), "acknowledged": report.Acknowledged, "runs": report.Runs, "lost runs": report.LostRuns})
}

// outlive ends when the standard input does, as it does with the storm that this process is a part of.
func outlive(stdin io.Reader, stop func()) {
	_, _ = io.Copy(io.Discard, stdin) // nothing is written to it
	stop()
}
