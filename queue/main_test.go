package queue_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

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
	roles := map[string]func(*queue.Queue) error{"writer": playWriter, "worker": playWorker, "drainer": playDrainer}
	play := roles[os.Getenv(roleVar)]
	if play == nil {
		os.Exit(m.Run())
	}
	q, err := queue.Open(context.Background(), os.Getenv(dirVar), queue.Options{})
	if err == nil {
		err = play(q)
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
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), roleVar+"="+name, dirVar+"="+dir)
	cmd.Env = append(cmd.Env, env...)
	cmd.Stdout, cmd.Stderr = stdout, os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd
}

// playWriter enqueues jobs for ever, and writes the id of each that was acknowledged.
func playWriter(q *queue.Queue) error {
	for i := 0; ; i++ {
		id := fmt.Sprintf("%s-%d", os.Getenv(nameVar), i)
		_, err := q.Enqueue(context.Background(), job.Spec{ID: id, Command: stormCommand, Env: map[string]string{"DIR": q.Dir()}})
		if err != nil {
			return err
		}
		fmt.Println(id)
		time.Sleep(5 * time.Millisecond) // paces the load, proves nothing
	}
}

func playWorker(q *queue.Queue) error {
	return q.Run(context.Background(), queue.WorkerOptions{Slots: 2})
}

func playDrainer(q *queue.Queue) error {
	return q.Run(context.Background(), queue.WorkerOptions{Slots: 4, UntilEmpty: true})
}
