package queue_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"testing"

	"github.com/queuectl/queuectl/internal/storm"
	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/queue"
)

// The test binary plays other processes: with this variable set it does what the role says instead of
// testing.
const (
	roleVar = "QUEUE_TEST_ROLE"
	dirVar  = "QUEUE_TEST_DIR"
	nameVar = "QUEUE_TEST_NAME"
)

func TestMain(m *testing.M) {
	roles := map[string]func(context.Context, *queue.Queue) error{
		"writer": playWriter, "worker": playWorker, "drainer": playDrainer,
		"reclaimer": playReclaimer, "follower": playFollower, "snapshotter": playSnapshotter,
		"client": playClient, "asker": playAsker, "mixer": playMixer,
	}
	play := roles[os.Getenv(roleVar)]
	if play == nil {
		os.Exit(m.Run())
	}
	ctx, stop := context.WithCancel(context.Background())
	if os.Getenv(nameVar) != "" { // one of a storm
		go outlive(os.Stdin, stop)
	}
	var opt queue.Options
	var err error
	if clock := os.Getenv(clockVar); clock != "" {
		opt, err = steppedOptions(clock)
	}
	var q *queue.Queue
	if err == nil {
		q, err = queue.Open(ctx, os.Getenv(dirVar), opt)
	}
	if err == nil {
		err = play(ctx, q)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, os.Getenv(roleVar)+":", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// role starts a process that plays a role, with its standard output in a file that outlives it.
func role(t *testing.T, name, dir string, stdout *os.File, env ...string) *exec.Cmd {
	t.Helper()
	cmd := roleCommand(t, name, dir, env...)
	cmd.Stdout, cmd.Stderr = stdout, os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd
}

// roleCommand makes a process that plays a role.
func roleCommand(t *testing.T, name, dir string, env ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), roleVar+"="+name, dirVar+"="+dir)
	cmd.Env = append(cmd.Env, env...)
	return cmd
}

// narrow is a queue of the storm of which only a few jobs may run at a time.
const narrow = "narrow"

// playWriter enqueues jobs for ever, and notes the id of each that was acknowledged.
func playWriter(ctx context.Context, q *queue.Queue) error {
	spec := job.Spec{Command: stormCommand}
	if name := os.Getenv(nameVar); name[len(name)-1]%4 == 0 {
		spec.Queue = narrow
	}
	load := storm.Load{Name: os.Getenv(nameVar), Pace: storm.Gale, Spec: func(int) job.Spec { return spec }}
	return storm.PlaceOf(q.Dir()).Write(ctx, q, load)
}

func playReclaimer(ctx context.Context, q *queue.Queue) error {
	return q.Run(ctx, queue.WorkerOptions{Queues: []string{"unused"}})
}

func playFollower(ctx context.Context, q *queue.Queue) error {
	return storm.PlaceOf(q.Dir()).Follow(ctx)
}

func playSnapshotter(ctx context.Context, q *queue.Queue) error {
	return storm.PlaceOf(q.Dir()).Save(ctx, q)
}

func playWorker(ctx context.Context, q *queue.Queue) error {
	return q.Run(ctx, queue.WorkerOptions{Slots: 2})
}

func playDrainer(ctx context.Context, q *queue.Queue) error {
	return q.Run(ctx, queue.WorkerOptions{Slots: 4, UntilEmpty: true})
}
