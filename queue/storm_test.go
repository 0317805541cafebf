package queue_test

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/queuectl/queuectl/internal/effort"
	"github.com/queuectl/queuectl/internal/process"
	"github.com/queuectl/queuectl/internal/storm"
	"github.com/queuectl/queuectl/job"
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

// TestStorm_KillsLoseNothingAndRunNothingTwiceAtOnce kills processes of all kinds, a hundred times: at random, and, with
// strace, at system calls that touch the log. Then it proves from the log and from what the processes saw: every acknowledged
// job is there, and every commit that a reader was shown; each job has completed, no two runs of one job overlapped, a
// limited queue never had too many; nothing is left, and the log is sound.
func TestStorm_KillsLoseNothingAndRunNothingTwiceAtOnce(t *testing.T) {
	if _, err := exec.LookPath("flock"); err != nil {
		t.Skip("needs the program flock (util-linux)")
	}
	seed, count := storms.Seed(0), storms.Count(100)
	t.Logf("seed %d", seed)
	place := storm.Place(effort.Dir(t))
	prepareStorm(t, place)
	random := rand.New(rand.NewPCG(seed, seed))
	strace := tracer()
	t.Cleanup(func() { // a strace may wait for ever for a process that was killed before it had attached to it
		left, _ := process.Marked(dirVar + "=" + place.Queue()) // if that cannot be told they stay
		for _, id := range left {
			_ = id.Signal(syscall.SIGKILL) // it may have ended
		}
	})
	s := &storm.Storm{
		Random: random, Writers: 8, Workers: 4, Pause: 30 * time.Millisecond, Kills: count,
		Others: []storm.Role{storm.Reclaimer, storm.Reclaimer, storm.Follower, storm.Snapshotter},
		Doomed: func(cmd *exec.Cmd) bool { return strace != "" && cmd.Path == strace },
		Command: func(role storm.Role, name string) *exec.Cmd {
			cmd := roleCommand(t, string(role), place.Queue(), nameVar+"="+name)
			if strace != "" && role != storm.Drainer && random.IntN(3) == 0 {
				doom(t, cmd, strace, random)
			}
			return cmd
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
	effort.Note(t, "a run was found lost after %v (p50), %v (p99), an enqueue was answered after %v (p50), %v (p99)",
		report.Reclaim.P50, report.Reclaim.P99, report.Answer.P50, report.Answer.P99)
	if !report.Sound() {
		t.Errorf("damage %v, lost %v, unfinished %v, unseen %v, overlaps %v, orphans %v, left %v", report.Damage, report.Lost,
			report.Unfinished, report.Unseen, report.Overlaps, report.Orphans, report.Left)
	}
	if len(kills) != count || report.Acknowledged == 0 || report.LostRuns == 0 || report.Shown == 0 {
		t.Errorf("%d kills, %d acknowledged, %d lost runs, %d commits shown: that was no storm",
			len(kills), report.Acknowledged, report.LostRuns, report.Shown)
	}
	own := 0
	for _, k := range kills {
		if k.Own {
			own++
		}
	}
	effort.Report(t, map[string]int{
		"kills": len(kills), "kills at system calls": own, "acknowledged": report.Acknowledged, "runs": report.Runs,
		"lost runs": report.LostRuns, "commits shown": report.Shown,
	})
}

// prepareStorm makes the queue of a storm, with one that is limited.
func prepareStorm(t *testing.T, place storm.Place) {
	t.Helper()
	if err := place.Prepare(t.Context(), queue.Options{}); err != nil {
		t.Fatal(err)
	}
	q := open(t, place.Queue())
	if _, err := q.LimitQueue(t.Context(), narrow, func(l *job.Limits) { l.Concurrency = 2 }); err != nil {
		t.Fatal(err)
	}
}

// tracer returns the path of a strace that can kill at system calls, "" if there is none: then all kills are at random.
func tracer() string {
	path, err := exec.LookPath("strace")
	if err != nil || exec.Command(path, "-D", "-f", "-o", os.DevNull, "-e", "inject=fsync:signal=SIGKILL:when=1", "true").Run() != nil {
		return ""
	}
	return path
}

// doom has a process killed at a system call that touches the log or the files of workers, whichever comes first of one
// kind. With -D it is strace that is the child of the process, so that a kill of it is a kill of the right one.
func doom(t *testing.T, cmd *exec.Cmd, strace string, random *rand.Rand) {
	t.Helper()
	calls := []string{"write", "pwrite64", "fdatasync", "fsync", "ftruncate", "openat", "flock", "renameat", "unlinkat", "close", "fallocate"}
	call := calls[random.IntN(len(calls))]
	args := []string{strace, "-D", "-f", "-q", "-o", os.DevNull, "-e", "trace=" + call}
	args = append(args, "-e", fmt.Sprintf("inject=%s:signal=SIGKILL:when=%d", call, 1+random.IntN(8)))
	dir := cmd.Env[len(cmd.Env)-2][len(dirVar)+1:]
	for _, sub := range []string{"log", "sealed", "workers", "runs", "snapshots"} {
		files, err := filepath.Glob(filepath.Join(dir, sub, "*"))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range append(files, filepath.Join(dir, sub)) {
			args = append(args, "-P", path)
		}
	}
	cmd.Args = append(args, cmd.Path)
	cmd.Path = strace
}

// outlive ends when the standard input does, as it does with the storm that this process is a part of.
func outlive(stdin io.Reader, stop func()) {
	_, _ = io.Copy(io.Discard, stdin) // nothing is written to it
	stop()
}
